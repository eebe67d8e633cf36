"""Files of local sockets: made for our own account alone, reachable however long their path is, and not left lying."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 107
"""Bytes of a path that a local socket can have. Source: unix(7), sun_path is 108 with its end."""

BACKLOG = 64


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A path of at most LONGEST bytes that leads to `path` while the block lasts. OSError when there is none."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        short = f"/proc/self/fd/{folder}/{path.name}"
        if len(os.fsencode(short)) > LONGEST or not os.path.exists(os.path.dirname(short)):
            raise OSError(
                errno.ENAMETOOLONG,
                f"too long for a local socket, which can have {LONGEST} bytes",
                str(path),
            )
        yield short
    finally:
        os.close(folder)


@contextmanager
def local_socket(path: Path) -> Iterator[socket.socket]:
    """A socket that listens at `path`, mode 0600. At the end the file is removed, if it is still ours. OSError."""
    with socket.socket(socket.AF_UNIX) as listening:
        with reachable(path) as short:
            listening.bind(short)
        ours = path.lstat()
        try:
            # Nobody can connect before `listen`, so the mode is right before it matters.
            path.chmod(0o600)
            listening.listen(BACKLOG)
            listening.setblocking(False)
            yield listening
        finally:
            with suppress(OSError):
                if os.path.samestat(path.lstat(), ours):
                    path.unlink()
