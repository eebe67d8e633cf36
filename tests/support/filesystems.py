"""File systems with different abilities, mounted for a test; where that is not permitted, the test is skipped and says
why. `ramfs` has no extended attributes and no ACLs, an ext2 with small inodes holds whole seconds only."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.disk import mounted

IMAGE_MIB = 24


@contextmanager
def tmpfs(at: Path) -> Iterator[Path]:
    with mounted(at, "-t", "tmpfs", "-o", "size=64m", "none") as place:
        yield place


@contextmanager
def ramfs(at: Path) -> Iterator[Path]:
    with mounted(at, "-t", "ramfs", "none") as place:
        yield place


@contextmanager
def ext4(at: Path) -> Iterator[Path]:
    with _image(at, "ext4") as place:
        yield place


@contextmanager
def whole_seconds(at: Path) -> Iterator[Path]:
    with _image(at, "ext2", "-I", "128") as place:
        yield place


@contextmanager
def _image(at: Path, kind: str, *options: str) -> Iterator[Path]:
    image = at.with_name(f"{at.name}.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_MIB << 20)
    try:
        made = subprocess.run(
            ["/sbin/mke2fs", "-q", "-F", "-t", kind, *options, str(image)], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("mke2fs is not installed; on Debian it comes with e2fsprogs")
    if made.returncode:
        pytest.skip(f"no {kind} could be made: {made.stderr.strip()}")
    with mounted(at, "-o", "loop", "-t", kind, str(image)) as place:
        yield place


KINDS: dict[str, Callable[[Path], Any]] = {
    "tmpfs": tmpfs,
    "ext4": ext4,
    "ramfs": ramfs,
    "whole-seconds": whole_seconds,
}

NOBODY = 65534


def as_nobody(call: Callable[[], None]) -> str:
    """Run `call` in a process of its own that is not root; what it raised, or nothing. Skips where this is not root."""
    if os.geteuid():
        pytest.skip("only root can give up being root")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        said = ""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            call()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode()[:4000])
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX ACL as its extended attribute holds it: (tag, permissions, id) each. Source: linux/posix_acl_xattr.h."""
    packed = b"".join(
        tag.to_bytes(2, "little") + permissions.to_bytes(2, "little") + (id & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, permissions, id in entries
    )
    return (2).to_bytes(4, "little") + packed


USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
ACCESS = acl((USER_OBJ, 6, -1), (USER, 4, 1234), (GROUP_OBJ, 4, -1), (MASK, 4, -1), (OTHER, 0, -1))
"""Owner reads and writes, user 1234 reads, the group reads: mode 0640."""
