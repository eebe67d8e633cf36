"""A large file that was interrupted goes on after its last proven block."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.files import LocalTarget

BLOCK = 1 << 20
SIZE = 5 * BLOCK + 123


class Interrupted(BaseException):
    """Stands for a cancel."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    file = folder / "big.vhdx"
    file.write_bytes(os.urandom(SIZE))
    os.utime(file, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    return file


@pytest.fixture
def target(tmp_path: Path) -> Iterator[LocalTarget]:
    """One process's target."""
    made = target_in(tmp_path)
    yield made
    made.close()


def target_in(tmp_path: Path) -> LocalTarget:
    return LocalTarget([str(tmp_path / "out")], "sha256", continue_from=2 * BLOCK, block=BLOCK)


def place(source: Path, tmp_path: Path, target: LocalTarget, stop_after: int | None = None) -> tuple[int, str]:
    """Copy; returns (bytes that were counted, checksum). Raises Interrupted after `stop_after` bytes."""
    counted = 0

    def check(count: int) -> None:
        nonlocal counted
        counted += count
        if stop_after is not None and counted >= stop_after:
            raise Interrupted

    status = source.stat()
    entry = Entry("big.vhdx", EntryKind.FILE, status.st_size, status.st_mtime_ns)
    source_path, target_path = SourcePath(str(source.parent), "big.vhdx"), TargetPath(str(tmp_path / "out"), "big.vhdx")
    placed = target.place(source_path, entry, target_path, False, check)
    return counted, placed.checksum


def reads_of(source: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets at which the share's file is read from now on, by lseek."""
    seen: list[int] = []
    real = os.lseek

    def lseek(descriptor: int, offset: int, how: int) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}") == str(source):
            seen.append(offset)
        return real(descriptor, offset, how)

    monkeypatch.setattr(os, "lseek", lseek)
    return seen


def test_an_interrupted_file_goes_on_after_its_last_whole_block(
    source: Path, tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        place(source, tmp_path, target, stop_after=3 * BLOCK)
    assert not (tmp_path / "out" / "big.vhdx").exists()
    offsets = reads_of(source, monkeypatch)
    _, checksum = place(source, tmp_path, target)
    assert offsets == [2 * BLOCK, 3 * BLOCK]  # the last proven block is compared, the rest is copied
    restored = (tmp_path / "out" / "big.vhdx").read_bytes()
    assert restored == source.read_bytes()
    assert checksum == hashlib.sha256(restored).hexdigest()
    assert (tmp_path / "out" / "big.vhdx").stat().st_mtime_ns == source.stat().st_mtime_ns
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["big.vhdx"]


def test_a_partial_file_of_another_content_is_not_gone_on_with(
    source: Path, tmp_path: Path, target: LocalTarget
) -> None:
    with pytest.raises(Interrupted):
        place(source, tmp_path, target, stop_after=3 * BLOCK)
    times = source.stat().st_mtime_ns
    source.write_bytes(os.urandom(SIZE))
    os.utime(source, ns=(times, times))
    place(source, tmp_path, target)
    assert (tmp_path / "out" / "big.vhdx").read_bytes() == source.read_bytes()


def test_a_partial_file_that_a_killed_process_was_writing_is_not_trusted(
    source: Path, tmp_path: Path, target: LocalTarget
) -> None:
    with pytest.raises(Interrupted):
        place(source, tmp_path, target, stop_after=3 * BLOCK)
    (partial,) = (tmp_path / "out").iterdir()
    with partial.open("r+b") as file:
        file.write(b"torn" * 100)  # as after a power cut; the time is now that of the writing
    place(source, tmp_path, target)
    assert (tmp_path / "out" / "big.vhdx").read_bytes() == source.read_bytes()


def test_the_end_of_one_run_leaves_what_another_run_of_the_process_will_go_on_with(
    source: Path, tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = target.hashing("sha256"), target.hashing("sha256")
    with pytest.raises(Interrupted):
        place(source, tmp_path, one, stop_after=3 * BLOCK)
    other.forget_interrupted()
    offsets = reads_of(source, monkeypatch)
    place(source, tmp_path, one)
    assert offsets == [2 * BLOCK, 3 * BLOCK]
    assert (tmp_path / "out" / "big.vhdx").read_bytes() == source.read_bytes()


def test_a_partial_file_of_another_process_or_run_is_begun_anew(
    source: Path, tmp_path: Path, target: LocalTarget
) -> None:
    """It may be of another restore point: a database file can keep its size, its time and its last block. Nobody was
    there to remove it: the process was killed, or the run is still going on."""
    for another in (target_in(tmp_path), target.hashing("sha256")):
        with pytest.raises(Interrupted):
            place(source, tmp_path, target, stop_after=3 * BLOCK)
        content = bytearray(source.read_bytes())
        content[:10] = os.urandom(10)  # far from the last block
        times = source.stat().st_mtime_ns
        source.write_bytes(content)
        os.utime(source, ns=(times, times))
        place(source, tmp_path, another)
        another.close()
        assert (tmp_path / "out" / "big.vhdx").read_bytes() == source.read_bytes()
        (tmp_path / "out" / "big.vhdx").unlink()


def test_a_file_that_changed_under_the_copy_leaves_no_partial_file(source: Path, tmp_path: Path) -> None:
    status = source.stat()
    entry = Entry("big.vhdx", EntryKind.FILE, status.st_size + 1, status.st_mtime_ns)
    target = LocalTarget([str(tmp_path / "out")], continue_from=2 * BLOCK, block=BLOCK)
    with pytest.raises(FileError):
        target.place(
            SourcePath(str(source.parent), "big.vhdx"),
            entry,
            TargetPath(str(tmp_path / "out"), "big.vhdx"),
            False,
            lambda _: None,
        )
    target.close()
    assert list((tmp_path / "out").iterdir()) == []


def test_flushing_reaches_every_allowed_root_even_one_that_is_not_made_yet(tmp_path: Path) -> None:
    target = LocalTarget([str(tmp_path), str(tmp_path / "not" / "yet")])
    target.flush()
    target.close()
    assert not (tmp_path / "not").exists()
