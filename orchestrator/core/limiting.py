"""Limits as they stand, and what somebody may want of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.core.rates import rate_of, rate_text

BY_HAND = "by hand"
"""The cause of a limit that somebody has changed while the process works."""

What = Literal["bandwidth", "mounts", "copies"]


@dataclass(frozen=True, slots=True)
class Limit:
    """Which limit: of one run, of one backup server, or else of everything."""

    what: What
    run: str = ""
    backup_server: str = ""


ByHand = tuple[tuple[Limit, int | None], ...]
"""Limits that somebody has changed while a process works, of all or of one run."""


@dataclass(frozen=True, slots=True)
class LimitNow:
    """A limit in force. `value` is bytes a second or a number, None for none. `cause` is `config`, `timetable`, `job`
    or `by hand`. `until` is when the clock changes it, None when it does not."""

    limit: Limit
    value: int | None
    cause: str
    until: datetime | None = None

    @property
    def text(self) -> str:
        """The value as people write it."""
        return value_text(self.limit.what, self.value)


@dataclass(frozen=True, slots=True)
class LimitedRun:
    """A run that is going on."""

    run: str
    job: str
    paused: bool


@dataclass(frozen=True, slots=True)
class LimitsNow:
    """What limits a process, and its runs."""

    limits: tuple[LimitNow, ...]
    runs: tuple[LimitedRun, ...] = ()


def value_text(what: str, value: int | None) -> str:
    """The value of a limit as people write it."""
    if what == "bandwidth":
        return rate_text(value)
    return "none" if value is None else str(value)


class LimitWish(BaseModel):
    """What somebody wants of the limits, of all or of one run. What is not named stays; with `reset`, what was changed
    by hand goes back first."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    run: str = ""
    reset: bool = Field(default=False, strict=True)
    bandwidth: str | None = None
    servers: dict[str, str] = Field(default_factory=dict)
    mounts: int | None = Field(default=None, ge=1, le=10_000, strict=True)
    copies: int | None = Field(default=None, ge=1, le=512, strict=True)

    @field_validator("bandwidth")
    @classmethod
    def _is_bandwidth(cls, text: str | None) -> str | None:
        if text is not None:
            rate_of(text)
        return text

    @field_validator("servers")
    @classmethod
    def _are_bandwidths(cls, servers: dict[str, str]) -> dict[str, str]:
        for name, text in servers.items():
            if not name:
                raise ValueError("name a backup server: vbr01=20MB/s")
            rate_of(text)
        return servers

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "LimitWish":
        if self.run and self.servers:
            raise ValueError("the limit of a backup server holds for all runs; leave out the run")
        return self

    @property
    def changes(self) -> Mapping[Limit, int | None]:
        """What is to be, by limit."""
        wanted: dict[Limit, int | None] = {}
        if self.bandwidth is not None:
            wanted[Limit("bandwidth", self.run)] = rate_of(self.bandwidth)
        for name, text in self.servers.items():
            wanted[Limit("bandwidth", backup_server=name)] = rate_of(text)
        if self.mounts is not None:
            wanted[Limit("mounts", self.run)] = self.mounts
        if self.copies is not None:
            wanted[Limit("copies", self.run)] = self.copies
        return wanted
