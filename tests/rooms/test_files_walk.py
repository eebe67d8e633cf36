"""The walk and the look at a share, with everything on it that is no plain file."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.files import LocalSource, LocalTarget, walk
from orchestrator.files.readings import stands_for_folder
from orchestrator.files.system import is_link, kind_of, system_path
from tests.support.disk import make_deep, mounted, put, tree

SOURCE = LocalSource()


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def scan(share: Path, start: str = "", enters: Callable[[str], bool] = lambda _: True) -> list[Entry]:
    return [entry for batch in SOURCE.scan(SourcePath(str(share), start), enters) for entry in batch]


def kinds(entries: list[Entry]) -> dict[str, EntryKind]:
    return {entry.relative: entry.kind for entry in entries}


# Links and what leads away


def test_links_are_entries_and_never_followed(share: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside" / "secret")
    put(share / "file")
    (share / "to-folder").symlink_to(tmp_path / "outside")
    (share / "to-file").symlink_to(share / "file")
    (share / "dangling").symlink_to("nowhere")
    (share / "loop").symlink_to("loop")
    (share / "up").symlink_to("..")
    assert kinds(scan(share)) == {
        "dangling": EntryKind.LINK,
        "file": EntryKind.FILE,
        "loop": EntryKind.LINK,
        "to-file": EntryKind.LINK,
        "to-folder": EntryKind.LINK,
        "up": EntryKind.LINK,
    }


def test_pipes_sockets_and_devices_are_special(share: Path) -> None:
    os.mkfifo(share / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(share / "socket"))
        try:
            os.mknod(share / "device", 0o600 | 0o020000, os.makedev(1, 3))
        except PermissionError:
            (share / "device").symlink_to("gone")
        found = kinds(scan(share))
    assert found["pipe"] is EntryKind.SPECIAL
    assert found["socket"] is EntryKind.SPECIAL
    assert found["device"] in (EntryKind.SPECIAL, EntryKind.LINK)


def test_another_file_system_below_the_start_is_not_entered(share: Path) -> None:
    put(share / "a" / "file")
    with mounted(share / "a" / "other", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as other:
        put(other / "inside")
        found = scan(share)
        assert kinds(found) == {"a": EntryKind.FOLDER, "a/file": EntryKind.FILE, "a/other": EntryKind.LINK}
        assert "another file system" in found[-1].message
        assert kinds(scan(share, "a/other")) == {"a/other/inside": EntryKind.FILE}


def test_a_folder_that_contains_itself_ends(share: Path) -> None:
    (share / "a" / "b").mkdir(parents=True)
    with mounted(share / "a" / "b" / "again", "--bind", str(share / "a")):
        found = scan(share)
    assert kinds(found) == {"a": EntryKind.FOLDER, "a/b": EntryKind.FOLDER, "a/b/again": EntryKind.LINK}
    assert "contains itself" in found[-1].message


def test_a_folder_that_is_there_twice_is_walked_twice(share: Path) -> None:
    put(share / "a" / "file")
    with mounted(share / "b" / "again", "--bind", str(share / "a")):
        assert kinds(scan(share))["b/again/file"] is EntryKind.FILE


def test_a_start_that_is_a_link_or_a_mount_point_is_entered(share: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "file")
    (share / "Volume1").symlink_to(tmp_path / "elsewhere")
    assert kinds(scan(share / "Volume1")) == {"file": EntryKind.FILE}
    assert kinds(scan(share, "Volume1")) == {"Volume1/file": EntryKind.FILE}


def test_a_folder_that_becomes_a_link_during_the_walk_is_not_entered(share: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside" / "secret")
    (share / "a").mkdir()

    def enters(_: str) -> bool:
        (share / "a").rmdir()
        (share / "a").symlink_to(tmp_path / "outside")
        return True

    found = scan(share, enters=enters)
    assert [(entry.relative, entry.kind) for entry in found] == [
        ("a", EntryKind.FOLDER),
        ("a", EntryKind.UNREADABLE),
    ]


def test_a_path_through_a_link_ends_at_the_link(share: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside" / "secret")
    (share / "Link").symlink_to(tmp_path / "outside")
    for asked in ("link/secret", "Link/secret", "Link"):
        found = SOURCE.look(SourcePath(str(share), asked))
        assert found is not None
        assert (found.relative, found.kind) == ("Link", EntryKind.LINK)


def test_a_volume_folder_that_is_shown_as_a_link_is_listed_as_a_folder(share: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    put(share / "file")
    (share / "Volume1").symlink_to(tmp_path / "volume")
    (share / "dangling").symlink_to("nowhere")
    found = SOURCE.listing(SourcePath(str(share), ""))
    assert {name: listed.folder for name, listed in found.items()} == {
        "Volume1": True,
        "dangling": False,
        "file": False,
    }
    assert [folder.name for folder in SOURCE.folders(str(share)).folders] == ["Volume1"]


class WindowsStatus:
    """What Windows says of an entry."""

    def __init__(self, mode: int, attributes: int, tag: int) -> None:
        self.st_mode = mode
        self.st_file_attributes = attributes
        self.st_reparse_tag = tag


@pytest.mark.parametrize(
    ("mode", "attributes", "tag", "kind"),
    [
        (0o040777, 0x10, 0, EntryKind.FOLDER),
        (0o040777, 0x410, 0xA0000003, EntryKind.LINK),  # junction or volume mount point
        (0o120777, 0x400, 0xA000000C, EntryKind.LINK),  # symbolic link
        (0o100666, 0x420, 0x80000013, EntryKind.FILE),  # deduplicated file
        (0o040777, 0x410, 0x9000001A, EntryKind.FOLDER),  # cloud folder
    ],
)
def test_reparse_points_that_lead_away_are_links_and_others_are_not(
    mode: int, attributes: int, tag: int, kind: EntryKind
) -> None:
    status = WindowsStatus(mode, attributes, tag)
    assert kind_of(status) is kind  # type: ignore[arg-type]
    assert is_link(status) is (kind is EntryKind.LINK)  # type: ignore[arg-type]


def test_on_windows_a_junction_stands_for_its_folder_without_being_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.files.readings.WINDOWS", True)
    assert stands_for_folder("gone", WindowsStatus(0o040777, 0x410, 0xA0000003))  # type: ignore[arg-type]


# What cannot be read


@contextmanager
def unreadable_folder(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> Iterator[None]:
    """Modes do not stop the superuser, so the refusal is put where folders are opened."""
    real = walk.opened_folder

    @contextmanager
    def refusing(path: str, *, follow: bool) -> Iterator[int | str]:
        if path.endswith(name):
            raise error
        with real(path, follow=follow) as opened:
            yield opened

    with monkeypatch.context() as patch:
        patch.setattr(walk, "opened_folder", refusing)
        yield


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied"), Reason.ACCESS_DENIED),
        (OSError(5, "Input/output error"), Reason.READ_ERROR),
        (FileNotFoundError(2, "No such file or directory"), Reason.VANISHED),
    ],
)
def test_a_folder_that_cannot_be_read_is_told_and_the_rest_goes_on(
    share: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: Reason
) -> None:
    for name in ("a/x", "b/hidden", "c/x"):
        put(share / name)
    with unreadable_folder(monkeypatch, "/b", error):
        found = scan(share)
    assert [entry.relative for entry in found] == ["a", "b", "c", "a/x", "b", "c/x"]
    bad = found[4]
    assert (bad.kind, bad.reason) == (EntryKind.UNREADABLE, reason)
    assert (error.strerror or "") in bad.message
    assert reason.action in bad.message


def test_a_start_that_cannot_be_read_is_told(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with unreadable_folder(monkeypatch, "/share", PermissionError(13, "Permission denied")):
        (found,) = scan(share)
    assert (found.relative, found.kind, found.reason) == ("", EntryKind.UNREADABLE, Reason.ACCESS_DENIED)


def test_an_entry_that_cannot_be_looked_at_is_told(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Child:
        def __init__(self, name: str) -> None:
            self.name = name

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(walk, "_in_order", lambda _: iter([Child("gone")]))
    (found,) = scan(share)
    assert (found.relative, found.kind, found.reason) == ("gone", EntryKind.UNREADABLE, Reason.VANISHED)


def test_a_look_that_is_refused_is_an_unreadable_entry(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", refuse)
    found = SOURCE.look(SourcePath(str(share), "a/b"))
    assert found is not None
    assert (found.relative, found.kind, found.reason) == ("a/b", EntryKind.UNREADABLE, Reason.ACCESS_DENIED)


# Names, depth and number


def test_names_that_are_no_utf8_are_walked_looked_at_and_copied(share: Path, tmp_path: Path) -> None:
    raw = b"caf\xe9-\xff"
    folder = os.path.join(os.fsencode(share), raw)
    os.mkdir(folder)
    with open(os.path.join(folder, raw), "wb") as file:
        file.write(b"latin")
    name = os.fsdecode(raw)
    found = scan(share)
    assert [entry.relative for entry in found] == [name, f"{name}/{name}"]
    assert SOURCE.look(SourcePath(str(share), f"{name}/{name}")) == found[1]
    target = LocalTarget([str(tmp_path / "restore")])
    target.place(
        SourcePath(str(share), found[1].relative),
        found[1],
        TargetPath(str(tmp_path / "restore"), found[1].relative),
        False,
        lambda _: None,
    )
    assert os.listdir(os.fsencode(tmp_path / "restore")) == [raw]


def test_a_tree_deeper_than_the_system_takes_in_one_path_is_walked(share: Path) -> None:
    relative = make_deep(share, "d" * 200, 30, b"bottom")
    found = scan(share)
    assert len(found) == 31
    assert (found[-1].relative, found[-1].size) == (relative, 6)
    listing = SOURCE.listing(SourcePath(str(share), os.path.dirname(relative)))
    assert listing["deep.txt"].size == 6


def test_a_tree_of_a_thousand_levels_is_walked(share: Path) -> None:
    relative = make_deep(share, "d", 1100, b"")
    try:
        assert scan(share)[-1].relative == relative
    finally:
        # Python's own removal of temporary folders recurses, and would fail here long after this test.
        subprocess.run(["rm", "-rf", str(share / "d")], check=True)


def test_a_very_large_folder_is_passed_on_as_it_is_read(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SORTED_AT_MOST", 300)
    for number in range(1000):
        put(share / f"{number:04d}")
    taken: list[int] = []
    real = walk._in_order

    def counting(children: Iterator["os.DirEntry[str]"]) -> Iterator["os.DirEntry[str]"]:
        return real(one for one in children if taken.append(1) is None)

    monkeypatch.setattr(walk, "_in_order", counting)
    batches = SOURCE.scan(SourcePath(str(share), ""), lambda _: True)
    first = next(batches)
    assert len(taken) < 400
    rest = [entry for batch in batches for entry in batch]
    assert sorted(entry.relative for entry in [*first, *rest]) == [f"{number:04d}" for number in range(1000)]


def test_every_entry_beats_so_that_a_slow_share_is_told_from_a_dead_one(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        put(share / "Many" / f"{number}.txt")
    beats = count()
    for asked in (
        lambda beat: SOURCE.folders(str(share / "Many"), beat),
        lambda beat: SOURCE.listing(SourcePath(str(share), "Many"), beat),
        lambda beat: SOURCE.look(SourcePath(str(share), "MANY/7.TXT"), beat),
        lambda beat: list(SOURCE.scan(SourcePath(str(share), ""), lambda _: True, beat)),
    ):
        before = next(beats)
        asked(lambda: next(beats) and None)
        assert next(beats) - before > 30


def test_a_share_is_told_from_the_empty_folder_that_is_left_when_it_is_unmounted(share: Path, tmp_path: Path) -> None:
    before = SOURCE.folders(str(share))
    put(share / "fs01" / "x")
    assert SOURCE.folders(str(share)).identity == before.identity
    assert not before.mounted
    with mounted(tmp_path / "mounted", "-t", "tmpfs", "tmpfs") as at:
        inside = SOURCE.folders(str(at))
    assert inside.mounted
    assert not SOURCE.folders(str(tmp_path / "mounted")).mounted
    assert SOURCE.folders(str(tmp_path / "mounted")).identity != inside.identity


def test_a_walk_that_is_given_up_leaves_nothing_open(share: Path) -> None:
    for number in range(600):
        put(share / str(number % 3) / str(number))
    before = len(os.listdir("/proc/self/fd"))
    batches = SOURCE.scan(SourcePath(str(share), ""), lambda _: True)
    assert len(list(islice(batches, 1))) == 1
    batches.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_on_the_share_is_changed_by_reading_it(share: Path, tmp_path: Path) -> None:
    for name in ("a/b/c", "d"):
        put(share / name)
    subprocess.run(["touch", "-a", "-d", "2020-01-01", str(share / "d")], check=True)
    before = {name: os.stat(share / name).st_mtime_ns for name in tree(share)}
    scan(share)
    SOURCE.folders(str(share))
    SOURCE.listing(SourcePath(str(share), "a"))
    SOURCE.look(SourcePath(str(share), "A/B"))
    assert {name: os.stat(share / name).st_mtime_ns for name in tree(share)} == before


# Shares that ignore letter case, and UNC paths


def test_on_a_share_that_ignores_case_the_real_names_are_still_given(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(share / "Shares" / "Plan.xlsx")
    real = os.lstat
    monkeypatch.setattr(
        os, "lstat", lambda path: real(str(path).lower().replace("/shares", "/Shares").replace("plan", "Plan"))
        if "hares" in str(path).lower() and str(path).startswith(str(share) + "/") else real(path)
    )  # fmt: skip
    found = SOURCE.look(SourcePath(str(share), "SHARES/plan.XLSX"))
    assert found is not None
    assert found.relative == "Shares/Plan.xlsx"


def test_a_unc_path_is_refused_plainly_where_it_cannot_be_opened() -> None:
    with pytest.raises(OSError, match="only be opened on Windows"):
        SOURCE.folders(r"\\vbr01\VeeamFLR")


def test_windows_gets_its_own_spelling_of_long_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.files.system.WINDOWS", True)
    monkeypatch.setattr(os.path, "abspath", lambda path: path)
    assert system_path(r"\\vbr01\VeeamFLR", "a") == os.path.join(r"\\vbr01\VeeamFLR", "a")
    assert system_path(r"\\vbr01\VeeamFLR", "a" * 300).startswith("\\\\?\\UNC\\vbr01\\VeeamFLR")
    assert system_path("D:\\restore", "a" * 300).startswith("\\\\?\\D:\\restore")
