"""`metadata.jsonl`: what the target could not hold, kept in the run's folder until `apply-metadata` puts it on.

A line is written before its file gets its final name, so nothing that is restored is without it. What is written twice
says the same, and half a line (of a process that was killed) is passed over.
"""

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.core.errors import FileError, StateUnusable
from orchestrator.core.reasons import Reason
from orchestrator.core.sidecar import Left, from_line, to_line
from orchestrator.files.copying import own_buffer
from orchestrator.files.readers import LocalReader, Reader
from orchestrator.files.system import READ_FILE, open_path, write_all

SIDECAR = "metadata.jsonl"
STREAMS = "streams"
"""The folder of the streams, beside the lines; 256 folders in it, so that none grows without end."""

_MODE = 0o640
_STREAM = re.compile(f"{STREAMS}/[0-9a-f]{{2}}/[0-9a-f]{{32}}")


class Sidecar:
    """The sidecar of one run, in its folder; nothing is made there before the first line. Methods may be called in
    many threads at once, and several processes may write to one: the system appends each line whole (write(2)).
    StateUnusable when it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._streams = 0

    def keep(self, left: Left) -> None:
        """Append one line, whole."""
        data = memoryview(to_line(left).encode("ascii") + b"\n")
        try:
            with self._lock:
                if self._descriptor is None:
                    self._descriptor = self._opened()
                write_all(self._descriptor, data)
        except OSError as error:
            raise self._unusable(error) from error

    def keep_stream(self, reading: Reader, check: Callable[[int], None]) -> str:
        """Copy a stream to a file of its own; its path below the folder. `check` gets the bytes of each chunk. What
        the reader raises passes."""
        with self._lock:
            self._streams += 1
            number = self._streams
        name = f"{STREAMS}/{number % 256:02x}/{os.urandom(16).hex()}"
        place = self._folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            writing = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            while chunk := reading.read(own_buffer()):
                self._write(writing, chunk)
                check(len(chunk))
        finally:
            os.close(writing)
        return name

    def flush(self) -> None:
        """Return when every line so far would survive a power cut."""
        try:
            with self._lock:
                if self._descriptor is None and (self._folder / SIDECAR).exists():
                    self._descriptor = self._opened()  # another process of the run may have written
                if self._descriptor is not None:
                    os.fsync(self._descriptor)
        except OSError as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, writing: int, chunk: memoryview) -> None:
        try:
            write_all(writing, chunk)
        except OSError as error:
            raise self._unusable(error) from error

    def _opened(self) -> int:
        """The file, at the start of a line: a killed process may have left half of one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / SIDECAR, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                os.write(descriptor, b"\n")
        return descriptor

    def _unusable(self, error: OSError) -> StateUnusable:
        cause = f"{self._folder / SIDECAR} cannot be written: {error.strerror or error}"
        return StateUnusable(folder=self._folder, cause=cause)


def open_stream(folder: Path, left: Left, name: str) -> Reader:
    """A stream that waits in the sidecar of `folder`. FileError when it is not there; a sidecar is a file, and may have
    been written by anybody, so that nothing outside of its folder is opened."""
    file = left.streams.get(name, "")
    try:
        if not _STREAM.fullmatch(file):
            raise FileNotFoundError(errno.ENOENT, f"{SIDECAR} names no file for it")
        return LocalReader(open_path(str(folder / file), READ_FILE))
    except OSError as error:
        what = f"the stream {name!r} cannot be read from the sidecar: {error.strerror or error}"
        raise FileError(reason=Reason.READ_ERROR, guest_path=left.target, what=what) from error


def read_sidecar(folder: Path) -> Iterator[Left | int]:
    """Every line in the order of writing, as it is read; for a line that is none, its number. Nothing when there is no
    sidecar. StateUnusable when it cannot be read."""
    try:
        with (folder / SIDECAR).open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield from_line(line.decode("ascii"))
                except ValueError:
                    if line.strip():
                        yield number
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateUnusable(folder=folder, cause=f"{SIDECAR} cannot be read: {error.strerror or error}") from error
