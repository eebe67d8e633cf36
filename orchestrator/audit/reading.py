"""Reading a trail, line by line, while others may be writing it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from orchestrator.audit.folder import in_order
from orchestrator.audit.folder import trail_files as _files_in
from orchestrator.audit.lock import locked
from orchestrator.core.checking import Line
from orchestrator.core.errors import AuditUnreadable

READER_WAITS = 1.0
"""Seconds that a reader waits for a writer to end its line."""

LINE_LIMIT = 1 << 20
"""Bytes of one line; more is no line of a trail, and is given in pieces of this size."""


def trail_files(folder: Path) -> list[Path]:
    """The files of the trail in `folder`, oldest first. AuditUnreadable when there is none."""
    try:
        files = _files_in(folder)
    except OSError as error:
        raise AuditUnreadable(place=folder, cause=error.strerror or error) from error
    if not files:
        raise AuditUnreadable(place=folder, cause="there is no audit trail yet")
    return files


def lines_of(files: Sequence[Path]) -> Iterator[Line]:
    """Every line of `files`, put in order by their names, as far as they reach now. AuditUnreadable when one cannot be
    read."""
    ordered = in_order(list(files))
    for file, size in zip(ordered, _sizes(ordered), strict=True):
        try:
            with file.open("rb") as stream:
                number = 0
                while size > 0 and (content := stream.readline(min(size, LINE_LIMIT))):
                    size -= len(content)
                    number += 1
                    yield Line(str(file), number, content)
        except OSError as error:
            raise AuditUnreadable(place=file, cause=error.strerror or error) from error


def _sizes(files: Sequence[Path]) -> list[int]:
    """How long each file is, measured while nobody is in the middle of a line; a copy has no lock, and needs none."""
    with ExitStack() as stack:
        for folder in sorted({file.parent for file in files}):
            with suppress(OSError):
                stack.enter_context(locked(folder / "lock", READER_WAITS, reader=True))
        return [_size(file) for file in files]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise AuditUnreadable(place=file, cause=error.strerror or error) from error
