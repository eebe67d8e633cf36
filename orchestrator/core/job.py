"""One restore job file: what to restore, from when, to where. TOML in, a frozen `Job` out."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from orchestrator.core.entry import Compare, Conflict, Defaults, Restore, Verify
from orchestrator.core.errors import JobInvalid, JobUnreadable
from orchestrator.core.fidelity import BASIC, OwnerPolicy, Wishes, ids_of
from orchestrator.core.rates import rate_of
from orchestrator.core.roads import Road
from orchestrator.core.schedule import Schedule
from orchestrator.core.sound import JOB_NAME
from orchestrator.core.which import Instant, in_zone
from orchestrator.core.which_files import STRICT
from orchestrator.core.windows import Window, Windows
from orchestrator.core.words import parse_toml, read_model
from orchestrator.core.zones import zone_of

_NOT_WITH_SCHEDULE = {
    "not_before": "the schedule says when",
    "deadline": "it is one instant, and the job recurs; set windows",
    "again": "each due time is a run of its own",
}


class Job(BaseModel):
    """A whole job file. The keys from `schedule` on say when; they are for the watcher, and `run` begins at once."""

    model_config = STRICT
    name: str = Field(
        pattern=JOB_NAME,
        description="Names the runs of this job: letters, digits, dot, dash, underscore.",
    )
    defaults: Defaults = Field(default_factory=Defaults)
    restore: list[Restore] = Field(min_length=1, description="What to restore; one [[restore]] table each.")
    schedule: str | None = Field(
        default=None, description="Cron times (minute hour day month weekday) at which the watcher runs the job again."
    )
    time_zone: str = Field(
        default="UTC", description="IANA name of the zone of schedule, windows and times without offset."
    )
    not_before: Instant | None = Field(default=None, description="The watcher does not begin before this instant.")
    deadline: Instant | None = Field(default=None, description="The instant by which the run should have ended.")
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

    @model_validator(mode="before")
    @classmethod
    def _times_are_of_the_zone(cls, table: Any) -> Any:
        return in_zone(table)

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
        elif "time_zone" in self.model_fields_set and not (self.windows or self._has_times):
            raise ValueError("time_zone is that of schedule, windows and times, and none of them is there")
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
    def _roads_lead_there(self) -> Self:
        for number, entry in enumerate(self.restore, 1):
            if entry.road is Road.DOWNLOAD and self.wishes(entry).reads_properties:
                raise ValueError(
                    f'entry {number} has road = "download" and metadata = "{self.wishes(entry).metadata.value}": '
                    "a download gives content and times only; remove one of the two"
                )
        return self

    @model_validator(mode="after")
    def _has_destinations(self) -> Self:
        for number, entry in enumerate(self.restore, 1):
            if entry.road is Road.ORIGINAL:
                if self.drill:
                    text = "is a drill, which restores to a scratch folder and into no guest; remove one of the two"
                    raise ValueError(f'entry {number} has road = "original", and the job {text}')
            elif not (entry.to or self.defaults.to or self.drill):
                raise ValueError(f"entry {number} has no destination; set defaults.to or its own to")
        return self

    @model_validator(mode="after")
    def _folders_bear_the_time_of_what_is_in_them(self) -> Self:
        for number, entry in enumerate(self.restore, 1):
            to = self.destination(entry)
            folders = [*(to.values() if isinstance(to, dict) else [to]), entry.prefix or ""]
            if entry.fall_back and any("{point}" in folder or "{date}" in folder for folder in folders):
                text = "goes with no {point} or {date} in to, which would tell the time of a restore point that was not"
                raise ValueError(f"entry {number} has fall_back, which {text} restored; remove one of the two")
        return self

    def destination(self, entry: Restore) -> str | dict[str, str]:
        """The template of the destination, or one for each guest path; empty for what goes back to where it was."""
        return "" if entry.road is Road.ORIGINAL else entry.to or self.defaults.to

    def conflict(self, entry: Restore) -> Conflict:
        """The defaults are for copies: what EM does in a guest is said in the entry itself."""
        return entry.on_conflict or (Conflict.KEEP if entry.road is Road.ORIGINAL else self.defaults.on_conflict)

    def wishes(self, entry: Restore) -> Wishes:
        """What an entry wants of its files beside their bytes."""
        if entry.road is Road.ORIGINAL:
            return Wishes(entry.metadata or BASIC.metadata)
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
        elsewhere: dict[str, object] = {
            "to": to,
            "prefix": None,
            "strip": [],
            "drives": {},
            "on_conflict": Conflict.OVERWRITE,
        }
        restore = [
            entry.model_copy(update={**elsewhere, "paths": list(map(str, entry.guest_paths))}) for entry in self.restore
        ]
        return self.model_copy(update={"restore": restore})

    @property
    def _has_times(self) -> bool:
        entries = any(
            isinstance(time, datetime)
            for one in self.restore
            for time in (one.as_of, one.not_before, one.modified_after, one.modified_before)
        )
        return entries or self.not_before is not None or self.deadline is not None

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
