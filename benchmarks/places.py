"""Where benchmark data lies: one folder in memory, one on a disk, both removed at the end."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
ROOM = 6 << 30
"""Bytes that have to be free in memory before it is used."""


@dataclass(frozen=True, slots=True)
class Places:
    """`memory` is a folder on tmpfs, or None when there is no room for one; `disk` is one on a disk."""

    memory: Path | None
    disk: Path

    @property
    def fast(self) -> Path:
        return self.memory or self.disk

    def all(self) -> list[tuple[str, Path]]:
        """(name of the file system, folder), memory first."""
        return [(file_system(place), place) for place in (self.memory, self.disk) if place is not None]


@contextmanager
def places(disk: Path | None) -> Iterator[Places]:
    """Fresh folders for as long as the block lasts; `disk` says below what, the working folder when None."""
    in_memory = MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, available_memory()) > ROOM
    memory = Path(tempfile.mkdtemp(prefix="bench-", dir=MEMORY)) if in_memory else None
    below = Path(tempfile.mkdtemp(prefix="bench-", dir=disk or Path.cwd()))
    try:
        yield Places(memory, below)
    finally:
        for folder in (memory, below):
            if folder is not None:
                remove(folder)


def find_rclone() -> str | None:
    """Where rclone is, beside this interpreter or on the PATH; None when it is not installed."""
    return shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def remove(folder: Path) -> None:
    """Remove a tree, whatever is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def available_memory() -> int:
    """Bytes of memory that programs may still take; without a limit when that is not told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 1 << 62
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")), 1 << 62)


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`, such as `ext4`."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    mounts = [line.split()[1:3] for line in lines]
    here = folder.resolve()
    holding = [(len(at), kind) for at, kind in mounts if here.is_relative_to(at)]
    return max(holding)[1] if holding else "unknown"


def machine_line(found: Places) -> str:
    """What the figures were measured on."""
    systems = " and ".join(f"{kind} ({'memory' if place == found.memory else 'disk'})" for kind, place in found.all())
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {systems}; load {load}"
    )
