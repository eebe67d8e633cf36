"""What a file is beside its bytes, on real file systems: put on, kept in the sidecar, or told as lost."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind, Placed
from orchestrator.core.fidelity import (
    BASIC,
    Fidelity,
    Kept,
    LinkPolicy,
    Metadata,
    OwnerPolicy,
    Properties,
    Property,
    Wishes,
)
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.sidecar import Left
from orchestrator.files import LocalTarget, Sidecar
from orchestrator.files.local import LocalSource
from orchestrator.files.properties import properties_at
from orchestrator.files.sidecar import read_sidecar
from tests.support.disk import MTIME_NS, put
from tests.support.filesystems import ACCESS, KINDS, NOBODY, as_nobody, ramfs, tmpfs

ATIME_NS = MTIME_NS + 5_000_000_123
FULL = Wishes(Metadata.FULL, links=LinkPolicy.LINK)
KEPT, SIDECAR, LOST = Kept.KEPT, Kept.SIDECAR, Kept.LOST


@dataclass
class Place:
    """A share and a destination with its sidecar."""

    share: Path
    root: Path
    state: Path

    def __post_init__(self) -> None:
        self.sidecar = Sidecar(self.state)
        self.target = LocalTarget([str(self.root)]).hashing("blake3", self.sidecar)
        self.source = LocalSource()

    def entry(self, name: str) -> Entry:
        found = self.source.look(SourcePath(str(self.share), name))
        assert found is not None
        return found

    def place(self, name: str, wishes: Wishes = FULL, replace: bool = False) -> Placed:
        source, target = SourcePath(str(self.share), name), TargetPath(str(self.root), name)
        return self.target.place(source, self.entry(name), target, replace, lambda _: None, wishes)

    def dress(self, name: str, wishes: Wishes = FULL) -> Fidelity:
        source, entry = SourcePath(str(self.share), name), self.entry(name)
        has = self.source.properties(source, entry)
        return self.target.dress(source, entry, TargetPath(str(self.root), name), has, wishes)

    def link(self, name: str, wishes: Wishes = FULL, replace: bool = False) -> Placed:
        source, entry = SourcePath(str(self.share), name), self.entry(name)
        has = self.source.properties(source, entry)
        return self.target.link(source, entry, TargetPath(str(self.root), name), has, replace, wishes)

    def left(self) -> list[Left | int]:
        self.sidecar.flush()
        return list(read_sidecar(self.state))


@pytest.fixture
def here(tmp_path: Path) -> Place:
    (tmp_path / "root").mkdir()
    (tmp_path / "share").mkdir()
    return Place(tmp_path / "share", tmp_path / "root", tmp_path / "state")


def rich(share: Path) -> Path:
    """A file with everything that a file of Linux can be."""
    path = put(share / "file", b"content")
    if not os.geteuid():
        os.chown(path, 1234, 2345)
    os.setxattr(path, "user.colour", b"blue\x00\xff")
    os.setxattr(path, "system.posix_acl_access", ACCESS)
    path.chmod(0o640)
    os.utime(path, ns=(ATIME_NS, MTIME_NS))
    return path


@pytest.fixture(params=KINDS)
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Place]]:
    share = tmp_path / "share"
    share.mkdir()
    with KINDS[request.param](tmp_path / "mounted") as root:
        yield request.param, Place(share, root, tmp_path / "state")


def test_everything_is_kept_where_it_can_be_and_waits_in_the_sidecar_where_it_cannot(on: tuple[str, Place]) -> None:
    kind, place = on
    rich(place.share)
    placed = place.place("file")
    copy, has = place.root / "file", properties_at(SourcePath(str(place.share), "file"))
    got = properties_at(SourcePath(str(place.root), "file"))
    assert copy.read_bytes() == b"content"
    assert (got.mode, got.uid, got.gid) == (0o640, 1234, 2345)
    xattrs = {"ramfs": SIDECAR}.get(kind, KEPT)
    times = {"whole-seconds": SIDECAR}.get(kind, KEPT)
    assert placed.fidelity == {
        Property.MODE: KEPT,
        Property.OWNER: KEPT,
        Property.TIMES: times,
        Property.XATTRS: xattrs,
        Property.ACL: xattrs,
    }
    if times is KEPT:
        assert (got.modified_ns, got.accessed_ns) == (MTIME_NS, ATIME_NS)
    if xattrs is KEPT:
        assert got.xattrs == has.xattrs
    left = place.left()
    if kind in ("tmpfs", "ext4"):
        assert left == []
    elif kind == "ramfs":
        assert left == [Left(str(copy), EntryKind.FILE, 7, MTIME_NS, Properties(xattrs=has.xattrs))]
    else:
        times_left = Properties(modified_ns=MTIME_NS, accessed_ns=ATIME_NS, changed_ns=has.changed_ns)
        assert left == [Left(str(copy), EntryKind.FILE, 7, MTIME_NS, times_left)]


def test_without_a_word_nothing_but_plain_mode_bits_and_the_time_is_read(here: Place) -> None:
    rich(here.share)
    placed = here.place("file", BASIC)
    got = properties_at(SourcePath(str(here.root), "file"))
    assert placed.fidelity == {}
    assert (got.mode, got.uid, got.modified_ns, got.xattrs) == (0o640, os.geteuid(), MTIME_NS, {})
    assert here.left() == []


def test_with_none_the_mode_is_a_plain_one(here: Place) -> None:
    put(here.share / "file", mode=0o755)
    here.place("file", Wishes(Metadata.NONE))
    status = (here.root / "file").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o644, MTIME_NS)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_a_mode_is_the_backups_whatever_the_umask(here: Place, umask: int) -> None:
    put(here.share / "file", mode=0o604)
    before = os.umask(umask)
    try:
        assert here.place("file").fidelity[Property.MODE] is KEPT
    finally:
        os.umask(before)
    assert (here.root / "file").stat().st_mode & 0o7777 == 0o604


def test_a_file_that_nobody_may_read_gets_its_mode_and_is_replaced_all_the_same(here: Place) -> None:
    path = put(here.share / "file", b"old", mode=0o400)
    here.place("file")
    path.chmod(0o600)
    put(path, b"newer", mode=0o000)
    here.place("file", replace=True)
    assert (here.root / "file").stat().st_mode & 0o7777 == 0


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@needs_root
def test_a_program_runs_as_its_owner_only_when_it_has_its_owner(here: Place) -> None:
    path = put(here.share / "file")
    os.chown(path, 1234, 2345)
    path.chmod(0o6755)
    kept = here.place("file")
    assert kept.fidelity[Property.MODE] is KEPT
    assert (here.root / "file").stat().st_mode & 0o7777 == 0o6755
    taken_off = here.place("file", Wishes(Metadata.FULL, OwnerPolicy.NONE), replace=True)
    status = (here.root / "file").stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o755, 0)
    assert taken_off.fidelity[Property.MODE] is SIDECAR
    assert Property.OWNER not in taken_off.fidelity
    assert [left.properties for left in here.left() if isinstance(left, Left)] == [Properties(mode=0o6755)]


@needs_root
def test_ids_are_mapped_by_the_table_and_others_wait_in_the_sidecar(here: Place) -> None:
    os.chown(put(here.share / "file"), 1000, 100)
    os.chown(put(here.share / "other"), 1001, 100)
    (here.share / "other").chmod(0o4755)
    wishes = Wishes(Metadata.FULL, OwnerPolicy.MAP, users=((1000, "nobody"),), groups=((100, 4321),))
    assert here.place("file", wishes).fidelity[Property.OWNER] is KEPT
    assert here.place("other", wishes).fidelity == {
        Property.MODE: SIDECAR,
        Property.OWNER: SIDECAR,
        Property.TIMES: KEPT,
    }
    one, other = ((here.root / name).stat() for name in ("file", "other"))
    assert (one.st_uid, one.st_gid) == (NOBODY, 4321)
    assert (other.st_uid, other.st_gid, other.st_mode & 0o7777) == (0, 4321, 0o755)


@needs_root
def test_what_waits_is_whose_the_copy_should_be_and_runs_as_nobody_who_is_not_mapped(here: Place) -> None:
    """Else a mapping that was put on would be undone by root, and a program of the guest run as whoever has its id."""
    os.chown(put(here.share / "program", mode=0o755), 1000, 555)
    (here.share / "program").chmod(0o6755)
    os.chown(put(here.share / "other", mode=0o644), 1001, 100)
    (here.share / "folder").mkdir()
    os.chown(here.share / "folder", 1001, 555)
    (here.share / "folder").chmod(0o2750)
    (here.root / "folder").mkdir()
    wishes = Wishes(Metadata.FULL, OwnerPolicy.MAP, users=((1000, "nobody"),), groups=((100, 4321),))
    here.place("program", wishes)
    here.place("other", wishes)
    here.dress("folder", wishes)
    waiting = [left.properties for left in here.left() if isinstance(left, Left)]
    assert waiting == [
        Properties(mode=0o755, uid=NOBODY, gid=555),
        Properties(uid=1001, gid=4321),
        Properties(uid=1001, gid=555),
    ]


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that everybody can reach; those of pytest are for its own account."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_root
def test_who_is_not_root_keeps_the_owner_in_the_sidecar(everybodys: Path) -> None:
    share, root, state = (everybodys / name for name in ("share", "root", "state"))
    for folder in (share, root, state):
        folder.mkdir()
        folder.chmod(0o777)
    os.chown(put(share / "file"), 1234, 2345)
    (share / "file").chmod(0o4755)

    def restore() -> None:
        place = Place(share, root, state)
        expected = {Property.MODE: SIDECAR, Property.OWNER: SIDECAR, Property.TIMES: KEPT}
        assert place.place("file").fidelity == expected, place.left()

    assert as_nobody(restore) == ""
    status = (root / "file").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (NOBODY, 0o755)
    (left,) = read_sidecar(state)
    assert isinstance(left, Left)
    assert left.properties == Properties(mode=0o4755, uid=1234, gid=2345)


@needs_root
def test_file_capabilities_are_kept(here: Place) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    path = put(here.share / "file", mode=0o755)
    os.setxattr(path, "security.capability", capability)
    assert here.place("file").fidelity[Property.XATTRS] is KEPT
    assert os.getxattr(here.root / "file", "security.capability") == capability


def test_an_attribute_that_is_too_large_for_the_destination_waits_in_the_sidecar(tmp_path: Path) -> None:
    share = tmp_path / "share"
    with tmpfs(share), KINDS["ext4"](tmp_path / "small") as root:
        put(share / "file")
        os.setxattr(share / "file", "user.bomb", b"b" * 65536)
        os.setxattr(share / "file", "user.small", b"s")
        place = Place(share, root, tmp_path / "state")
        assert place.place("file").fidelity[Property.XATTRS] is SIDECAR
        assert os.getxattr(root / "file", "user.small") == b"s"
        (left,) = place.left()
        assert isinstance(left, Left)
        assert left.properties.xattrs == {"user.bomb": b"b" * 65536, "user.small": b"s"}


def test_more_attributes_than_fit_into_memory_are_lost_and_told(tmp_path: Path) -> None:
    share = tmp_path / "share"
    with tmpfs(share):
        put(share / "file")
        for number in range(20):
            os.setxattr(share / "file", f"user.bomb{number:02}", b"b" * 65536)
        (tmp_path / "root").mkdir()
        place = Place(share, tmp_path / "root", tmp_path / "state")
        assert place.place("file").fidelity[Property.XATTRS] is LOST


def test_without_a_sidecar_what_is_left_over_is_lost(tmp_path: Path) -> None:
    share = tmp_path / "share"
    rich(share)
    with ramfs(tmp_path / "root") as root:
        target = LocalTarget([str(root)])
        entry = Entry("file", EntryKind.FILE, 7, MTIME_NS, 0o640)
        placed = target.place(
            SourcePath(str(share), "file"), entry, TargetPath(str(root), "file"), False, lambda _: None, FULL
        )
        assert (placed.fidelity[Property.ACL], placed.fidelity[Property.XATTRS]) == (LOST, LOST)


def test_a_new_file_does_not_keep_the_acl_that_its_folder_gave_it(here: Place) -> None:
    put(here.share / "file", mode=0o600)
    os.setxattr(here.root, "system.posix_acl_default", ACCESS)
    assert here.place("file").fidelity[Property.MODE] is KEPT
    assert "system.posix_acl_access" not in os.listxattr(here.root / "file")
    assert (here.root / "file").stat().st_mode & 0o7777 == 0o600


def test_a_folder_gets_its_own_after_its_content(here: Place) -> None:
    put(here.share / "folder" / "file")
    folder = here.share / "folder"
    os.setxattr(folder, "system.posix_acl_default", ACCESS)
    os.setxattr(folder, "user.colour", b"red")
    folder.chmod(0o2555)
    os.utime(folder, ns=(ATIME_NS, MTIME_NS))
    here.place("folder/file")
    fidelity = here.dress("folder")
    assert set(fidelity.values()) == {KEPT}
    status = (here.root / "folder").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns, status.st_atime_ns) == (0o2555, MTIME_NS, ATIME_NS)
    assert os.getxattr(here.root / "folder", "system.posix_acl_default") == ACCESS
    here.dress("folder")
    (here.root / "folder").chmod(0o755)


def test_permissions_only_leaves_content_and_times(here: Place) -> None:
    rich(here.share)
    copy = put(here.root / "file", b"changed since", mtime_ns=1_000_000_007, mode=0o777)
    os.setxattr(copy, "system.posix_acl_access", ACCESS)
    os.removexattr(here.share / "file", "system.posix_acl_access")
    (here.share / "file").chmod(0o640)
    fidelity = here.dress("file", Wishes(Metadata.PERMISSIONS))
    assert set(fidelity) == {Property.MODE, Property.OWNER}
    assert copy.read_bytes() == b"changed since"
    assert (copy.stat().st_mtime_ns, copy.stat().st_mode & 0o7777) == (1_000_000_007, 0o640)
    assert "user.colour" not in os.listxattr(copy)
    assert "system.posix_acl_access" not in os.listxattr(copy)


def test_half_a_line_of_a_killed_process_is_passed_over_and_the_next_begins_anew(tmp_path: Path) -> None:
    left = Left("/r/a\udcff\n", EntryKind.FILE, 1, 2, Properties(mode=0o640))
    first = Sidecar(tmp_path)
    first.keep(left)
    first.close()
    with (tmp_path / "metadata.jsonl").open("ab") as file:
        file.write(b'{"target": "/r/b", "ki')
    again = Sidecar(tmp_path)
    again.keep(left)
    again.close()
    assert list(read_sidecar(tmp_path)) == [left, 2, left]


@pytest.mark.parametrize(
    "text", ["/etc/shadow", "../../../etc/shadow", "a\nb", "x" * 4000, "caf\udce9", ".", "C:\\Windows"]
)
def test_a_link_is_made_again_with_its_text_whatever_that_is(here: Place, text: str) -> None:
    os.symlink(text, here.share / "link")
    os.utime(here.share / "link", ns=(ATIME_NS, MTIME_NS), follow_symlinks=False)
    placed = here.link("link")
    assert os.readlink(here.root / "link") == text
    assert set(placed.fidelity.values()) == {KEPT}
    assert (here.root / "link").lstat().st_mtime_ns == MTIME_NS


def test_nothing_is_written_through_a_link_that_was_made(here: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(str(outside), here.share / "link")
    here.link("link")
    (here.share / "link").unlink()
    put(here.share / "link" / "file")
    with pytest.raises(Exception, match=r"would leave the destination|symbolic link"):
        here.place("link/file")
    assert list(outside.iterdir()) == []


def test_a_link_replaces_a_link_in_one_step_and_a_file_only_when_told(here: Place) -> None:
    os.symlink("new", here.share / "link")
    os.symlink("old", here.root / "link")
    with pytest.raises(Exception, match="another file is there"):
        here.link("link")
    here.link("link", replace=True)
    assert os.readlink(here.root / "link") == "new"
    assert sorted(os.listdir(here.root)) == ["link"]


def test_a_second_name_is_a_name_of_the_same_file(here: Place) -> None:
    put(here.share / "one")
    here.place("one")
    one, two = (TargetPath(str(here.root), name) for name in ("one", "two"))
    here.target.name_again(one, two, False)
    assert here.target.one_file(one, two)
    here.target.name_again(one, two, True)
    assert sorted(os.listdir(here.root)) == ["one", "two"]


def test_no_second_name_is_made_of_what_a_link_leads_to(here: Place, tmp_path: Path) -> None:
    secret = put(tmp_path / "secret")
    os.symlink(secret, here.root / "one")
    with pytest.raises(Exception, match=r"would leave the destination|no plain file"):
        here.target.name_again(TargetPath(str(here.root), "one"), TargetPath(str(here.root), "two"), False)
    assert sorted(os.listdir(here.root)) == ["one"]


def sparse_file(path: Path, size: int = 32 << 20) -> bytes:
    """Data, a hole, data, a hole at the end."""
    with path.open("wb") as file:
        file.write(b"begin" * 1000)
        file.seek(size // 2 + 123)
        file.write(b"middle" * 1000)
        file.truncate(size)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return path.read_bytes()


@pytest.mark.parametrize("wishes", [BASIC, FULL])
def test_holes_stay_holes_and_count_as_zeros(on: tuple[str, Place], wishes: Wishes) -> None:
    from blake3 import blake3

    kind, place = on
    data = sparse_file(place.share / "file", 16 << 20)
    if not place.entry("file").sparse:
        pytest.skip("the file system of the tests has no holes")
    placed = place.place("file", wishes)
    copy = place.root / "file"
    assert copy.read_bytes() == data
    assert placed.checksum == blake3(data).hexdigest()
    if kind != "ramfs":  # which does not count its blocks
        assert copy.stat().st_blocks * 512 < 1 << 20
        assert placed.fidelity[Property.SPARSE] is KEPT
