"""Trees to be copied: seeded, so that two runs copy the same."""

import os
import random
from pathlib import Path

FOLDER_OF = 33
"""Files in one folder, as 20,000 files in about 600 folders have."""


def small_files(folder: Path, count: int, sizes: tuple[int, int], seed: int = 1) -> int:
    """Write `count` files of `sizes` bytes (smallest, largest); how many bytes they hold."""
    rng = random.Random(seed)
    noise = rng.randbytes(sizes[1] * 2)
    written, home = 0, folder
    for number in range(count):
        if number % FOLDER_OF == 0:
            home = folder / f"{number // 1000:03d}" / f"{number // FOLDER_OF:05d}"
            home.mkdir(parents=True)
        size, start = rng.randint(*sizes), rng.randrange(sizes[1])
        _write(f"{home}/file {number:07d}.dat", memoryview(noise)[start : start + size])
        written += size
    return written


def large_files(folder: Path, count: int, size: int, seed: int = 2) -> int:
    """Write `count` files of `size` bytes of noise; how many bytes they hold."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        block = rng.randbytes(8 << 20)
        with open(folder / f"disk {number}.vhdx", "wb") as file:
            for _ in range(-(-size // len(block))):
                file.write(block)
            file.truncate(size)
    return count * size


def _write(path: str, data: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
