"""A file that lines are appended to and that somebody may rotate away meanwhile."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO


class AppendedFile:
    """Opened anew when its name leads to another file or to none, as after logrotate(8); nothing has to be told.

    Every method may block and may raise OSError, but `close` raises nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream = self._opened()

    def write(self, line: str) -> None:
        """Append one line, which ends in a newline."""
        if self._has_moved():
            self.close()
            self._stream = self._opened()
        self._stream.write(line)

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()

    def _opened(self) -> TextIO:
        return open(self._file, "a", encoding="utf-8", buffering=1, opener=_for_the_group)

    def _has_moved(self) -> bool:
        try:
            return self._stream.closed or not os.path.samestat(os.stat(self._file), os.fstat(self._stream.fileno()))
        except FileNotFoundError:
            return True


def _for_the_group(path: str, flags: int) -> int:
    """Owner and group may read: it names what was restored."""
    return os.open(path, flags, 0o640)
