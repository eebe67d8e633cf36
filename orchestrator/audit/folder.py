"""The files of a trail: their names, their order, and where the chain ends in them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.core.chain import Link, Record, read_line

NAME = re.compile(r"audit-(\d{6})(?:-(\d+))?\.jsonl")
"""`audit-202611.jsonl`, then `audit-202611-2.jsonl` and so on."""

FOLDER_MODE = 0o750
BACK = 64 << 10
"""Bytes looked at first for the last line, from the end; then twice as many, and so on."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a trail on the disk: the last line that is one, and what stands after it in the newest file."""

    record: Record | None
    rest: bytes

    @property
    def link(self) -> Link:
        return Link(self.record["seq"], self.record["hash"]) if self.record is not None else Link()


def trail_files(folder: Path) -> list[Path]:
    """The files of the trail, oldest first. OSError when the folder cannot be listed."""
    found = [(order, entry) for entry in folder.iterdir() if (order := _order(entry.name))]
    return [entry for _, entry in sorted(found)]


def _order(name: str) -> tuple[int, int] | None:
    match = NAME.fullmatch(name)
    return (int(match[1]), int(match[2] or 1)) if match else None


def in_order(files: list[Path]) -> list[Path]:
    """Files of a trail, oldest first; those with other names keep their places before them."""
    return sorted(files, key=lambda file: _order(file.name) or (0, 0))


def file_for(newest: Path | None, folder: Path, at: datetime, full: bool) -> Path:
    """The file for lines of `at`: the newest, or a new one when a month has begun or the newest is `full`. A clock
    that was set back begins no new file."""
    month = int(f"{at.astimezone(UTC):%Y%m}")
    known = _order(newest.name) if newest is not None else None
    if newest is None or known is None or month > known[0]:
        return folder / f"audit-{month}.jsonl"
    return folder / f"audit-{known[0]}-{known[1] + 1}.jsonl" if full else newest


def tail_of(files: list[Path]) -> Tail:
    """Where the chain ends in `files`, oldest first. Only the newest may end in something else than a line."""
    rest = b""
    for place, file in enumerate(reversed(files)):
        record, after = _end_of(file)
        rest = after if place == 0 else rest
        if record is not None:
            return Tail(record, rest)
    return Tail(None, rest)


def _end_of(file: Path) -> tuple[Record | None, bytes]:
    """The last line of one file that is one, and what stands after it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        back = BACK
        while True:
            start = max(0, size - back)
            stream.seek(start)
            found = _last_line(stream.read(size - start), whole=start == 0)
            if found is not None:
                return found
            back *= 2


def _last_line(content: bytes, *, whole: bool) -> tuple[Record | None, bytes] | None:
    """The last line in the end of a file; None when more of the file is needed."""
    until = content.rfind(b"\n") + 1
    while until > 0:
        begin = content.rfind(b"\n", 0, until - 1) + 1
        if begin == 0 and not whole:
            return None
        record = read_line(content[begin : until - 1])
        if record is not None:
            return record, content[until:]
        until = begin
    return (None, content) if whole else None


def begin_folder(folder: Path) -> None:
    """Make the folder of a trail, readable by the group; folders above it are for the owner alone."""
    above = list(_missing(folder.parent))
    for one in reversed(above):
        one.mkdir(0o700, exist_ok=True)
    folder.mkdir(FOLDER_MODE, exist_ok=True)


def _missing(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def flush_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    if os.name == "nt":  # pragma: no cover
        return  # NTFS journals new names; folders cannot be flushed there.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
