"""Copies from share to share with all that files are beside their bytes; what a share cannot hold is in the sidecar."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.applying import apply_metadata
from orchestrator.config import Config
from orchestrator.core.entries import Entry, EntryKind, Outcome, Placed, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Kept, LinkPolicy, Metadata, Properties, Property, Stream, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside, Fate, Undone
from orchestrator.core.sddl import to_sddl
from orchestrator.core.sidecar import Left
from orchestrator.files import LocalSource, LocalTarget, Sidecar, read_sidecar
from orchestrator.files.readers import Reader
from orchestrator.files.smb import SmbSource, SmbTarget, partial
from orchestrator.files.smb.packets import Request, flush
from orchestrator.files.smb.undoing import SmbUndo
from tests.rooms.test_smb_properties import (
    ARCHIVE,
    BORN,
    HIDDEN,
    READ_ONLY,
    SDDL,
    SEEN,
    WRITTEN,
    content,
    dress,
    scanned,
    windows_like,
)
from tests.support.disk import entry_of, put, source_of
from tests.support.samba import PASSWORD, Samba, smb_source, smb_target
from tests.support.sddl import from_sddl

NUMBERS = itertools.count()
FULL = Wishes(Metadata.FULL)
LARGE = (3 << 20) + 7
WINDOWS = {Property.CREATED, Property.TIMES, Property.ATTRIBUTES, Property.DESCRIPTOR, Property.STREAMS}


@pytest.fixture(scope="module")
def server() -> Iterator[Samba]:
    with windows_like() as running:
        yield running


@dataclass
class Ground:
    """A folder of a share to copy from, one to copy to, and a sidecar."""

    server: Samba
    name: str
    disk: Path
    source: SmbSource
    target: SmbTarget
    sidecar: Path

    @property
    def roots(self) -> tuple[str, str]:
        return self.server.unc("share", self.name, "from"), self.server.unc("share", self.name, "to")

    def dressed(self, relative: str, has: Properties, streams: dict[str, bytes] | None = None) -> None:
        done, left = dress(self.server, f"{self.name}\\from\\{relative}", has, streams)
        assert (bool(done), left) == (True, frozenset())

    def placed(self, relative: str, *, replace: bool = False, wishes: Wishes = FULL) -> Placed:
        entry = scanned(self.source, self.roots[0])[relative]
        self.source.expect(self.roots[0], [entry], wishes.reads_properties)
        target = TargetPath(self.roots[1], relative)
        return self.target.place(SourcePath(self.roots[0], relative), entry, target, replace, lambda _: None, wishes)

    def told(self, relative: str) -> Properties:
        """What the copy is beside its bytes."""
        entry = scanned(self.source, self.roots[1])[relative]
        return self.source.properties(SourcePath(self.roots[1], relative), entry)

    def lines(self) -> list[Left]:
        return [line for line in read_sidecar(self.sidecar) if isinstance(line, Left)]


@pytest.fixture
def ground(server: Samba, tmp_path: Path) -> Iterator[Ground]:
    with ground_of(server, tmp_path) as made:
        yield made


@contextmanager
def ground_of(server: Samba, tmp_path: Path) -> Iterator[Ground]:
    name = f"test-{next(NUMBERS)}"
    disk = server.shares["share"] / name
    for one in ("from", "to"):
        (disk / one).mkdir(parents=True)
    with ExitStack() as stack:
        source = stack.enter_context(closing(smb_source(server)))
        sidecar = stack.enter_context(closing(Sidecar(tmp_path / "run")))
        reading = {"opening": source.open, "streams": source.open_stream}
        target = smb_target(server, [server.unc("share", name, "to")], by_batch=True, **reading)
        stack.enter_context(closing(target))
        yield Ground(server, name, disk, source, target.hashing("blake3", sidecar), tmp_path / "run")


HAS = Properties(
    created_ns=BORN,
    accessed_ns=SEEN,
    modified_ns=WRITTEN,
    attributes=HIDDEN | READ_ONLY | ARCHIVE,
    descriptor=from_sddl(SDDL),
    streams=(Stream("Zone.Identifier", 26), Stream("größe", 70_000)),
)
STREAMS = {"Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\n", "größe": bytes(70_000)}


@pytest.mark.parametrize("size", [0, 5, LARGE])
def test_a_copy_on_a_share_is_the_same_in_everything(ground: Ground, size: int) -> None:
    put(ground.disk / "from" / "file", data := os.urandom(size))
    ground.dressed("file", HAS, STREAMS)
    placed = ground.placed("file")
    assert placed.fidelity == dict.fromkeys(WINDOWS, Kept.KEPT)
    found = ground.told("file")
    assert (found.created_ns, found.accessed_ns, found.modified_ns) == (BORN, SEEN, WRITTEN)
    assert found.attributes == HIDDEN | READ_ONLY | ARCHIVE
    assert found.descriptor is not None
    assert to_sddl(found.descriptor) == SDDL
    entry = scanned(ground.source, ground.roots[1])["file"]
    for one in found.streams:
        reading = ground.source.open_stream(SourcePath(ground.roots[1], "file"), entry, one.name)
        assert content(reading) == STREAMS[one.name]
    assert {one.name for one in found.streams} == STREAMS.keys()
    assert (ground.disk / "to" / "file").read_bytes() == data
    assert ground.lines() == []


def test_a_read_only_copy_is_replaced_whole_and_nothing_is_left_beside_it(ground: Ground) -> None:
    for data in (b"first", b"second"):
        put(ground.disk / "from" / "file", data)
        ground.dressed("file", HAS, STREAMS)
        ground.placed("file", replace=True)
        (ground.disk / "from" / "file").unlink()
        assert (ground.disk / "to" / "file").read_bytes() == data
    assert ground.told("file").attributes == HIDDEN | READ_ONLY | ARCHIVE
    assert [one.name for one in (ground.disk / "to").iterdir() if not one.name.startswith(".streams")] == ["file"]


def test_a_read_only_copy_is_at_the_disk_of_the_server_with_its_batch(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def counted(handle: bytes) -> Request:
        asked.append(handle)
        return flush(handle)

    monkeypatch.setattr(partial, "flush", counted)
    put(ground.disk / "from" / "file", b"content")
    ground.dressed("file", HAS, STREAMS)
    ground.placed("file")
    ground.target.flush()
    assert len(asked) == 1
    assert ground.told("file").attributes == HIDDEN | READ_ONLY | ARCHIVE


def test_without_a_wish_for_more_nothing_more_is_put_on(ground: Ground) -> None:
    put(ground.disk / "from" / "file")
    ground.dressed("file", HAS, STREAMS)
    assert ground.placed("file", wishes=Wishes()).fidelity == {}
    found = ground.told("file")
    assert (found.modified_ns, found.streams) == (WRITTEN, ())


@pytest.mark.parametrize("attributes", [ARCHIVE, READ_ONLY, HIDDEN | READ_ONLY, 0x4 | ARCHIVE, None])
def test_a_server_that_hides_names_with_a_dot_hides_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attributes: int | None
) -> None:
    """As every Samba does unless it is told otherwise; the partial name begins with a dot."""
    put(tmp_path / "file", b"content")
    local, entry = LocalSource(), entry_of(tmp_path / "file")
    has = Properties(created_ns=BORN, modified_ns=WRITTEN, attributes=attributes)
    monkeypatch.setattr(type(local.open(source_of(tmp_path / "file"), entry)), "properties", lambda _: has)
    with windows_like(hide_dot_files="yes") as server, closing(smb_source(server)) as source:
        root = server.unc("share")
        with closing(smb_target(server, [root], opening=local.open)) as target:
            where = TargetPath(root, "file")
            placed = target.place(source_of(tmp_path / "file"), entry, where, False, lambda _: None, FULL)
        assert set(placed.fidelity.values()) == {Kept.KEPT}
        assert (Property.ATTRIBUTES in placed.fidelity) == (attributes not in (ARCHIVE, None))
        found = source.properties(SourcePath(root, "file"), scanned(source, root)["file"])
        assert (found.attributes, found.created_ns, found.modified_ns) == (attributes or ARCHIVE, BORN, WRITTEN)


def test_a_folder_gets_what_it_was_after_its_content(ground: Ground) -> None:
    (ground.disk / "from" / "folder").mkdir()
    has = Properties(created_ns=BORN, modified_ns=WRITTEN, descriptor=from_sddl(SDDL), streams=(Stream("note", 4),))
    ground.dressed("folder", has, {"note": b"here"})
    source, target = SourcePath(ground.roots[0], "folder"), TargetPath(ground.roots[1], "folder")
    entry = Entry("folder", EntryKind.FOLDER)
    ground.target.make_folder(target)
    fidelity = ground.target.dress(source, entry, target, ground.source.properties(source, entry), FULL)
    assert fidelity[Property.DESCRIPTOR] is fidelity[Property.STREAMS] is fidelity[Property.TIMES] is Kept.KEPT
    found = ground.told("folder")
    assert (found.created_ns, found.modified_ns, found.streams) == (BORN, WRITTEN, has.streams)


def test_what_a_share_cannot_hold_waits_in_the_sidecar_and_can_be_put_on_another(
    ground: Ground, server: Samba, tmp_path: Path
) -> None:
    put(tmp_path / "file", b"content", mode=0o640)
    os.setxattr(tmp_path / "file", "user.note", b"here")
    local, entry = LocalSource(), entry_of(tmp_path / "file")
    root = ground.roots[1]
    with (
        closing(smb_target(server, [root], opening=local.open, streams=local.open_stream)) as target,
        closing(Sidecar(tmp_path / "other")) as sidecar,
    ):
        placed = target.hashing("blake3", sidecar).place(
            SourcePath(str(tmp_path), "file"), entry, TargetPath(root, "file"), False, lambda _: None, FULL
        )
    assert placed.fidelity[Property.MODE] is placed.fidelity[Property.XATTRS] is Kept.SIDECAR
    assert placed.fidelity[Property.TIMES] is Kept.KEPT
    (line,) = read_sidecar(tmp_path / "other")
    assert isinstance(line, Left)
    assert (line.target, line.properties.mode, line.properties.xattrs) == (
        f"{root}/file", 0o640, {"user.note": b"here"},
    )  # fmt: skip


OLD = Properties(
    created_ns=BORN + 10**9,
    modified_ns=WRITTEN + 10**9,
    attributes=READ_ONLY | ARCHIVE,
    descriptor=from_sddl("O:BAG:BUD:PAI(A;;FA;;;WD)"),
    streams=(Stream("mine", 4),),
)


@pytest.fixture
def removing(tmp_path: Path) -> Iterator[Ground]:
    """On a server that survives the removal of a file, which Samba 4.17 with `acl_tdb` does not."""
    if os.geteuid() != 0:
        pytest.skip("only root can keep descriptors in extended attributes")
    with (
        windows_like(vfs_objects="acl_xattr streams_depot", **{"acl_xattr:ignore system acls": "yes"}) as server,
        ground_of(server, tmp_path) as made,
    ):
        yield made


def test_a_file_with_all_that_it_is_makes_room_and_comes_back_and_one_that_was_added_goes(removing: Ground) -> None:
    """Both are read-only, so that a server lets neither be removed or replaced as they are."""
    ground = removing
    put(ground.disk / "from" / "file", b"new")
    ground.dressed("file", HAS, STREAMS)
    put(ground.disk / "to" / "file", b"mine")
    assert dress(ground.server, f"{ground.name}\\to\\file", OLD, {"mine": b"note"})[1] == frozenset()
    before, where, asides = ground.told("file"), TargetPath(ground.roots[1], "file"), list[Aside]()
    entry = scanned(ground.source, ground.roots[0])["file"]
    ground.source.expect(ground.roots[0], [entry], True)
    placed = ground.target.set_aside(
        SourcePath(ground.roots[0], "file"), entry, where, "r1", lambda _: None, asides.append, FULL
    )
    assert placed.fidelity == dict.fromkeys(WINDOWS, Kept.KEPT)
    assert ((ground.disk / "to" / "file").read_bytes(), ground.told("file").attributes) == (b"new", HAS.attributes)

    undo = SmbUndo(ground.target, "blake3", dry=False)
    assert undo.give_back(asides[0], lambda _: None) == Undone(f"{ground.roots[1]}\\file", Fate.RETURNED, 4)
    after = ground.told("file")
    assert ((ground.disk / "to" / "file").read_bytes(), after.streams) == (b"mine", OLD.streams)
    untold = {"changed_ns": None, "accessed_ns": None}  # it has been moved, and read
    assert replace(after, **untold) == replace(before, **untold)

    (ground.disk / "to" / "file").unlink()
    placed = ground.placed("file")
    added = Outcome("g1", "file", f"{ground.roots[1]}\\file", Verdict.RESTORED, 3, 0, placed.checksum)
    assert undo.take_away(added, where, lambda _: None).fate is Fate.REMOVED
    assert [one.name for one in (ground.disk / "to").rglob("*") if one.is_file() and one.name == "file"] == []


def no_stream(one: Stream) -> Reader:
    raise AssertionError(f"{one.name} is not there to be read")


def test_a_sidecar_is_put_on_the_file_that_it_is_of_and_on_no_other(ground: Ground) -> None:
    put(ground.disk / "from" / "file", b"content")
    ground.placed("file", wishes=Wishes())
    mtime_ns = scanned(ground.source, ground.roots[1])["file"].mtime_ns
    left = Left("", EntryKind.FILE, 7, mtime_ns, Properties(created_ns=BORN, descriptor=from_sddl(SDDL)))
    target = TargetPath(ground.roots[1], "file")
    assert ground.target.put_back(left, target, no_stream, dry=True) == frozenset()
    assert ground.told("file").created_ns != BORN
    assert ground.target.put_back(left, target, no_stream) == frozenset()
    found = ground.told("file")
    assert found.created_ns == BORN
    assert found.descriptor is not None
    assert to_sddl(found.descriptor) == SDDL
    put(ground.disk / "to" / "file", b"somebody else's")
    with pytest.raises(FileError) as told:
        ground.target.put_back(left, target, no_stream)
    assert told.value.reason is Reason.CHANGED


def test_a_link_that_only_windows_understands_waits_in_the_sidecar_and_any_other_is_made(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    root, wishes = str(tmp_path / "to"), Wishes(links=LinkPolicy.LINK)
    with closing(LocalTarget([root])) as target, closing(Sidecar(tmp_path / "run")) as sidecar:
        for name, text, kept in (("drive", r"C:\Data", Kept.SIDECAR), ("near", "../Data", Kept.KEPT)):
            has = Properties(attributes=0x400, link_to=text)
            entry, place = Entry(name, EntryKind.LINK), TargetPath(root, name)
            run = target.hashing("blake3", sidecar)
            placed = run.link(SourcePath("", name), entry, place, has, False, wishes)
            assert placed.fidelity[Property.LINK] is kept
    assert {one.name: os.readlink(one) for one in (tmp_path / "to").iterdir()} == {"near": "../Data"}
    (line,) = read_sidecar(tmp_path / "run")
    assert isinstance(line, Left)
    assert (line.target, line.properties.link_to) == (f"{root}/drive", r"C:\Data")


def test_what_a_linux_folder_could_not_hold_is_put_on_the_share_to_which_the_files_were_moved(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ground.disk / "from" / "sub" / "file", b"content")
    open_to_all = from_sddl("O:BAG:BUD:PAI(A;OICIID;FA;;;WD)")  # else the account could not put anything on twice
    ground.dressed("sub\\file", replace(HAS, attributes=HIDDEN, descriptor=open_to_all), STREAMS)
    ground.dressed("sub", Properties(created_ns=BORN, modified_ns=WRITTEN, descriptor=open_to_all))
    monkeypatch.setenv("SHARE_PASSWORD", PASSWORD)
    (tmp_path / "restore").mkdir()
    allow = [str(tmp_path / "restore"), ground.roots[1]]
    account = {"path": r"\\127.0.0.1", "username": ground.server.user, "password_env": "SHARE_PASSWORD"}
    config = Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "a", "password_env": "NOT_READ"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "shares": [{**account, "port": ground.server.port}],
            "targets": {"allow": allow},
            "state": {"folder": str(tmp_path / "state")},
        }
    )
    with (
        closing(Sidecar(tmp_path / "state" / "runs" / "r1")) as sidecar,
        closing(LocalTarget(allow[:1], opening=ground.source.open, streams=ground.source.open_stream)) as target,
    ):
        run, found = target.hashing("blake3", sidecar), scanned(ground.source, ground.roots[0])
        file, folder = (TargetPath(allow[0], name) for name in ("sub/file", "sub"))
        ground.source.expect(ground.roots[0], [found["sub/file"]], True)
        placed = run.place(
            SourcePath(ground.roots[0], "sub/file"), found["sub/file"], file, False, lambda _: None, FULL
        )
        path = SourcePath(ground.roots[0], "sub")
        run.dress(path, found["sub"], folder, ground.source.properties(path, found["sub"]), FULL)
    left = (Property.CREATED, Property.ATTRIBUTES, Property.STREAMS, Property.DESCRIPTOR)
    assert {placed.fidelity[one] for one in left} == {Kept.SIDECAR}
    shutil.copytree(tmp_path / "restore", ground.disk / "to", dirs_exist_ok=True)
    prefixes = {allow[0]: allow[1]}
    for dry in (True, False, False):
        applied = apply_metadata(config, "r1", prefixes, dry=dry, tell=lambda files, size: None)
        assert (applied.unapplied, applied.applied) == ({}, 2)
    told = ground.told("sub/file")
    assert (told.created_ns, told.attributes, told.modified_ns) == (BORN, HIDDEN, WRITTEN)
    assert set(told.streams) == set(HAS.streams)
    assert told.descriptor == open_to_all
    assert ground.told("sub").created_ns == BORN
