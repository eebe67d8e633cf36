"""List files: read for the jobs that name them, from where each job may."""

from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.entry import Restore
from orchestrator.core.errors import JobInvalid
from orchestrator.core.job import Job
from orchestrator.core.lists import texts_in
from orchestrator.core.path_list import paths_in

SIZE_LIMIT = 64 << 20
"""A list larger than this is something else."""


@dataclass(frozen=True, slots=True)
class NamedJob:
    """A job with the file it came from. Its lists are looked for in `lists`; where it is `confined`, as one that
    strangers may have dropped, they must lie there."""

    job: Job
    place: str
    content: bytes = field(repr=False)
    lists: Path = Path()
    confined: bool = False

    @property
    def name(self) -> str:
        return self.job.name


def with_lists(named: NamedJob) -> Job:
    """The job with the names and paths of its lists in place of these. Blocks; JobInvalid for a list that cannot be
    used."""
    entries = [_filled(named, entry) for entry in named.job.restore]
    return named.job.model_copy(update={"restore": entries})


def _filled(named: NamedJob, entry: Restore) -> Restore:
    filled: dict[str, object] = {}
    if entry.vms_from is not None:
        filled["vms"] = list(texts_in(read_list(named, entry.vms_from), entry.vms_from))
    if entry.paths_from is not None:
        paths = paths_in(read_list(named, entry.paths_from), entry.paths_from)
        filled |= {"paths": [*entry.paths, *paths], "paths_from": None}
    return entry.model_copy(update=filled) if filled else entry


def read_list(named: NamedJob, name: str) -> bytes:
    """The content of a list. Blocks. JobInvalid when it cannot be read, or lies where the job may not look."""
    return list_at(named.lists, name, named.place, confined=named.confined)


def list_at(folder: Path, name: str, place: str, *, confined: bool = False) -> bytes:
    """The content of a list that `place` names, beside others in `folder` or, unless it is `confined` to there,
    anywhere. Blocks; JobInvalid."""
    file = folder / name
    if "\x00" in name:
        raise JobInvalid(place=place, problems=f"the list {name!r} is no name of a file")
    try:
        if confined and not file.resolve().is_relative_to(folder.resolve()):
            what = f"the list {name} lies outside {folder}, where the lists of dropped jobs must be"
            raise JobInvalid(place=place, problems=f"{what}; put it there and name it without its folder")
        if not file.is_file():
            what = "is not there" if not file.exists() else "is no file"
            raise JobInvalid(place=place, problems=f"the list {file} {what}; put it there, or change the name")
        if file.stat().st_size > SIZE_LIMIT:
            what = f"the list {file} is larger than {SIZE_LIMIT >> 20} MiB"
            raise JobInvalid(place=place, problems=f"{what}; is it a list of names?")
        return file.read_bytes()
    except OSError as cause:
        raise JobInvalid(place=place, problems=f"the list {file} cannot be read: {cause.strerror}") from cause
