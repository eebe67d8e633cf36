"""Files of a share, open for reading: what a copy takes its bytes from, wherever they lie."""

import os
from collections.abc import Callable
from typing import Protocol

from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties, Stream
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from orchestrator.files.holes import ZEROS, next_data, next_hole
from orchestrator.files.properties import read_properties
from orchestrator.files.system import READ_FILE, open_path, read_into, system_path
from orchestrator.files.translate import Side, Translating


class Reader(Protocol):
    """One file, open. Methods raise OSError, or FileError where it says more."""

    def read(self, buffer: bytearray) -> memoryview:
        """The next bytes, none at the end: a view of `buffer`, or of other memory, which holds until the next call."""
        ...

    def seek(self, offset: int) -> None:
        """Go on reading at `offset` bytes from the start."""
        ...

    def properties(self) -> Properties:
        """What the file is beside its bytes."""
        ...

    def close(self) -> None:
        """Let go of the file. Never raises."""
        ...


Opening = Callable[[SourcePath, Entry], Reader]
"""Opens a file of the share that was found as an entry; FileError when it cannot."""

OpeningStream = Callable[[SourcePath, Entry, str], Reader]
"""Opens a named data stream of such a file; FileError when it cannot."""

StreamReader = Callable[[Stream], Reader]
"""Opens a named data stream of a file that is known; FileError when it cannot."""


class LocalReader:
    """A file that the system has opened."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, buffer: bytearray) -> memoryview:
        return memoryview(buffer)[: read_into(self._descriptor, buffer)]

    def seek(self, offset: int) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)

    def properties(self) -> Properties:
        return read_properties(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class SparseReader(LocalReader):
    """A file of which only the data is read; of its holes it gives views of `ZEROS`. `holes` counts their bytes."""

    __slots__ = ("_at", "_ends", "_hole", "_size", "holes")

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._size = os.fstat(descriptor).st_size
        self._at = self._ends = 0
        self._hole = False
        self.holes = 0

    def read(self, buffer: bytearray) -> memoryview:
        if self._at >= self._ends and self._at < self._size:
            self._next_stretch()
        wanted = min(len(buffer), max(0, self._ends - self._at)) or len(buffer)
        if self._hole and self._at < self._ends:
            wanted = min(wanted, len(ZEROS))
            self._at += wanted
            self.holes += wanted
            return memoryview(ZEROS)[:wanted]
        view = memoryview(buffer)[:wanted]
        count = os.preadv(self._descriptor, (view,), self._at)
        self._at += count
        return view[:count]

    def seek(self, offset: int) -> None:
        self._at = self._ends = offset

    def _next_stretch(self) -> None:
        data = next_data(self._descriptor, self._at, self._size)
        self._hole = data > self._at
        self._ends = data if self._hole else next_hole(self._descriptor, self._at, self._size)


def open_source(source: SourcePath, relative: str) -> int:
    """A descriptor of a file on the share; FileError when it cannot be opened. The caller closes it.

    What has become a pipe or a device since it was listed does not block, and shows as CHANGED when it is read.
    """
    with Translating(Side.SOURCE, relative):
        return open_path(system_path(source.root, source.relative), READ_FILE)


def no_stream(source: SourcePath, entry: Entry, name: str) -> Reader:
    """For sources whose files have no named streams."""
    what = f"{entry.relative}: {name!r}: the files here have no streams"
    raise FileError(reason=Reason.VANISHED, guest_path=entry.relative, what=what)


def open_local(source: SourcePath, entry: Entry) -> Reader:
    """A file of a folder that this system can open; FileError when it cannot."""
    descriptor = open_source(source, entry.relative)
    return SparseReader(descriptor) if entry.sparse else LocalReader(descriptor)
