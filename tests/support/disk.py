"""Things on a disk for tests of the files room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import SourcePath

MTIME_NS = 1_700_000_000_123_456_789


def put(path: Path, data: bytes = b"content", *, mtime_ns: int = MTIME_NS, mode: int = 0o644) -> Path:
    """A file with all folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def entry_of(path: Path, relative: str = "") -> Entry:
    """The entry that a walk would give."""
    status = path.stat()
    return Entry(relative or path.name, EntryKind.FILE, status.st_size, status.st_mtime_ns, status.st_mode & 0o7777)


def source_of(path: Path) -> SourcePath:
    return SourcePath(str(path.parent), path.name)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: bytes of files, None for anything else."""
    found: dict[str, bytes | None] = {}
    for above, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(above, name)
            plain = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.read_bytes() if plain else None
    return found


@contextmanager
def mounted(at: Path, *arguments: str) -> Iterator[Path]:
    """Something mounted at a folder that is made for it; skips the test where mounting is not allowed."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(at)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def make_deep(root: Path, name: str, levels: int, data: bytes) -> str:
    """A file so deep that no system call takes its path in one piece; its path below `root`."""
    here = os.open(root, os.O_RDONLY)
    try:
        for _ in range(levels):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        file = os.open("deep.txt", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here)
        os.write(file, data)
        os.close(file)
    finally:
        os.close(here)
    return "/".join([name] * levels + ["deep.txt"])
