"""One file by a download through Enterprise Manager: made ready by a task of EM's, fetched, checked against its size.

A file counts only with every byte that was listed: an answer without bytes, with fewer than announced, or with fewer
than listed is an error, whatever its status says.
"""

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from anyio import sleep

from orchestrator.core.catalog import Task, TaskPhase
from orchestrator.core.entries import Entry
from orchestrator.core.errors import EmError, FileError, Forbidden, NotFound, SessionEnded
from orchestrator.core.fidelity import Properties
from orchestrator.core.reasons import Reason
from orchestrator.engine.ports_files import IncomingFile, MountedFiles
from orchestrator.engine.pulse import Abandoned, beat_here

POLL_FIRST = 0.05
"""Seconds until EM is first asked whether a file is ready: most are small."""

STAGED_AT_LEAST = 1 << 20
"""Bytes a second at which EM is trusted to make a file ready. While it may be at work on that, waiting is no stall."""


class Wait(Protocol):
    """Asks on the event loop and waits in the calling thread."""

    def __call__(self, question: Callable[[], Coroutine[Any, Any, Any]], /) -> Any: ...


class Download:
    """A file, open for reading. Methods block; FileError when EM cannot give it, SessionEnded when its mount has gone
    with its session."""

    def __init__(
        self, files: MountedFiles, href: str, entry: Entry, generation: int, poll_most: float, wait: Wait
    ) -> None:
        self._files = files
        self._href = href
        self._entry = entry
        self._generation = generation
        self._poll_most = poll_most
        self._wait = wait
        self._task: Task | None = None
        self._incoming: IncomingFile | None = None
        self._at = self._wanted = 0

    def read(self, buffer: bytearray) -> memoryview:
        """The next bytes, none at the end."""
        if self._wanted >= self._entry.size:
            return memoryview(buffer)[:0]  # an empty file needs no task of EM's
        data = self._asked(partial(self._next, len(buffer)))
        self._at = self._wanted = self._wanted + len(data)
        if not data:
            raise self._failed(Reason.READ_ERROR, self._too_short())
        buffer[: len(data)] = data
        return memoryview(buffer)[: len(data)]

    def seek(self, offset: int) -> None:
        """Go on reading at `offset`. EM gives a file from its beginning only, so what is before it is read again."""
        self._wanted = offset

    def properties(self) -> Properties:
        return Properties(modified_ns=self._entry.mtime_ns or None)

    def close(self) -> None:
        """Let go of the connection, and of EM's task. Never raises."""
        task, self._task = self._task, None
        if self._incoming is None and task is None:
            return

        async def closing() -> None:
            self._let_go()
            if task is not None:
                await self._files.forget_task(task.href, self._generation)

        # RuntimeError: the event loop has ended, and everything with it
        with suppress(EmError, RuntimeError, Abandoned):
            self._wait(closing)

    def _next(self, most: int) -> bytes:
        """The bytes at `_wanted`: those before it are read and dropped. Each question is one of its own, so that a
        thread that nobody waits for asks nothing more."""
        incoming = self._incoming
        if incoming is None or self._wanted < self._at:
            self._wait(self._letting_go)
            incoming = self._incoming = self._open()
            self._at = 0
        while self._at < self._wanted:
            dropped = self._wait(partial(incoming.read, min(most, self._wanted - self._at)))
            if not dropped:
                return b""
            self._at += len(dropped)
        data: bytes = self._wait(partial(incoming.read, most))
        return data

    def _open(self) -> IncomingFile:
        if self._task is None or not self._task.download:
            staged = self._wait(partial(self._files.stage, self._href, self._entry.relative, self._generation))
            self._task = self._ready(staged)
        incoming: IncomingFile = self._wait(partial(self._fetched, self._task.download))
        return incoming

    async def _fetched(self, download: str) -> IncomingFile:
        incoming = await self._files.fetch(download, self._entry.relative, self._generation)
        if incoming.announced is not None and incoming.announced != self._entry.size:
            announced = incoming.announced
            incoming.close()
            raise self._failed(Reason.READ_ERROR, self._too_short(announced))
        return incoming

    def _ready(self, task: Task) -> Task:
        pause, href = POLL_FIRST, task.href
        patient_until = time.monotonic() + self._entry.size / STAGED_AT_LEAST
        while task.phase is not TaskPhase.FINISHED:
            task = self._wait(partial(self._polled, href, pause))
            if time.monotonic() < patient_until:
                beat_here()
            pause = min(pause * 1.5, self._poll_most)
        if task.success is False:
            why = task.message.rstrip(". ") or "it gives no reason"
            raise self._failed(Reason.READ_ERROR, f"Enterprise Manager could not make it ready for a download: {why}")
        if not task.download:
            what = "Enterprise Manager says that the file is ready, and not where it can be had; use a share instead"
            raise self._failed(Reason.READ_ERROR, what)
        return task

    async def _polled(self, href: str, pause: float) -> Task:
        await sleep(pause)
        return await self._files.task(href, self._generation)

    async def _letting_go(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.close()

    def _asked(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except SessionEnded:
            raise
        except Forbidden as error:
            what = f"{error} Its restore restrictions may forbid downloads; use a share instead."
            raise self._failed(Reason.ACCESS_DENIED, what) from error
        except NotFound as error:
            raise self._failed(Reason.VANISHED, str(error)) from error
        except EmError as error:
            raise self._failed(Reason.READ_ERROR, str(error)) from error

    def _too_short(self, announced: int | None = None) -> str:
        size, got = self._entry.size, self._at if announced is None else announced
        if not got:
            return (
                f"Enterprise Manager gave no bytes of a file of {size}; it may keep what it made ready on its own disk"
            )
        gave = "gave" if announced is None else "announced"
        return f"Enterprise Manager {gave} {got} bytes of a file listed with {size}"

    def _failed(self, reason: Reason, what: str) -> FileError:
        return FileError(reason=reason, guest_path=self._entry.relative, what=what)
