"""Faults by script: on which call of which route what goes wrong. A fault that never fires is a broken test."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GarbageKind = Literal["html", "half_xml", "empty", "doctype", "wrong_namespace"]


@dataclass(frozen=True)
class Status:
    """Answer this status and body (XML if it begins with `<`); `after`: the real work is done first."""

    code: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer, before the work or after it."""

    after: bool = False


@dataclass(frozen=True)
class Delay:
    """Wait this long before handling."""

    seconds: float


@dataclass(frozen=True)
class Garbage:
    """Answer the status of the real answer (200 if `after` is false) with a body no client can use."""

    kind: GarbageKind = "html"
    after: bool = True


@dataclass(frozen=True)
class EndSession:
    """End the caller's session before handling: the call itself meets 401."""


@dataclass(frozen=True)
class VanishFolder:
    """The share folder of the mount that is asked for (else of every mount of the session) disappears now."""


@dataclass(frozen=True)
class Hang:
    """Never answer, until the server stops; the work is not done."""


@dataclass(frozen=True)
class FailTask:
    """The task that this call starts finishes with Success=false and this message; nothing is mounted."""

    message: str = "Failed to mount the restore point."


@dataclass(frozen=True)
class StuckTask:
    """The task that this call starts stays Running for ever; nothing is mounted."""


@dataclass(frozen=True)
class SlowTask:
    """The task that this call starts runs this long instead of `Settings.task_seconds`."""

    seconds: float


@dataclass(frozen=True)
class HeldTask:
    """The task that this call starts runs until `go` is set, however long that takes."""

    go: asyncio.Event


@dataclass(frozen=True)
class FailedTaskButMounted:
    """The task that this call starts finishes with Success=false although the mount was made."""

    message: str = "The operation has timed out."


@dataclass(frozen=True)
class CutFile:
    """A file is announced whole, and the connection ends after so many bytes of it."""

    after: int


@dataclass(frozen=True)
class ShortFile:
    """A file is announced and given with so many bytes only."""

    size: int


TaskAction = FailTask | StuckTask | SlowTask | HeldTask | FailedTaskButMounted
Action = Status | Drop | Delay | Garbage | EndSession | VanishFolder | Hang | CutFile | ShortFile | TaskAction


_STARTS_TASKS = ("mount_post", "browse_action")


@dataclass(frozen=True)
class Fault:
    """On call number `nth` (from 1) of `route`, and on the `times - 1` calls after it, `action` happens.

    `route` is a name as in `LogEntry.route`, or "*" for each; `match` counts only calls whose path and query
    hold this text. Raises ValueError for a count below 1 and for a task's fault on a route that starts none.
    """

    route: str
    nth: int = 1
    action: Action = field(default_factory=lambda: Status(500))
    times: int = 1
    match: str | None = None

    def __post_init__(self) -> None:
        if self.nth < 1 or self.times < 1:
            raise ValueError("nth and times count from 1")
        if isinstance(self.action, TaskAction) and self.route not in _STARTS_TASKS:
            raise ValueError(f"{type(self.action).__name__} belongs to {' or '.join(_STARTS_TASKS)}, not {self.route}")
        if isinstance(self.action, FailedTaskButMounted) and self.route != "mount_post":
            raise ValueError(f"FailedTaskButMounted belongs to mount_post, not {self.route}")


class FaultScript:
    """The faults of one simulator, and how often each was asked for and fired."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults: list[Fault] = []
        self._seen: list[int] = []
        self._fired: list[int] = []
        self.add(faults)

    def add(self, faults: tuple[Fault, ...]) -> None:
        """Add faults; they count calls from now on."""
        self._faults.extend(faults)
        self._seen.extend(0 for _ in faults)
        self._fired.extend(0 for _ in faults)

    def due(self, route: str, target: str) -> list[Action]:
        """Count this call, and return what is to happen on it, in the order of the script."""
        actions: list[Action] = []
        for place, fault in enumerate(self._faults):
            if fault.route not in (route, "*") or (fault.match is not None and fault.match not in target):
                continue
            self._seen[place] += 1
            if fault.nth <= self._seen[place] < fault.nth + fault.times:
                self._fired[place] += 1
                actions.append(fault.action)
        return actions

    def unfired(self) -> list[Fault]:
        """The faults that never fired."""
        return [fault for fault, fired in zip(self._faults, self._fired, strict=True) if not fired]
