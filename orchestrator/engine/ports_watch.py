"""What the watcher needs from the other rooms, besides what a run needs.

Methods block and are only ever called in threads. No port has more than six methods.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orchestrator.core.drops import DropRow, ScheduleRow
from orchestrator.core.settling import DropFile


class DropLedger(Protocol):
    """The journal's dropped jobs. Methods block; every write is durable when it returns."""

    def write_drop(self, row: DropRow) -> None:
        """Insert or update a claim."""
        ...

    def drop(self, id: str) -> DropRow | None:
        """One claim; None when there is none."""
        ...

    def unfinished_drops(self) -> list[DropRow]:
        """Every claim that has not ended, oldest first."""
        ...

    def recent_drops(self, limit: int) -> list[DropRow]:
        """The newest claims, newest first; `limit` is not negative."""
        ...


class ScheduleLedger(Protocol):
    """How far each schedule has been dealt with. Methods block; every write is durable when it returns."""

    def schedules(self) -> list[ScheduleRow]:
        """Every schedule, by job."""
        ...

    def write_schedule(self, row: ScheduleRow) -> None:
        """Insert or update a schedule."""
        ...

    def forget_schedule(self, job: str) -> None:
        """Forget a schedule; nothing happens when there is none."""
        ...


class PauseLedger(Protocol):
    """Whether the queue is paused, kept over restarts. Methods block; the write is durable when it returns."""

    def paused(self) -> bool:
        """False until somebody has paused it."""
        ...

    def write_paused(self, paused: bool) -> None:
        """Keep whether the queue is paused."""
        ...


class Incoming(Protocol):
    """The drop folder, where jobs come in. Methods block and raise DropFolderUnusable."""

    def look(self) -> list[DropFile]:
        """Every entry as it is now."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when something happens there, or after `seconds`."""
        ...

    def read(self, file: DropFile) -> tuple[bytes, str] | None:
        """(content, account whose file it is) of a file that still is as it was seen; None when it is not."""
        ...

    def claim(self, row: DropRow, file: DropFile) -> bool:
        """Take a file, for this watcher alone; False when it is gone or has changed since it was seen."""
        ...

    def reject(self, row: DropRow, message: str) -> None:
        """Answer a claimed file that is no job."""
        ...

    def refuse(self, file: DropFile, message: str) -> None:
        """Answer what cannot be claimed, once."""
        ...


class ClaimedJobs(Protocol):
    """The jobs that were claimed. Methods block and raise DropFolderUnusable."""

    def claimed(self, tag: str) -> list[tuple[str, str]]:
        """(id, name) of every claim whose id begins with `tag`."""
        ...

    def content(self, row: DropRow) -> bytes | None:
        """What a claimed job says; None when somebody has removed it."""
        ...

    def put(self, row: DropRow, content: bytes) -> None:
        """A claimed job that nobody dropped: one turn of a schedule."""
        ...

    def first(self, row: DropRow) -> str:
        """Note that the content of `row` is taken. Empty when it is the first time, else a note of the first."""
        ...

    def forget(self, row: DropRow) -> None:
        """The content of `row` counts as never taken."""
        ...

    def end(self, row: DropRow, folder: str, line: str, beside: Mapping[str, Path]) -> None:
        """Answer a job with `line` and the files `beside` it (by suffix), and move it to `done` or `failed`. Safe to be
        done again."""
        ...
