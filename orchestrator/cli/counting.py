"""Progress of work that is only counted: files and bytes, now and then, on one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from orchestrator.views import rate, size

EVERY_SECONDS = 1.0


@contextmanager
def counting(verb: str, stream: TextIO, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """What takes (files, bytes) as they are done; tells on `stream` once a second at most."""
    started = told = time.monotonic()
    files = total = 0

    def take(more_files: int, more_bytes: int) -> None:
        nonlocal files, total, told
        files, total = files + more_files, total + more_bytes
        now = time.monotonic()
        if quiet or now - told < EVERY_SECONDS:
            return
        told = now
        speed = rate(total / (now - started))
        stream.write(f"{verb} {files:,} files, {size(total)}, {speed}\n")

    yield take
