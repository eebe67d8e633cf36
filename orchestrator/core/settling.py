"""When a file in the drop folder is a job to be taken: whole, and not before.

Nobody tells when a file has been written to its end. So a file is taken when two looks have shown the same size and
times `settle` seconds apart; when it was seen under another name before and has only been renamed, which is how careful
writers drop files; or when its writer has put an empty file of the same name with `.ready` beside it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

SIZE_LIMIT = 64 << 20
"""Bytes. A job file larger than this is something else."""

EMPTY_SETTLES = 15
"""An empty file is waited for this many times as long: many writers make a file first and fill it later."""

BROKEN_SETTLES = 5
"""A file that is no TOML may be half of one, and is waited for this many times as long."""

ENDINGS = (".toml", ".json")
"""What the names of jobs, and of plans that were frozen of jobs, end in."""

READY = ".ready"
REJECTED = ".rejected.txt"

_TEMPORARY = re.compile(
    r"""^[.~#]            # hidden files, lock files of Office and Emacs, .goutputstream-..., .nfs..., ._name
      | ~$ | \#$          # backups of editors
      | \.(tmp|temp|part|partial|filepart|crdownload|swp|swo|swx|bak|lock|new)$
      | ^4913$            # Vim asks with this name whether a folder may be written
    """,
    re.VERBOSE | re.IGNORECASE,
)


class NameKind(Enum):
    """What the name of a file in the drop folder says. `STRANGER` is neither a job nor known to be something else."""

    JOB = "job"
    MARKER = "marker"
    ANSWER = "answer"
    TEMPORARY = "temporary"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class DropFile:
    """One entry of the drop folder as it was seen. `identity` is what stays when a file is renamed (device and inode;
    zeros where there is none), `regular` is false for folders, links and devices."""

    name: str
    size: int
    mtime_ns: int
    identity: tuple[int, int] = (0, 0)
    regular: bool = True

    @property
    def state(self) -> tuple[int, int, tuple[int, int]]:
        """What changes when somebody writes to the file or puts another in its place."""
        return self.size, self.mtime_ns, self.identity


@dataclass(frozen=True, slots=True)
class Settled:
    """A file to be dealt with now. `fault` says why it cannot be a job, when that is known from outside. `patient`: it
    has been waited for so long, or is so surely whole, that broken content is no sign of a half file."""

    file: DropFile
    fault: str = ""
    patient: bool = False


def kind_of(name: str) -> NameKind:
    """What a file is, by its name. Jobs end in `.toml`, plans in `.json`, in any letter case."""
    folded = name.casefold()
    if folded.endswith(REJECTED):
        return NameKind.ANSWER
    if _TEMPORARY.search(name):
        return NameKind.TEMPORARY
    if folded.endswith(READY):
        return NameKind.MARKER
    return NameKind.JOB if folded.endswith(ENDINGS) else NameKind.STRANGER


def markers_of(name: str) -> tuple[str, str]:
    """The names of the markers that declare a job file whole: `night.toml.ready` and `night.ready`."""
    return name + READY, name.rpartition(".")[0] + READY


@dataclass(slots=True)
class _Sighting:
    state: tuple[int, int, tuple[int, int]]
    since: float
    pending: bool
    looks: int = 1
    renamed: bool = False


class Settling:
    """What the looks at one drop folder have shown so far. `settle` in seconds."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._seen: dict[str, _Sighting] = {}

    def look(self, files: Sequence[DropFile], now: float) -> list[Settled]:
        """Fold in one look at `now` (seconds of a clock that only goes forward); the files to be dealt with, by name.

        A file is told at every look until it is gone, so one that could not be dealt with comes again.
        """
        before, self._seen = self._seen, {}
        names = {file.name for file in files}
        drafts = {one.state for name, one in before.items() if name not in names and _is_draft(name)}
        found = []
        for file in sorted(files, key=lambda one: one.name):
            kind = kind_of(file.name)
            if kind in (NameKind.MARKER, NameKind.ANSWER):
                continue
            sighting = self._sight(
                file, before.get(file.name), now, renamed=file.identity != (0, 0) and file.state in drafts
            )
            if kind is NameKind.JOB and (settled := self._settled(file, sighting, now, _marked(file.name, names))):
                found.append(settled)
        return found

    @property
    def pending(self) -> bool:
        """Whether there is a file that is a job, or may become one."""
        return any(one.pending for one in self._seen.values())

    def next_look(self, now: float) -> float | None:
        """Seconds until a look may show that a file has settled; None when none is about to."""
        waiting = [left for one in self._seen.values() if one.pending and (left := one.since + self._settle - now) > 0]
        return min(waiting, default=None)

    def _sight(self, file: DropFile, before: _Sighting | None, now: float, *, renamed: bool) -> _Sighting:
        if before is not None and before.state == file.state:
            before.looks += 1
            sighting = before
        else:
            pending = file.regular and kind_of(file.name) is NameKind.JOB
            sighting = _Sighting(file.state, now, pending, renamed=before is None and renamed)
        self._seen[file.name] = sighting
        return sighting

    def _settled(self, file: DropFile, sighting: _Sighting, now: float, marked: bool) -> Settled | None:
        if not file.regular:
            return Settled(file, "is no regular file; drop the job file itself")
        quiet = now - sighting.since if sighting.looks > 1 else 0.0
        whole = marked or sighting.renamed
        if not whole and (sighting.looks < 2 or quiet < self._settle):
            return None
        if file.size > SIZE_LIMIT:
            return Settled(file, f"is larger than {SIZE_LIMIT >> 20} MiB; is it a job file?")
        if file.size == 0 and not marked and quiet < self._settle * EMPTY_SETTLES:
            return None
        return Settled(file, patient=whole or quiet >= self._settle * BROKEN_SETTLES)


def _is_draft(name: str) -> bool:
    return kind_of(name) in (NameKind.TEMPORARY, NameKind.STRANGER)


def _marked(name: str, names: Collection[str]) -> bool:
    return any(marker in names for marker in markers_of(name))
