"""Appending to the trail. Files are only ever appended to, so a file system may be told to allow nothing else."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from orchestrator.audit.folder import begin_folder, file_for, flush_folder, tail_of, trail_files
from orchestrator.audit.lock import MODE, WAIT, WAIT_AGAIN, locked, settle
from orchestrator.core.audit import AuditEntry, Fact, What
from orchestrator.core.causes import plain_cause
from orchestrator.core.chain import Link, Writer, chained, fits, kind_of, read_line, torn_facts
from orchestrator.core.errors import AuditUnusable

FORMAT = 1
"""The format of the lines, told at the head of each file."""


class Trail:
    """The audit trail in one folder. Any thread may call, but never two at once.

    Nothing is held open between two calls: files may be moved away, and other processes may write.
    """

    def __init__(self, folder: Path, writer: Writer, key: bytes | None, file_limit: int, wait: float = WAIT) -> None:
        """`file_limit`: bytes after which a new file is begun. `wait`: seconds to wait for another process, once;
        one that does not end (stopped, or its disk hangs) is then only looked at, until it has ended."""
        self._folder = folder
        self._writer = writer
        self._key = key
        self._limit = file_limit
        self._wait = wait
        self._wait_now = wait
        self._end = Link()

    def append(self, entries: Sequence[AuditEntry]) -> Link:
        """Write `entries` as one piece behind what is there, flushed; the new end of the chain.

        AuditUnusable when that is not possible; then none of them counts as written, and what of them may have reached
        the disk is told of by the next call, as after a crash.
        """
        if not entries:
            return self._end
        with _translating(self._folder):
            begin_folder(self._folder)
            wait, self._wait_now = self._wait_now, min(self._wait, WAIT_AGAIN)
            with locked(self._folder / "lock", wait):
                self._wait_now = self._wait
                self._end = self._append(entries)
        return self._end

    def _append(self, entries: Sequence[AuditEntry]) -> Link:
        files = trail_files(self._folder)
        end = self._repair(files, entries[0].at)
        newest = files[-1] if files else None
        full = newest is not None and newest.stat().st_size >= self._limit
        file = file_for(newest, self._folder, entries[-1].at, full)
        fresh = not file.exists() or file.stat().st_size == 0
        head = [self._head(entries[0].at, newest)] if fresh else []
        content, end = chained([*head, *entries], end, self._writer, self._key)
        self._write(file, content)
        return end

    def _head(self, at: datetime, before: Path | None) -> AuditEntry:
        """The first line of a file: how it is chained, and which file it goes on from (by its name)."""
        facts: dict[str, Fact] = {"format": FORMAT, "chain": kind_of(self._key)}
        facts["after"] = before.name if before is not None else ""
        return AuditEntry(at, What.FILE_BEGUN, facts)

    def _repair(self, files: list[Path], at: datetime) -> Link:
        """The end of the chain on the disk, after what a crash has cut off there was closed and told of."""
        tail = tail_of(files)
        if tail.record is not None and not fits(tail.record, self._key):
            raise AuditUnusable(
                folder=self._folder,
                cause=f"the last line of {files[-1].name} was changed, or written with another key. Look with "
                "`orchestrator audit verify`, then put the key right or move the folder away and keep it",
            )
        end, rest = self._newer(tail.link), tail.rest
        if not rest:
            return end
        whole = read_line(rest)
        if whole is not None and whole["prev"] == end.hash and fits(whole, self._key):
            self._write(files[-1], b"\n")  # only its line end was missing
            return Link(whole["seq"], whole["hash"])
        ended = rest.endswith(b"\n")
        torn = AuditEntry(at, What.TORN, torn_facts(rest[:-1] if ended else rest))
        content, end = chained([torn], end, self._writer, self._key)
        self._write(files[-1], content if ended else b"\n" + content)
        return end

    def _newer(self, found: Link) -> Link:
        """The end on the disk, unless this process has written more than is there: then the trail goes on from what was
        written, so that what is missing is seen."""
        known = self._end
        return found if found.seq > known.seq or found == known else known

    def _write(self, file: Path, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        fresh = not file.exists()
        descriptor = os.open(file, flags, MODE)
        try:
            if fresh:
                settle(descriptor, file)
            written = os.write(descriptor, content)
            if written < len(content):
                raise OSError(None, f"only {written} of {len(content)} bytes could be written; the disk may be full")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            flush_folder(file.parent)


@contextmanager
def _translating(folder: Path) -> Iterator[None]:
    """The one place where errors of the system become ours."""
    try:
        yield
    except OSError as error:
        what = f"{os.path.basename(error.filename)}: " if isinstance(error.filename, str) else ""
        raise AuditUnusable(folder=folder, cause=f"{what}{plain_cause(error)}") from error
