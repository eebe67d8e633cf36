"""Progress of work that is only counted: files and bytes, now and then, on one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from orchestrator.views import duration, rate, size

EVERY_SECONDS = 1.0


@contextmanager
def counting(
    verb: str, stream: TextIO, quiet: bool, whole: tuple[int, int] = (0, 0)
) -> Iterator[Callable[[int, int], None]]:
    """What takes (files, bytes) as they are done; tells on `stream` once a second at most, with the time that is left
    of the `whole` when that is known."""
    started = told = time.monotonic()
    files = total = 0

    def take(more_files: int, more_bytes: int) -> None:
        nonlocal files, total, told
        files, total = files + more_files, total + more_bytes
        now = time.monotonic()
        if quiet or now - told < EVERY_SECONDS:
            return
        told = now
        speed = total / (now - started)
        of_files, of_bytes = (f" of {whole[0]:,}", f" of {size(whole[1])}") if whole[0] else ("", "")
        left = f", {duration((whole[1] - total) / speed)} left" if whole[1] > total > 0 else ""
        stream.write(f"{verb} {files:,}{of_files} files, {size(total)}{of_bytes}, {rate(speed)}{left}\n")

    yield take
