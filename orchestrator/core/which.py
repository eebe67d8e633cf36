"""Which machines and which restore points an entry of a job means: its keys."""

import re
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, field_validator, model_validator

from orchestrator.core.catalog import PointKind, kind_in
from orchestrator.core.sizes import age_of
from orchestrator.core.zones import instant_of, typed_time, zone_of


class Pick(Enum):
    """Which of the restore points of a machine that lie between `not_before` and `as_of`."""

    LATEST = "latest"
    OLDEST = "oldest"
    ALL = "all"


class FallBack(Enum):
    """What is mounted instead of a restore point that cannot be: an older one of the same source, or the newest of
    the machine's replica, or of the agent on it."""

    OLDER = "older"
    REPLICA = "replica"
    AGENT = "agent"


YEARS = range(1970, 9999)
"""The years in which a restore point may be asked for: those at the ends of the calendar overflow in other zones."""

KINDS = {FallBack.REPLICA: PointKind.REPLICA, FallBack.AGENT: PointKind.AGENT}
"""The source that a step of a fall-back order turns to."""


def _an_age(text: str) -> str:
    if not age_of(text):
        raise ValueError(f"{text!r} allows no restore point at all; write an age such as 12h or 3d")
    return text


def _a_moment(value: Any) -> Any:
    """A time as TOML has it, or as text. A number is none: it would be taken for seconds since 1970."""
    moment = value if isinstance(value, datetime) else typed_time(str(value))
    if moment.year not in YEARS:
        raise ValueError(f"{moment} lies outside the years {YEARS[0]} to {YEARS[-1]}")
    return moment


Age = Annotated[str, AfterValidator(_an_age)]
Instant = Annotated[AwareDatetime, BeforeValidator(_a_moment)]
Name = Annotated[str, Field(min_length=1)]


class Which(BaseModel):
    """The keys of an entry that say which machines and which restore points."""

    vm: str | None = Field(
        default=None, min_length=1, description="Machine name as EM shows it, or a glob (* ? [a-z])."
    )
    vms: list[Name] | None = Field(default=None, min_length=1, description="Several names or globs, instead of vm.")
    vms_from: str | None = Field(
        default=None, min_length=1, description="File with one name or glob on each line, instead of vm."
    )
    restore_point: str | None = Field(
        default=None, min_length=1, description="Id of one restore point, instead of as_of."
    )
    backup_server: str | None = Field(
        default=None, min_length=1, description="Only restore points of this backup server."
    )
    backup_job: str | None = Field(
        default=None, min_length=1, description="Only restore points in the backup of this job; replicas have none."
    )
    hierarchy: str | None = Field(
        default=None,
        pattern=r"^urn:\S+$",
        description="Only machines of this object: the reference of one machine, or of the host that manages it.",
    )
    source: PointKind = Field(default=PointKind.VM, description="Whose restore points: vm (backups), replica or agent.")
    point: Pick = Field(default=Pick.LATEST, description="Of the restore points from not_before to as_of.")
    as_of: Instant | None = Field(
        default=None, description="Newest restore point at or before this instant; default: the latest."
    )
    not_before: Instant | None = Field(default=None, description="No restore point made before this instant.")
    max_age: Age | None = Field(
        default=None, description="No restore point that is older than this at as_of, or now: 12h, 3d, 2w."
    )
    fall_back: list[FallBack] = Field(
        default_factory=list, description="What to mount instead, in this order, when a restore point cannot be."
    )

    refresh: bool = Field(
        default=False, strict=True, description="EM asks its backup servers for new restore points first."
    )

    @field_validator("fall_back")
    @classmethod
    def _each_once(cls, steps: list[FallBack]) -> list[FallBack]:
        if len(set(steps)) < len(steps):
            raise ValueError("names a step twice; name each once, in the order to be tried")
        return steps

    @model_validator(mode="after")
    def _names_machines_once(self) -> Self:
        given = [key for key in ("vm", "vms", "vms_from") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; keep one")
        if not given and self.restore_point is None:
            raise ValueError('say which machine: vm = "name", or restore_point = "id"')
        if self.restore_point is not None:
            others = ("as_of", "vms", "vms_from", "point", "not_before", "max_age", "fall_back")
            for key in others:
                if key in self.model_fields_set:
                    raise ValueError(f"{key} and restore_point exclude each other; keep one")
        named = kind_in(self.restore_point)
        if named is not None and "source" in self.model_fields_set and named is not self.source:
            raise ValueError(f'restore_point is of source = "{named.value}", not "{self.source.value}"; remove source')
        return self

    @model_validator(mode="after")
    def _picks_something(self) -> Self:
        if self.not_before and self.as_of and self.not_before > self.as_of:
            raise ValueError("not_before is later than as_of; no restore point lies between")
        if self.max_age is not None and self.point is not Pick.LATEST:
            raise ValueError(f'max_age does not go with point = "{self.point.value}"; say not_before')
        if self.point is Pick.ALL and FallBack.OLDER in self.fall_back:
            raise ValueError('point = "all" takes every older restore point anyway; remove older from fall_back')
        if any(KINDS.get(step) is self.source for step in self.fall_back):
            raise ValueError(f'source is "{self.source.value}" already; remove it from fall_back')
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names and globs of the machines; none for a restore point by its id, and for a list that was not read."""
        return (self.vm,) if self.vm is not None else tuple(self.vms or ())

    @property
    def last_moment(self) -> datetime | None:
        """The latest that a restore point may have been made. A whole second in `as_of` is all of that second: what EM
        tells has fractions, which nobody is shown, and the time that is shown has to find its restore point."""
        whole = self.as_of is not None and not self.as_of.microsecond
        return self.as_of.replace(microsecond=999_999) if self.as_of and whole else self.as_of

    @property
    def oldest_allowed(self) -> timedelta | None:
        return None if self.max_age is None else age_of(self.max_age)

    @property
    def kinds(self) -> tuple[PointKind, ...]:
        """Every source that the entry may turn to, its own first."""
        return (self.source, *(KINDS[step] for step in self.fall_back if step in KINDS))


_TIMES = ("as_of", "not_before", "modified_after", "modified_before")


def is_glob(name: str) -> bool:
    return re.search(r"[*?\[]", name) is not None


def in_zone(table: Any) -> Any:
    """`table`, of a job, with every time without an offset read as a wall clock of its `time_zone`, where it has one
    that is known. `zones` says what that means in the hours that are skipped or repeated."""
    if not isinstance(table, dict) or not isinstance(table.get("time_zone"), str):
        return table
    try:
        zone = zone_of(table["time_zone"])
    except ValueError:
        return table
    entries = table.get("restore")
    if isinstance(entries, list):
        table = {**table, "restore": [_placed(entry, zone, _TIMES) for entry in entries]}
    return _placed(table, zone, ("not_before", "deadline"))


def _placed(table: Any, zone: ZoneInfo, keys: tuple[str, ...]) -> Any:
    if not isinstance(table, dict):
        return table
    times = {key: table[key] for key in keys if isinstance(table.get(key), datetime)}
    naive = {key: time for key, time in times.items() if time.tzinfo is None and time.year in YEARS}
    return {**table, **{key: instant_of(value, zone) for key, value in naive.items()}}
