"""The slice of the config that says how much at once, how fast, and how long at most."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.core.rates import Timetable, rate_of
from orchestrator.core.windows import Windows
from orchestrator.core.zones import zone_of


class BackupWindowSettings(BaseModel):
    """When backup jobs run, so that `plan --deep` can tell which backup files a run would keep from them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    windows: list[str] = Field(
        default_factory=list, description="Hours in which backup jobs run, such as Mon-Fri 22:00-06:00."
    )
    time_zone: str = Field(default="UTC", description="IANA name of the zone of windows.")

    @model_validator(mode="after")
    def _are_windows(self) -> Self:
        Windows.of(self.windows, self.time_zone)
        return self

    @property
    def hours(self) -> Windows | None:
        """The windows; None when there are none."""
        return Windows.of(self.windows, self.time_zone) if self.windows else None


class LimitSettings(BaseModel):
    """How much at once, how fast, and how long at most. Durations in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mounts: int = Field(default=20, ge=1, description="Mounts open at once, over all backup servers.")
    copies: int = Field(default=16, ge=1, le=512, description="Files in flight.")
    bandwidth: str = Field(default="none", description="Most that all copies read together: 200 MB/s, or none.")
    bandwidth_timetable: list[str] = Field(
        default_factory=list,
        description="Bandwidths by the hour, such as Mon-Fri 08:00-18:00 20 MB/s; outside of them, bandwidth counts.",
    )
    bandwidth_time_zone: str = Field(default="UTC", description="IANA name of the zone of bandwidth_timetable.")
    mount_timeout: float = Field(default=900, gt=0, description="Seconds a mount may take to be ready.")
    folder_timeout: float = Field(default=60, gt=0, description="Seconds its folder may take to appear on the share.")
    probe_timeout: float = Field(
        default=15, gt=0, description="Seconds a share that does not answer is waited for when another one has."
    )
    unmount_timeout: float = Field(default=600, gt=0, description="Seconds spent on deleting one mount.")
    original_timeout: float = Field(
        default=14400, gt=0, description="Seconds EM may take to restore one path to its original location."
    )
    poll_interval: float = Field(
        default=1.0, gt=0, description="Seconds before a task of EM is looked at again, at first."
    )
    stall_timeout: float = Field(
        default=300,
        gt=0,
        description="Seconds without any progress after which a file, a listing or another call to a share or a "
        "destination is given up.",
    )
    reserve_mib: int = Field(default=256, ge=0, description="MiB kept free at a destination; below, copying pauses.")
    space_wait: float = Field(default=1800, ge=0, description="Seconds to wait for room before the run stops.")
    failure_rate: float = Field(default=0.5, ge=0, le=1, description="Share of files failed at which the run stops.")
    failure_floor: int = Field(default=1000, ge=1, description="Failed files before failure_rate is looked at.")
    grace: float = Field(default=30, ge=0, description="Seconds that files in flight get after the first stop signal.")

    @field_validator("bandwidth")
    @classmethod
    def _is_bandwidth(cls, text: str) -> str:
        return checked_rate(text)

    @field_validator("bandwidth_timetable")
    @classmethod
    def _is_timetable(cls, lines: list[str]) -> list[str]:
        Timetable.of(lines)
        return lines

    @field_validator("bandwidth_time_zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        zone_of(name)
        return name

    @model_validator(mode="after")
    def _zone_is_read(self) -> Self:
        """Its file, here and not when the event loop runs."""
        zone_of(self.bandwidth_time_zone)
        return self

    @property
    def timetable(self) -> Timetable:
        return Timetable.of(self.bandwidth_timetable, self.bandwidth_time_zone, rate_of(self.bandwidth))


def checked_rate(text: str) -> str:
    """`text` when it is a bandwidth, else ValueError."""
    rate_of(text)
    return text
