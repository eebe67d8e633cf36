"""Manners towards a service manager: systemd is told what goes on, that the work moves, and when a stop takes longer.

Sources: sd_notify(3), the datagram protocol behind $NOTIFY_SOCKET; sd_watchdog_enabled(3) for $WATCHDOG_USEC.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from orchestrator.config_limits import LimitSettings
from orchestrator.core.events import (
    Event,
    GroupEnded,
    JobEnded,
    JobNotStarted,
    JobTaken,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    QueuePaused,
    RequestAnswered,
    RunEnded,
    RunPaused,
    RunStarted,
    Stopping,
    WatcherReady,
    WorkerReady,
)
from orchestrator.views import count, visible

EXTEND_SECONDS = 120
"""Asked for anew at every sign of life, so a stop that hangs still ends by the manager's clock."""

TELL_EVERY = 30.0
"""Seconds between two signs of life; a third of the manager's patience where that is less."""

STILL_SECONDS = 3600.0
"""Nothing that is waited for without a word takes so long, unless the config says so."""


class Sleep(Protocol):
    """Pauses for some seconds."""

    async def __call__(self, seconds: float, /) -> None: ...


@dataclass(slots=True)
class _Run:
    job: str
    groups: int
    ended: int = 0
    paused: bool = False


@dataclass(slots=True)
class Standing:
    """A fold over events: what the process is at. `line` is one line of plain text."""

    ready: bool = False
    stopping: str = ""
    folder: str = ""
    site: str | None = None
    paused: bool = False
    ended: str = ""
    runs: dict[str, _Run] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    mounts: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case WatcherReady(folder=folder):
                self.ready, self.folder = True, folder
            case WorkerReady(site=site):
                self.ready, self.site = True, site
            case RunStarted(run=run, job=job, groups=groups):
                self.ready = True
                self.runs[run] = _Run(job, groups)
            case GroupEnded(run=run) if run in self.runs:
                self.runs[run].ended += 1
            case RunEnded(run=run, exit_code=code):
                self.runs.pop(run, None)
                self.ended = f"ended with exit code {code}"
            case MountOpened(href=href):
                self.mounts.add(href)
            case MountDeleted(href=href) | MountLeft(href=href) | MountGone(href=href):
                self.mounts.discard(href)
            case JobTaken(drop=drop):
                self.drops.add(drop)
            case JobEnded(drop=drop) | JobNotStarted(drop=drop):
                self.drops.discard(drop)
            case QueuePaused(paused=paused):
                self.paused = paused
            case RunPaused(run=run, paused=paused) if run in self.runs:
                self.runs[run].paused = paused
            case Stopping(run=run) if run in self.runs:
                self.runs[run].paused = False
            case Stopping(how=how, run=""):
                self.stopping = how
                for one in self.runs.values():
                    one.paused = False
            case _:
                pass

    @property
    def line(self) -> str:
        waiting = max(0, len(self.drops) - len(self.runs))
        idle = f"waiting for jobs in {visible(self.folder)}" if self.folder else self.ended
        if self.site is not None:
            idle = f"serving {visible(self.site) or 'every site'}"
        return ", ".join(
            part
            for part in (
                f"stopping ({self.stopping})" if self.stopping else "",
                "paused" if self.paused else "",
                self._work() or ("" if waiting or self.stopping else idle),
                f"{count(waiting, 'job')} in the queue" if waiting else "",
                f"{count(len(self.mounts), 'mount')} open" if self.mounts else "",
            )
            if part
        )

    def _work(self) -> str:
        runs = self.runs.values()
        if not runs:
            return ""
        what = next(iter(runs)).job if len(runs) == 1 else count(len(runs), "job")
        done, planned = sum(run.ended for run in runs), sum(run.groups for run in runs)
        held = sum(run.paused for run in runs)
        what = visible(what) + (f" ({'paused' if len(runs) == 1 else f'{held} paused'})" if held else "")
        return f"restoring {what}, {min(done, planned)} of {count(planned, 'restore point')} through"


class Service:
    """What tells systemd. `take` and `tick` are called on the thread of the event loop."""

    def __init__(self, address: str, watchdog: float | None, still: float, clock: Callable[[], float]) -> None:
        """`watchdog`: seconds of the manager's patience, None when it has no watchdog; `still`: seconds that a run may
        go without any event."""
        self._address = address
        self._watchdog = watchdog
        self._still = still
        self._clock = clock
        self._moved = clock()
        self._standing = Standing()
        self._told_ready = False
        self._told = ""

    @property
    def every(self) -> float:
        """Seconds between two calls of `tick`."""
        return TELL_EVERY if self._watchdog is None else min(TELL_EVERY, self._watchdog / 3)

    def take(self, event: Event) -> None:
        """Fold one event in, and tell what the manager does not know yet."""
        if not isinstance(event, RequestAnswered):  # heartbeats go on beside work that has got stuck
            self._moved = self._clock()
        self._standing.add(event)
        words = self._news()
        match event:
            case Stopping(run=""):
                words = ["STOPPING=1", *words, _extension()]
            case MountDeleted() | MountLeft() | MountGone() | RunEnded() if self._standing.stopping:
                words = [*words, _extension()]
            case _:
                pass
        self._tell(words)

    def tick(self) -> None:
        """A sign of life, if there is life: a run without an event for too long is hung. Asks for more time while a
        stop still has mounts to delete; each of them has a deadline of its own."""
        words = self._news()
        at_work = any(not run.paused for run in self._standing.runs.values())
        if at_work and self._clock() - self._moved > self._still:
            self._tell(words)
            return
        if self._watchdog is not None:
            words.append("WATCHDOG=1")
        if self._standing.stopping and self._standing.mounts:
            words.append(_extension())
        self._tell(words)

    async def pet_watchdog(self, sleep: Sleep = anyio.sleep) -> None:
        """Give signs of life for ever. An event loop that does not turn does not get here, and systemd ends it."""
        while True:
            self.tick()
            await sleep(self.every)

    def _news(self) -> list[str]:
        standing, words = self._standing, []
        if standing.ready and not self._told_ready:
            words.append("READY=1")
        if (line := standing.line) != self._told:
            words.append(f"STATUS={line}")
        return words

    def _tell(self, words: list[str]) -> None:
        if words and _sent(self._address, "\n".join(words)):
            self._told_ready = self._standing.ready
            self._told = self._standing.line


def service_notifier(
    still: float = STILL_SECONDS,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
) -> Service | None:
    """What tells the service manager; None when nobody listens. `still`: see `longest_silence`."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@") or not hasattr(socket, "AF_UNIX"):
        return None
    return Service(address, _patience(environment), still, clock)


def longest_silence(limits: LimitSettings) -> float:
    """Seconds that a healthy run may go without any event."""
    waits = (limits.mount_timeout, limits.unmount_timeout, limits.stall_timeout, limits.space_wait)
    return STILL_SECONDS + max(waits)


def _patience(environment: Mapping[str, str]) -> float | None:
    """Seconds after which systemd takes this process for hung; None when it does not watch this process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    if not ours or not (microseconds.isascii() and microseconds.isdigit()) or not int(microseconds):
        return None
    return int(microseconds) / 1_000_000


def _extension() -> str:
    return f"EXTEND_TIMEOUT_USEC={EXTEND_SECONDS * 1_000_000}"


def _sent(address: str, message: str) -> bool:
    """One datagram; whether it went. A manager that does not listen changes nothing."""
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            notify.sendto(message.encode("utf-8", "replace"), address)
    except OSError:
        return False
    return True
