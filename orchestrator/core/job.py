"""One restore job file: what to restore, from when, to where. TOML in, a frozen `Job` out."""

import re
from enum import Enum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestrator.core.catalog import GuestOs
from orchestrator.core.errors import JobInvalid, JobUnreadable
from orchestrator.core.fidelity import LinkPolicy, Metadata, OwnerPolicy, Wishes, ids_of
from orchestrator.core.naming import RENAME_PATTERN, check_pattern
from orchestrator.core.paths import GuestPath, PathRefused, parse_guest_path
from orchestrator.core.rates import rate_of
from orchestrator.core.schedule import Schedule
from orchestrator.core.select import Selector
from orchestrator.core.windows import Window, Windows
from orchestrator.core.words import parse_toml, read_model
from orchestrator.core.zones import zone_of


class Conflict(Enum):
    """What happens when another file stands where the copy belongs. An identical file is always left alone."""

    SKIP = "skip"
    OVERWRITE = "overwrite"
    NEWER = "newer"
    CHANGED = "changed"
    ASIDE = "aside"
    RENAME = "rename"


class Compare(Enum):
    """By what two files are taken for one: size and modification time, or every byte."""

    TIMES = "times"
    CONTENT = "content"


class Verify(Enum):
    """How a copy is proved: not at all; by a checksum taken while copying, which `verify` and the manifest use; or by
    also reading the copy back from the disk."""

    NONE = "none"
    STREAM = "stream"
    READ_BACK = "read-back"


_STRICT = ConfigDict(extra="forbid", frozen=True)

Pattern = Annotated[str, AfterValidator(check_pattern)]
"""The name of a renamed copy, with its placeholders."""


def _known_ids(accounts: dict[str, str | int]) -> dict[str, str | int]:
    ids_of(accounts)
    return accounts


Accounts = Annotated[dict[str, Annotated[int, Field(ge=0, strict=True)] | str], AfterValidator(_known_ids)]
"""Guest ids, and the local account (a name or an id) that stands for each."""


class Defaults(BaseModel):
    """What holds for every entry that does not say otherwise."""

    model_config = _STRICT
    to: str = Field(default="", description="Destination folder; may hold {vm}, {run}, {point}, {date}.")
    on_conflict: Conflict = Field(default=Conflict.SKIP, description="What to do when another file is there.")
    metadata: Metadata = Field(default=Metadata.BASIC, description="How much of a file beside its bytes is restored.")
    owner: OwnerPolicy = Field(default=OwnerPolicy.KEEP, description="Whose the copies are, with metadata = full.")
    users: Accounts = Field(default_factory=dict, description="Guest user ids and the local users for them.")
    groups: Accounts = Field(default_factory=dict, description="Guest group ids and the local groups for them.")
    links: LinkPolicy = Field(default=LinkPolicy.SKIP, description="What becomes of symbolic links.")
    compare: Compare = Field(default=Compare.TIMES, description="By what a file that is there counts as the same.")
    rename_pattern: Pattern = Field(default=RENAME_PATTERN, description="How on_conflict = rename names the copy.")


class Restore(BaseModel):
    """One `[[restore]]` entry: files of one machine, or of every machine that a glob matches."""

    model_config = _STRICT
    vm: str | None = Field(
        default=None, min_length=1, description="Machine name as EM shows it, or a glob (* ? [a-z])."
    )
    restore_point: str | None = Field(
        default=None, min_length=1, description="Id of one restore point, instead of as_of."
    )
    backup_server: str | None = Field(
        default=None, min_length=1, description="Only restore points of this backup server."
    )
    as_of: AwareDatetime | None = Field(
        default=None, description="Newest restore point at or before this instant; default: the latest."
    )
    paths: list[str] = Field(
        min_length=1, description=r"Guest paths: C:\Shares, D:\, /srv/data, or * for every volume."
    )
    include: list[str] = Field(default_factory=list, description="gitignore-style patterns; only matching files.")
    exclude: list[str] = Field(
        default_factory=list, description="gitignore-style patterns; matching files are left out."
    )
    to: str | None = Field(default=None, min_length=1, description="Destination folder, instead of defaults.to.")
    on_conflict: Conflict | None = Field(default=None, description="Instead of defaults.on_conflict.")
    metadata: Metadata | None = Field(default=None, description="Instead of defaults.metadata.")
    owner: OwnerPolicy | None = Field(default=None, description="Instead of defaults.owner.")
    users: Accounts | None = Field(default=None, description="Instead of defaults.users.")
    groups: Accounts | None = Field(default=None, description="Instead of defaults.groups.")
    links: LinkPolicy | None = Field(default=None, description="Instead of defaults.links.")
    compare: Compare | None = Field(default=None, description="Instead of defaults.compare.")
    rename_pattern: Pattern | None = Field(default=None, description="Instead of defaults.rename_pattern.")
    os: GuestOs | None = Field(default=None, description="Sent to EM as OsKind; EM assumes windows.")

    @field_validator("paths")
    @classmethod
    def _paths_parse(cls, paths: list[str]) -> list[str]:
        for text in paths:
            try:
                parse_guest_path(text)
            except PathRefused as error:
                raise ValueError(str(error)) from error
        return paths

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_parse(cls, patterns: list[str], field: ValidationInfo) -> list[str]:
        Selector.check(patterns, including=field.field_name == "include")
        return patterns

    @model_validator(mode="after")
    def _names_a_machine(self) -> Self:
        if self.vm is None and self.restore_point is None:
            raise ValueError('say which machine: vm = "name", or restore_point = "id"')
        if self.restore_point is not None and self.as_of is not None:
            raise ValueError("as_of and restore_point exclude each other; keep one")
        return self

    @property
    def guest_paths(self) -> tuple[GuestPath, ...]:
        return tuple(map(parse_guest_path, self.paths))

    @property
    def is_glob(self) -> bool:
        return self.vm is not None and re.search(r"[*?\[]", self.vm) is not None


_NOT_WITH_SCHEDULE = {
    "not_before": "the schedule says when",
    "deadline": "it is one instant, and the job recurs; set windows",
    "again": "each due time is a run of its own",
}


class Job(BaseModel):
    """A whole job file. The keys from `schedule` on say when; they are for the watcher, and `run` begins at once."""

    model_config = _STRICT
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Names the runs of this job: letters, digits, dot, dash, underscore.",
    )
    defaults: Defaults = Field(default_factory=Defaults)
    restore: list[Restore] = Field(min_length=1, description="What to restore; one [[restore]] table each.")
    schedule: str | None = Field(
        default=None, description="Cron times (minute hour day month weekday) at which the watcher runs the job again."
    )
    time_zone: str = Field(default="UTC", description="IANA name of the zone of schedule and windows.")
    not_before: AwareDatetime | None = Field(
        default=None, description="The watcher does not begin before this instant."
    )
    deadline: AwareDatetime | None = Field(default=None, description="The instant by which the run should have ended.")
    windows: list[str] = Field(
        default_factory=list,
        description="Hours in which mounts may be open, such as 22:00-06:00 or Mon-Fri 22:00-06:00.",
    )
    priority: int = Field(default=0, ge=-100, le=100, strict=True, description="Higher begins first; -100 to 100.")
    bandwidth: str = Field(default="none", description="Most that a run of this job reads: 20 MB/s, or none.")
    again: bool = Field(
        default=False, strict=True, description="Run although a job with the same content has been run before."
    )
    verify: Verify | None = Field(default=None, description="How copies are proved, instead of copy.verify.")
    drill: bool = Field(
        default=False,
        strict=True,
        description="A restore drill: restored to a scratch folder, verified, timed, removed.",
    )

    @field_validator("schedule")
    @classmethod
    def _is_due_at_times(cls, schedule: str | None) -> str | None:
        if schedule is not None:
            Schedule.of(schedule)
        return schedule

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, time_zone: str) -> str:
        zone_of(time_zone)
        return time_zone

    @field_validator("bandwidth")
    @classmethod
    def _is_bandwidth(cls, bandwidth: str) -> str:
        rate_of(bandwidth)
        return bandwidth

    @field_validator("windows")
    @classmethod
    def _windows_parse(cls, windows: list[str]) -> list[str]:
        for text in windows:
            Window.of(text)
        return windows

    @model_validator(mode="after")
    def _times_make_sense(self) -> Self:
        if self.schedule is not None:
            for key, reason in _NOT_WITH_SCHEDULE.items():
                if key in self.model_fields_set:
                    raise ValueError(f"{key} does not go with schedule: {reason}")
        elif "time_zone" in self.model_fields_set and not self.windows:
            raise ValueError("time_zone is that of schedule and windows, and neither is there")
        if self.not_before and self.deadline:
            if self.deadline <= self.not_before:
                raise ValueError("deadline must be later than not_before")
            if self.opening_hours.next_open(self.not_before) >= self.deadline:
                raise ValueError("no window opens between not_before and deadline")
        return self

    @model_validator(mode="after")
    def _maps_somebody(self) -> Self:
        for number, entry in enumerate(self.restore, 1):
            wishes = self.wishes(entry)
            if wishes.owner is OwnerPolicy.MAP and not (wishes.users or wishes.groups):
                raise ValueError(f'entry {number} has owner = "map" and nobody in users or groups; name some')
        return self

    @model_validator(mode="after")
    def _has_destinations(self) -> Self:
        for number, entry in enumerate(self.restore, 1):
            if not (entry.to or self.defaults.to or self.drill):
                raise ValueError(f"entry {number} has no destination; set defaults.to or its own to")
        return self

    def destination(self, entry: Restore) -> str:
        return entry.to or self.defaults.to

    def conflict(self, entry: Restore) -> Conflict:
        return entry.on_conflict or self.defaults.on_conflict

    def wishes(self, entry: Restore) -> Wishes:
        """What an entry wants of its files beside their bytes."""
        defaults = self.defaults
        return Wishes(
            metadata=entry.metadata or defaults.metadata,
            owner=entry.owner or defaults.owner,
            links=entry.links or defaults.links,
            users=ids_of(defaults.users if entry.users is None else entry.users),
            groups=ids_of(defaults.groups if entry.groups is None else entry.groups),
        )

    def comparison(self, entry: Restore) -> Compare:
        return entry.compare or self.defaults.compare

    def renaming(self, entry: Restore) -> str:
        return entry.rename_pattern or self.defaults.rename_pattern

    def into_scratch(self, folder: str) -> "Job":
        """This job as a drill: everything goes below `folder`, a folder for each run and each restore point, and the
        destinations of the job do not count."""
        to = f"{folder.rstrip('/')}/{{run}}/{{vm}}/{{point}}"
        restore = [entry.model_copy(update={"to": to, "on_conflict": Conflict.OVERWRITE}) for entry in self.restore]
        return self.model_copy(update={"restore": restore})

    @property
    def due_times(self) -> Schedule | None:
        return None if self.schedule is None else Schedule.of(self.schedule, self.time_zone)

    @property
    def opening_hours(self) -> Windows:
        return Windows.of(self.windows, self.time_zone)


def read_job(content: bytes, place: str) -> Job:
    """A job from the bytes of its file; JobInvalid names every key, value and remedy. `place` is the file's name.

    JobUnreadable when it is no TOML at all, as half a file would be.
    """
    return read_model(Job, parse_toml(content, place, JobUnreadable), place, JobInvalid)
