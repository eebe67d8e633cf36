"""The contract of the port Target."""

from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.paths import TargetPath
from orchestrator.core.reasons import Reason
from tests.contract.conftest import Landing
from tests.support.disk import MTIME_NS, entry_of, put, source_of


def place(
    landing: Landing,
    relative: str,
    data: bytes = b"content",
    *,
    replace: bool = False,
    check: Callable[[int], None] = lambda _: None,
    mode: int = 0o644,
) -> Placed:
    path = put(landing.share / "one", data, mode=mode)
    return landing.target.place(source_of(path), entry_of(path), TargetPath(landing.root, relative), replace, check)


def refused(reason: Reason) -> "pytest.RaisesExc[FileError]":
    return pytest.RaisesExc(FileError, check=lambda error: error.reason is reason)


def test_a_placed_file_has_the_content_time_and_checksum_of_its_source(landing: Landing) -> None:
    placed = place(landing, "C/Shares/plan.txt", b"12345")
    assert placed == Placed(5, blake3(b"12345").hexdigest())
    assert landing.read() == {"C": None, "C/Shares": None, "C/Shares/plan.txt": b"12345"}
    found = landing.target.look(TargetPath(landing.root, "C/Shares/plan.txt"))
    assert found == Found(FoundKind.FILE, 5, landing.kept(MTIME_NS))


def test_an_empty_file_is_placed(landing: Landing) -> None:
    assert place(landing, "empty", b"") == Placed(0, blake3(b"").hexdigest())
    assert landing.read() == {"empty": b""}


def test_a_large_file_is_placed_and_told_of_chunk_by_chunk(landing: Landing) -> None:
    data = bytes(range(256)) * 12_000
    told: list[int] = []
    placed = place(landing, "large", data, check=told.append)
    assert placed == Placed(len(data), blake3(data).hexdigest())
    assert landing.read() == {"large": data}
    assert sum(told) == len(data)
    assert len(told) > 2


def test_without_replace_an_existing_file_is_left(landing: Landing) -> None:
    place(landing, "a/file", b"old")
    for size in (3, 3_000_000):
        with refused(Reason.EXISTS):
            place(landing, "a/file", b"n" * size)
    assert landing.read() == {"a": None, "a/file": b"old"}


def test_that_a_large_file_is_there_already_is_told_before_it_is_copied(landing: Landing) -> None:
    place(landing, "file", b"old")
    told: list[int] = []
    with refused(Reason.EXISTS):
        place(landing, "file", b"n" * 3_000_000, check=told.append)
    assert told == []


def test_with_replace_an_existing_file_is_replaced(landing: Landing) -> None:
    place(landing, "file", b"old")
    place(landing, "file", b"new", replace=True)
    assert landing.read() == {"file": b"new"}


def test_a_file_that_its_source_made_read_only_can_be_replaced(landing: Landing) -> None:
    place(landing, "file", b"old", mode=0o444)
    place(landing, "file", b"new", replace=True, mode=0o444)
    assert landing.read() == {"file": b"new"}


@pytest.mark.parametrize("size", [0, 1, 5, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_the_content_that_stands_there_is_told_from_another_of_the_same_size(landing: Landing, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    place(landing, "C/file", data[:size])
    path, target = landing.share / "one", TargetPath(landing.root, "C/file")
    told: list[int] = []

    def same(other: bytes) -> bool:
        put(path, other)
        return landing.target.same_content(source_of(path), entry_of(path), target, told.append)

    assert same(data[:size])
    assert sum(told) == size
    assert not same(data[: size + 1])
    if size:
        assert not same(data[: size - 1])
        assert not same(data[: size - 1] + b"\xff")
        assert not same(b"\xff" + data[1:size])


def test_a_comparison_is_stopped_by_its_checkpoint_and_tells_whose_side_failed(landing: Landing) -> None:
    place(landing, "file", b"12345")
    path, target = landing.share / "one", TargetPath(landing.root, "file")
    with pytest.raises(KeyboardInterrupt):
        landing.target.same_content(
            source_of(path), entry_of(path), target, lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
        )
    entry = entry_of(path)
    put(path, b"123456")
    with refused(Reason.CHANGED):
        landing.target.same_content(source_of(path), entry, target, lambda _: None)
    path.unlink()
    with refused(Reason.VANISHED):
        landing.target.same_content(source_of(path), entry, target, lambda _: None)
    if landing.shows_links:
        (landing.disk / "link").symlink_to(landing.disk / "file")
        with refused(Reason.OUTSIDE_TARGET):
            landing.target.same_content(source_of(path), entry, TargetPath(landing.root, "link"), lambda _: None)


def test_a_file_that_stands_there_gets_the_time_of_the_backed_up_one(landing: Landing) -> None:
    place(landing, "file", b"12345")
    path, target = put(landing.share / "one", b"12345", mtime_ns=7), TargetPath(landing.root, "file")
    landing.target.settle_times(target, entry_of(path))
    assert landing.target.look(target) == Found(FoundKind.FILE, 5, landing.kept(7))
    assert landing.read() == {"file": b"12345"}


def test_a_folder_in_the_place_of_a_file_is_left(landing: Landing) -> None:
    landing.target.make_folder(TargetPath(landing.root, "thing"))
    for replace in (False, True):
        with refused(Reason.TARGET_KIND):
            place(landing, "thing", replace=replace)
    assert landing.read() == {"thing": None}
    assert landing.target.look(TargetPath(landing.root, "thing")).kind is FoundKind.FOLDER


def test_a_file_in_the_place_of_a_folder_is_left(landing: Landing) -> None:
    place(landing, "thing", b"file")
    with refused(Reason.TARGET_KIND):
        place(landing, "thing/below")
    with refused(Reason.TARGET_KIND):
        landing.target.make_folder(TargetPath(landing.root, "thing"))
    with refused(Reason.TARGET_KIND):
        landing.target.look(TargetPath(landing.root, "thing/below"))
    assert landing.read() == {"thing": b"file"}


def test_what_the_checkpoint_raises_passes_and_leaves_nothing(landing: Landing) -> None:
    def stop(_: int) -> None:
        raise TimeoutError("stopped")

    with pytest.raises(TimeoutError, match="stopped"):
        place(landing, "file", check=stop)
    with pytest.raises(KeyboardInterrupt):
        place(landing, "file", b"x" * 3_000_000, check=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert landing.read() == {}


def test_a_source_of_another_size_than_listed_is_changed_and_leaves_nothing(landing: Landing) -> None:
    path = put(landing.share / "one", b"12345")
    for size in (4, 6, 0):
        entry = Entry("one", EntryKind.FILE, size, MTIME_NS)
        with refused(Reason.CHANGED):
            landing.target.place(source_of(path), entry, TargetPath(landing.root, "file"), False, lambda _: None)
    assert landing.read() == {}


def test_a_source_that_is_gone_is_vanished_and_leaves_nothing(landing: Landing) -> None:
    entry = Entry("gone", EntryKind.FILE, 4, MTIME_NS)
    with refused(Reason.VANISHED):
        landing.target.place(
            source_of(landing.share / "gone"), entry, TargetPath(landing.root, "file"), False, lambda _: None
        )
    assert landing.read() == {}


@pytest.mark.parametrize("relative", ["..", "../x", "a/../../x", ".", "a//b", "/etc/x", "a\x00b", ""])
def test_a_path_that_is_not_below_the_root_is_refused(landing: Landing, relative: str) -> None:
    with pytest.raises(FileError) as caught:
        place(landing, relative)
    assert caught.value.reason in (Reason.OUTSIDE_TARGET, Reason.NAME_UNUSABLE)
    assert landing.read() in ({}, {"a": None})


def test_a_destination_outside_the_allowed_folders_is_refused(landing: Landing, tmp_path: Path) -> None:
    for root in (str(tmp_path / "elsewhere"), landing.root + "/../../elsewhere", "relative", str(tmp_path)):
        with refused(Reason.OUTSIDE_TARGET):
            landing.target.check_root(root)
        with refused(Reason.OUTSIDE_TARGET):
            landing.target.make_folder(TargetPath(root, "x"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_good_destination_passes_and_is_not_made(landing: Landing) -> None:
    landing.target.check_root(landing.root)
    assert not landing.disk.exists()
    place(landing, "x")
    landing.target.check_root(landing.root)


def test_a_destination_that_is_a_file_is_refused(landing: Landing) -> None:
    put(landing.disk, b"file")
    for root in (landing.root, landing.root + "/below"):
        with refused(Reason.TARGET_KIND):
            landing.target.check_root(root)
    with refused(Reason.TARGET_KIND):
        place(landing, "x")


def test_nothing_is_where_nothing_was_put(landing: Landing) -> None:
    assert landing.target.look(TargetPath(landing.root, "a/b/c")) == NOTHING
    assert landing.target.look(TargetPath(landing.root, "")) == NOTHING
    assert landing.read() == {}
    assert not landing.disk.exists()


def test_a_folder_is_made_with_its_parents_and_again(landing: Landing) -> None:
    for _ in range(2):
        landing.target.make_folder(TargetPath(landing.root, "a/b"))
    assert landing.read() == {"a": None, "a/b": None}
    assert landing.target.look(TargetPath(landing.root, "")).kind is FoundKind.FOLDER


def test_a_finished_folder_has_its_time_whatever_was_put_into_it(landing: Landing) -> None:
    place(landing, "a/file")
    landing.target.finish_folder(TargetPath(landing.root, "a"), Entry("a", EntryKind.FOLDER, mtime_ns=MTIME_NS))
    assert (landing.disk / "a").stat().st_mtime_ns == landing.kept(MTIME_NS)


def test_finishing_a_folder_that_is_gone_is_an_error_of_that_folder(landing: Landing) -> None:
    with pytest.raises(FileError, match="a"):
        landing.target.finish_folder(TargetPath(landing.root, "a"), Entry("a", EntryKind.FOLDER))
    assert landing.read() == {}
