"""Whole small files, such as reports: a reader sees the old one or the new one, never half of either."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from orchestrator.core.causes import plain_cause
from orchestrator.core.errors import StateUnusable
from orchestrator.files.system import READ_FOLDER, WINDOWS

MODE = 0o640


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` as UTF-8 (names that are no UTF-8 keep their bytes), readable by owner and group, and flush it.

    StateUnusable when that is not possible; then the old file is still there.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as it is on the disk, in hex. StateUnusable when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StateUnusable(folder=path.parent, cause=f"{path.name} cannot be read: {plain_cause(error)}") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends well. StateUnusable for every OSError."""
    try:
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, MODE)
        os.replace(partial, path)
        _flush_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError):
            raise _unusable(path, error) from error
        raise


def _flush_folder(folder: Path) -> None:
    if WINDOWS:
        return  # NTFS journals the rename; folders cannot be flushed there.
    descriptor = os.open(folder, READ_FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> StateUnusable:
    return StateUnusable(folder=path.parent, cause=f"{path.name} cannot be written: {plain_cause(error)}")
