"""What is there already is told while the share is listed, and only that."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind, Found, Verdict
from orchestrator.core.entry import Compare, Conflict
from orchestrator.core.fidelity import Metadata
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.engine.unchanged import FRESH, Unchanged
from orchestrator.engine.walking import Batch, Work
from orchestrator.files import LocalTarget
from tests.support.batches import batch_of
from tests.support.disk import MTIME_NS, put

NAMES = ["0.txt", "1.txt", "2.txt"]


class Counted(LocalTarget):
    """A target that counts how often a folder of it is listed."""

    listings = 0

    def listing(self, root: str, relative: str) -> dict[str, Found] | None:
        self.listings += 1
        return super().listing(root, relative)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Three files that are in the share and at the destination."""
    for name in NAMES:
        for folder in ("share", "to"):
            put(tmp_path / folder / name, b"content")
    return tmp_path / "share"


@pytest.fixture
def to(share: Path) -> Path:
    return share.parent / "to"


def settle(batch: Batch, to: Path) -> Batch:
    return Unchanged(LocalTarget([str(to)]), "g1").settled(batch)


def left(batch: Batch) -> list[str]:
    return [work.entry.relative for work in batch.works]


def test_what_is_there_already_is_told_and_no_work(share: Path, to: Path) -> None:
    settled = settle(batch_of(share, to, NAMES, Conflict.OVERWRITE), to)
    assert left(settled) == []
    assert [(one.guest_path, one.target_path, one.verdict, one.reason, one.size) for one in settled.outcomes] == [
        (f"C:\\{name}", f"{to}/{name}", Verdict.SKIPPED, Reason.UNCHANGED, 7) for name in NAMES
    ]


def test_all_else_is_left_to_be_decided(share: Path, to: Path) -> None:
    os.utime(to / "0.txt", ns=(1, 1))
    (to / "1.txt").unlink()
    (to / "1.txt").symlink_to(share / "1.txt")
    (to / "2.txt").unlink()
    batch = batch_of(share, to, NAMES, Conflict.SKIP)
    special = Work(
        Entry("pipe", EntryKind.SPECIAL), SourcePath(str(share), "pipe"), "C:\\pipe", TargetPath(str(to), "pipe")
    )
    settled = settle(replace(batch, works=(*batch.works, special)), to)
    assert left(settled) == [*NAMES, "pipe"]
    assert settled.outcomes == ()


def test_a_folder_that_is_there_is_no_work_and_a_file_in_its_place_is(share: Path, to: Path) -> None:
    (to / "folder").mkdir()
    put(to / "file", b"")
    works = tuple(
        Work(Entry(name, EntryKind.FOLDER), SourcePath(str(share), name), f"C:\\{name}", TargetPath(str(to), name))
        for name in ("folder", "file", "missing")
    )
    batch = replace(batch_of(share, to, [], Conflict.SKIP), works=works)
    assert left(settle(batch, to)) == ["file", "missing"]


def test_a_folder_of_many_folders_is_not_listed_anew_for_each_of_them(share: Path, to: Path) -> None:
    target = Counted([str(to)])
    unchanged = Unchanged(target, "g1", clock=lambda: 0.0)
    for number in range(20):
        put(to / f"{number:02}" / "0.txt", b"content")
        entries = (Entry(f"{number:02}", EntryKind.FOLDER), Entry(f"{number:02}/0.txt", EntryKind.FILE, 7, MTIME_NS))
        works = tuple(
            Work(one, SourcePath(str(share), one.relative), f"C:\\{one.relative}", TargetPath(str(to), one.relative))
            for one in entries
        )
        unchanged.settled(replace(batch_of(share, to, [], Conflict.SKIP), works=works))
    assert target.listings == 1 + 20


def test_what_is_to_be_proved_by_content_or_given_more_than_its_bytes_is_left(share: Path, to: Path) -> None:
    batch = batch_of(share, to, NAMES, Conflict.SKIP)
    by_content = replace(batch.selection, compare=Compare.CONTENT)
    wishes = replace(batch.selection.wishes, metadata=Metadata.FULL)
    for selection in (by_content, replace(batch.selection, wishes=wishes)):
        assert left(settle(replace(batch, selection=selection), to)) == NAMES


def test_a_destination_that_is_not_there_leaves_everything(share: Path, to: Path) -> None:
    assert left(settle(batch_of(share, to / "new", NAMES, Conflict.SKIP), to)) == NAMES


def test_a_folder_is_listed_once_and_again_when_that_is_old(share: Path, to: Path) -> None:
    now = 0.0
    target = Counted([str(to)])
    unchanged = Unchanged(target, "g1", lambda: now)
    batch = batch_of(share, to, NAMES, Conflict.SKIP)
    for _ in range(3):
        assert left(unchanged.settled(batch)) == []
    assert target.listings == 1
    os.utime(to / "0.txt", ns=(1, 1))
    now = FRESH + 1
    assert left(unchanged.settled(batch)) == ["0.txt"]
    assert target.listings == 2


def test_a_folder_that_takes_long_to_be_listed_is_not_listed_for_every_file(share: Path, to: Path) -> None:
    now = 0.0

    class Slow(Counted):
        def listing(self, root: str, relative: str) -> Mapping[str, Found] | None:
            nonlocal now
            now += 2 * FRESH
            return super().listing(root, relative)

    target = Slow([str(to)])
    unchanged = Unchanged(target, "g1", lambda: now)
    assert left(unchanged.settled(batch_of(share, to, NAMES, Conflict.SKIP))) == []
    assert target.listings == 1
    now += 2 * FRESH + 1
    assert left(unchanged.settled(batch_of(share, to, NAMES[:1], Conflict.SKIP))) == []
    assert target.listings == 2, "what took long is believed as long as it took, and no longer"


def test_a_folder_that_holds_too_much_is_looked_at_name_by_name(
    share: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.files.target.LISTED_AT_MOST", 3)
    assert left(settle(batch_of(share, to, NAMES, Conflict.SKIP), to)) == []
    put(to / "one more", b"")
    assert left(settle(batch_of(share, to, NAMES, Conflict.SKIP), to)) == NAMES


def test_a_link_on_the_way_is_not_followed_while_listing(share: Path, to: Path) -> None:
    (to / "way").symlink_to(to, target_is_directory=True)
    assert LocalTarget([str(to)]).listing(str(to), "way") is None
