"""Links and further names on a share: made where the server allows it, left over where it refuses."""

import itertools
import os
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Kept, LinkPolicy, Metadata, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.reparse import PointKind, as_posix, parse_point, symlink_point
from orchestrator.core.sidecar import Left
from orchestrator.files import Sidecar, read_sidecar
from orchestrator.files.authors import partial_name
from orchestrator.files.smb import SmbTarget
from orchestrator.files.smb.holding import HeldFolder
from orchestrator.files.smb.linking import begin_link, end_link, name_again, text_at
from orchestrator.files.smb.packets import Command, Request
from orchestrator.files.smb.share import Share
from orchestrator.files.smb.status import ACCESS_DENIED, NAME_TAKEN, OK, PRIVILEGE_MISSING, StatusError
from tests.rooms.test_smb_refusing import Only, Strict, live_at
from tests.support.disk import MTIME_NS, entry_of, put, source_of
from tests.support.samba import Samba, samba, smb_target

NUMBERS = itertools.count()
LINK = Wishes(Metadata.FULL, links=LinkPolicy.LINK)
KEPT_NS = MTIME_NS // 100 * 100
HARD_LINK = 11


# What a link says


@pytest.mark.parametrize(
    ("text", "relative", "posix"),
    [
        ("..\\Data\\größe", True, "../Data/größe"),
        ("file", True, "file"),
        ("\\Shares", True, None),
        ("C:\\Data", False, None),
        ("\\\\fs01\\Data\\x", False, None),
    ],
)
def test_a_link_that_is_made_reads_as_the_one_that_it_is_made_from(
    text: str, relative: bool, posix: str | None
) -> None:
    point = parse_point(symlink_point(text))
    assert (point.kind, point.target, point.relative) == (PointKind.SYMLINK, text, relative)
    assert as_posix(point) == posix


# A server that makes links


class Links(Strict):
    """A server that also makes files, gives them further names, and keeps reparse points, unless it `refuses`."""

    def __init__(self, files: dict[str, int]) -> None:
        super().__init__(files)
        self.points: dict[str, bytes] = {}
        self.folders: set[str] = set()
        self.dots = 0

    def _opened(self, request: Request) -> tuple[bytes, int, bytes]:
        _, disposition, options = struct.unpack_from("<III", request.body, 32)
        path = request.body[56:].decode("utf-16-le")
        if disposition == 2:
            if path in self.files:
                return b"", NAME_TAKEN, b""
            self.files[path] = 0x20
            if options & 1:
                self.folders.add(path)
        return super()._opened(request)

    def _done(self, request: Request, handle: bytes) -> tuple[bytes, int, bytes]:
        if request.command is Command.IOCTL:
            path, *_ = self.open[handle]
            if request.body[4:8] == struct.pack("<I", 0x000900A4):
                self.points[path] = request.body[56:]
                return handle, OK, struct.pack("<HHI16sIIIIII", 49, 0, 0, handle, 0, 0, 0, 0, 0, 0)
            point = self.points[path]
            return handle, OK, struct.pack("<HHI16sIIIIII", 49, 0, 0, handle, 0, 0, 112, len(point), 0, 0) + point
        before = self.open[handle][0] if handle in self.open else ""
        if request.command is Command.SET_INFO and request.body[3] == HARD_LINK:
            to = request.body[52:].decode("utf-16-le")
            if to in self.files:
                return handle, NAME_TAKEN, b""
            self.files[to] = self.files[before]
            return handle, OK, b""
        if request.command is Command.SET_INFO and request.body[3] == 10:
            to, replace = request.body[52:].decode("utf-16-le"), request.body[32]
            if to in self.files and not replace:
                return handle, NAME_TAKEN, b""
            self.points.pop(to, None)
            if before in self.points:
                self.points[to] = self.points.pop(before)
        return super()._done(request, handle)


def folder_at(server: Strict, path: str = "") -> HeldFolder:
    live = live_at(server)
    return HeldFolder(cast(Share, Only(live)), live, path, b"F" * 16, made=False)


def linked(server: Links, has: Properties, *, replace: bool = False) -> bool:
    live, folder = live_at(server), folder_at(server)
    path = begin_link(live, folder, "link", has)
    if path is not None:
        end_link(live, folder, path, "link", replace=replace)
    assert server.open == {}
    assert partial_name("link") not in server.files
    return path is not None


@pytest.mark.parametrize(
    ("has", "text"),
    [
        (Properties(link_to="../a/b.txt"), "../a/b.txt"),
        (Properties(attributes=0x400, link_to=r"C:\Data"), r"C:\Data"),
        (Properties(attributes=0x400, link_to=r"\\fs01\Data"), r"\\fs01\Data"),
    ],
)
def test_a_link_is_made_and_says_what_the_backups_did(has: Properties, text: str) -> None:
    server = Links({partial_name("link"): 0})  # a leftover of a run that was killed
    assert linked(server, has)
    assert text_at(live_at(server), "link") == text


def test_links_to_folders_are_kept_apart_from_those_to_files() -> None:
    for attributes, folder in ((0x410, True), (0x400, False)):
        server = Links({})
        assert linked(server, Properties(attributes=attributes, link_to="there"))
        assert bool(server.folders) is folder


@pytest.mark.parametrize("text", ["/srv/data", "a:b", "CON", "what?", ""])
def test_a_place_that_only_another_system_knows_gets_no_link(text: str) -> None:
    server = Links({})
    assert not linked(server, Properties(link_to=text))
    assert server.files == {}


def test_a_link_replaces_another_one_only_when_it_is_to() -> None:
    server = Links({})
    assert linked(server, Properties(link_to="old"))
    with pytest.raises(OSError, match="File exists"):
        linked(server, Properties(link_to="new"))
    assert text_at(live_at(server), "link") == "old"
    assert linked(server, Properties(link_to="new"), replace=True)
    assert text_at(live_at(server), "link") == "new"


@pytest.mark.parametrize("status", [ACCESS_DENIED, PRIVILEGE_MISSING, 0xC0000010, 0xC00000BB])
def test_a_server_that_makes_no_links_is_left_as_it_was(status: int) -> None:
    server = Links({})
    server.refuses = lambda request: status if request.command is Command.IOCTL else OK
    assert not linked(server, Properties(link_to="there"))
    assert (server.files, server.points) == ({}, {})


def test_a_server_that_gives_no_file_two_names_says_so_and_is_left_as_it_was() -> None:
    server = Links({"first": 0, "second": 0})
    server.refuses = lambda request: 0xC00000BB if request.command is Command.SET_INFO else OK
    for replace in (False, True):
        with pytest.raises(StatusError):
            name_again(live_at(server), "first", folder_at(server), "second", replace=replace)
    assert (set(server.files), server.open) == ({"first", "second"}, {})


# A real server, which makes no links, and further names


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    with samba({"restore$": tmp_path_factory.mktemp("served")}) as running:
        yield running


class Ground:
    def __init__(self, target: SmbTarget, root: str, disk: Path, local: Path) -> None:
        self.target, self.root, self.disk, self.local = target, root, disk, local

    def path(self, relative: str) -> TargetPath:
        return TargetPath(self.root, relative)

    def place(self, relative: str, data: bytes = b"content") -> Placed:
        file = put(self.local / "one", data)
        return self.target.place(source_of(file), entry_of(file), self.path(relative), False, lambda _: None)


@pytest.fixture
def ground(server: Samba, tmp_path: Path) -> Iterator[Ground]:
    disk = server.shares["restore$"] / f"test-{next(NUMBERS)}"
    disk.mkdir()
    root = server.unc("restore$", disk.name)
    with closing(smb_target(server, [root])) as target, closing(Sidecar(tmp_path / "run")) as sidecar:
        yield Ground(target.hashing("blake3", sidecar), root, disk, tmp_path)


def test_where_a_server_makes_no_links_they_wait_in_the_sidecar_with_all_they_are(ground: Ground) -> None:
    has = Properties(modified_ns=KEPT_NS, link_to="../Data")
    entry, where = Entry("link", EntryKind.LINK), ground.path("a/link")
    placed = ground.target.link(SourcePath("", "link"), entry, where, has, False, LINK)
    assert placed.fidelity == dict.fromkeys((Property.LINK, Property.TIMES), Kept.SIDECAR)
    assert os.listdir(ground.disk / "a") == []
    (line,) = read_sidecar(ground.local / "run")
    assert isinstance(line, Left)
    assert (line.properties.link_to, line.properties.modified_ns) == ("../Data", KEPT_NS)
    assert ground.target.put_back(line, where, lambda one: pytest.fail(one.name), dry=True) == frozenset()
    left = ground.target.put_back(line, where, lambda one: pytest.fail(one.name))
    assert Property.LINK in left
    put(ground.disk / "a" / "link", b"somebody's")
    with pytest.raises(FileError) as told:
        ground.target.put_back(line, where, lambda one: pytest.fail(one.name))
    assert told.value.reason is Reason.EXISTS


def test_a_file_gets_a_further_name_which_takes_the_place_of_another_only_when_it_is_to(ground: Ground) -> None:
    ground.place("a/first")
    first, second = ground.path("a/first"), ground.path("b/second")
    ground.target.name_again(first, second, False)
    assert (ground.disk / "b/second").samefile(ground.disk / "a/first")
    assert ground.target.one_file(first, second)
    assert ground.target.look(second) == Found(FoundKind.FILE, 7, KEPT_NS)

    ground.place("b/third", b"another")
    third = ground.path("b/third")
    assert not ground.target.one_file(first, third)
    with pytest.raises(FileError) as told:
        ground.target.name_again(first, third, False)
    assert told.value.reason is Reason.EXISTS
    put(ground.disk / "b" / partial_name("third"), b"leftover of a run that was killed")
    for _ in range(2):  # a rename over a name of the same file does nothing, and would leave the partial one
        ground.target.name_again(first, third, True)
        assert (ground.disk / "b/third").samefile(ground.disk / "a/first")
        assert set(os.listdir(ground.disk / "b")) == {"second", "third"}


def test_a_folder_gets_no_second_name(ground: Ground) -> None:
    ground.target.make_folder(ground.path("folder"))
    with pytest.raises(FileError):
        ground.target.name_again(ground.path("folder"), ground.path("again"), False)
    assert os.listdir(ground.disk) == ["folder"]
