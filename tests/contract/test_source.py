"""The contract of the port Source. Times are whole hundreds of nanoseconds, as Windows shares keep them."""

from contextlib import closing
from pathlib import PurePosixPath

import pytest

from orchestrator.core.catalog import Listed
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.locate import join_share
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from tests.contract.conftest import Ground, Reads

SECOND = 1_000_000_000


def everything(ground: Ground, start: str = "", *, but: str | None = None) -> list[Entry]:
    batches = ground.source.scan(SourcePath(ground.root, start), lambda folder: folder != but, still)
    return [entry for batch in batches for entry in batch]


def parents(name: str) -> list[str]:
    return [str(one) for one in PurePosixPath(name).parents]


def read(file: Reads) -> bytes:
    buffer, found = bytearray(4096), b""
    while piece := file.read(buffer):
        found += piece
    return found


def still() -> None:
    """Nobody waits for this share."""


def test_a_share_lists_its_folders_and_nothing_else(ground: Ground) -> None:
    if not ground.is_share:
        with pytest.raises(OSError, match="is no share: it is read through Enterprise Manager"):
            ground.source.folders(ground.root, still)
        return
    ground.make("fs01_3c75de11")
    ground.make(".hidden")
    ground.put("readme.txt", b"", 0)
    found = ground.source.folders(ground.root, still).folders
    assert [folder.name for folder in found] == [".hidden", "fs01_3c75de11"]
    assert all(folder.created_ns > 1_600_000_000 * SECOND for folder in found)


def test_a_share_that_is_not_there_is_an_oserror(ground: Ground) -> None:
    gone = "No such file" if ground.is_share else "is no share|does not have it"
    with pytest.raises(OSError, match=gone):
        ground.source.folders(join_share(ground.root, "gone"), still)
    with pytest.raises(OSError, match=gone):
        ground.source.listing(SourcePath(ground.root, "gone"), still)


def test_a_listing_has_kinds_sizes_and_whole_seconds(ground: Ground) -> None:
    ground.make("v/Folder")
    ground.put("v/naïve.txt", b"12345", 1_700_000_000 * SECOND + 999_999_999)
    found = ground.source.listing(SourcePath(ground.root, "v"), still)
    assert found["naïve.txt"] == Listed(False, 5, 1_700_000_000)
    assert found["Folder"].folder
    assert found["Folder"].size is None
    assert len(found) == 2


def test_an_entry_is_found_under_its_very_name(ground: Ground) -> None:
    ground.put("Shares/Plan.xlsx", b"12345", 7 * SECOND + 500)
    found = ground.source.look(SourcePath(ground.root, "Shares/Plan.xlsx"), still)
    assert found == Entry("Shares/Plan.xlsx", EntryKind.FILE, 5, ground.kept(7 * SECOND + 500), 0o644)
    folder = ground.source.look(SourcePath(ground.root, "Shares"), still)
    assert folder is not None
    assert (folder.relative, folder.kind, folder.size) == ("Shares", EntryKind.FOLDER, 0)


def test_the_root_itself_is_a_folder_and_a_root_that_is_gone_is_nothing(ground: Ground) -> None:
    found = ground.source.look(SourcePath(ground.root, ""), still)
    assert found is not None
    assert (found.relative, found.kind) == ("", EntryKind.FOLDER)
    assert ground.source.look(SourcePath(join_share(ground.root, "gone"), ""), still) is None
    assert ground.source.look(SourcePath(join_share(ground.root, "gone"), "a"), still) is None


@pytest.mark.parametrize("asked", ["shares/PLAN.XLSX", "SHARES/plan.xlsx", "Shares/plan.xlsx"])
def test_another_letter_case_finds_the_entry_and_names_it_as_it_is(ground: Ground, asked: str) -> None:
    ground.put("Shares/Plan.xlsx", b"12345", 0)
    found = ground.source.look(SourcePath(ground.root, asked), still)
    assert found is not None
    assert found.relative == "Shares/Plan.xlsx"


def test_accents_are_found_whether_composed_or_not(ground: Ground) -> None:
    ground.put("cafe\u0301/Zu\u0308rich", b"", 0)
    found = ground.source.look(SourcePath(ground.root, "caf\u00e9/Z\u00dcRICH"), still)
    assert found is not None
    assert found.relative == "cafe\u0301/Zu\u0308rich"


def test_of_two_names_that_differ_in_case_only_the_exact_one_is_found(ground: Ground) -> None:
    ground.put("Plan", b"upper", 0)
    ground.put("plan", b"lo", 0)
    for exact, size in (("Plan", 5), ("plan", 2)):
        found = ground.source.look(SourcePath(ground.root, exact), still)
        assert found is not None
        assert (found.relative, found.size) == (exact, size)
    assert ground.source.look(SourcePath(ground.root, "PLAN"), still) is None


@pytest.mark.parametrize("asked", ["gone", "Shares/gone", "Shares/Plan.xlsx/below", "..", "Shares/../Shares", "a\x00b"])
def test_what_is_not_there_or_would_leave_the_root_is_nothing(ground: Ground, asked: str) -> None:
    ground.put("Shares/Plan.xlsx", b"12345", 0)
    assert ground.source.look(SourcePath(ground.root, asked), still) is None


def test_a_scan_gives_everything_sorted_and_folders_before_their_content(ground: Ground) -> None:
    for relative in ("v/b/2", "v/b/1", "v/a/x/y", "v/c", ".v/no", "v/.hidden"):
        ground.put(relative, relative.encode(), 500)
    found = everything(ground, "v")
    names = [entry.relative for entry in found]
    wanted = ["v/.hidden", "v/a", "v/b", "v/c", "v/a/x", "v/a/x/y", "v/b/1", "v/b/2"]
    if ground.is_share:
        assert names == wanted
    assert sorted(names) == sorted(wanted)
    assert all(
        above not in names or names.index(above) < names.index(name) for name in names for above in parents(name)
    )
    assert found[names.index("v/.hidden")] == Entry("v/.hidden", EntryKind.FILE, 9, ground.kept(500), 0o644)
    assert [entry.kind for entry in found if entry.relative in ("v/a", "v/b")] == [EntryKind.FOLDER] * 2


def test_a_folder_that_is_not_to_be_entered_is_left_out_altogether(ground: Ground) -> None:
    for relative in ("a/keep", "b/drop/x", "b/keep"):
        ground.put(relative, b"", 0)
    assert [entry.relative for entry in everything(ground, but="b/drop")] == ["a", "b", "a/keep", "b/keep"]


def test_large_folders_come_in_bounded_batches(ground: Ground) -> None:
    for number in range(700):
        ground.put(f"{number:04d}", b"", 0)
    batches = list(ground.source.scan(SourcePath(ground.root, ""), lambda _: True, still))
    assert max(map(len, batches)) <= 256
    assert [entry.relative for batch in batches for entry in batch] == [f"{number:04d}" for number in range(700)]


def test_an_empty_folder_has_no_batches(ground: Ground) -> None:
    assert everything(ground) == []


def test_a_start_that_is_gone_or_no_folder_is_one_unreadable_entry(ground: Ground) -> None:
    ground.put("file", b"", 0)
    for start in ("gone", "file"):
        (found,) = everything(ground, start)
        assert (found.relative, found.kind) == (start, EntryKind.UNREADABLE)
        assert found.reason is not None
        assert found.message


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_a_file_is_read_to_its_end(ground: Ground, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    ground.put("Shares/data.bin", content, 0)
    path = SourcePath(ground.root, "Shares/data.bin")
    entry = ground.source.look(path, still)
    assert entry is not None
    with closing(ground.source.open(path, entry)) as file:
        assert read(file) == content


def test_reading_goes_on_from_any_place(ground: Ground) -> None:
    ground.put("data.bin", b"0123456789", 0)
    path = SourcePath(ground.root, "data.bin")
    entry = ground.source.look(path, still)
    assert entry is not None
    with closing(ground.source.open(path, entry)) as file:
        for offset in (7, 2):
            file.seek(offset)
            assert read(file) == b"0123456789"[offset:]


def test_a_file_that_has_vanished_since_it_was_listed_is_an_error_with_its_reason(ground: Ground) -> None:
    gone = Entry("gone.bin", EntryKind.FILE, 5)
    with (
        pytest.raises(FileError) as failed,
        closing(ground.source.open(SourcePath(ground.root, "gone.bin"), gone)) as file,
    ):
        read(file)
    assert failed.value.reason is Reason.VANISHED
