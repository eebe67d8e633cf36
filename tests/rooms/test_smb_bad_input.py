"""What a share may do to its reader: each time a clear outcome or error, and nothing half done."""

import itertools
import os
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.sddl import to_sddl
from orchestrator.files import LocalTarget
from orchestrator.files.smb.folders import Listed
from orchestrator.files.smb.packets import BadAnswer, Command
from orchestrator.files.smb.properties import properties_at
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import StatusError
from orchestrator.files.smb.walk import walk
from orchestrator.files.walk import unheard
from tests.rooms.test_smb_properties import content, scanned
from tests.rooms.test_smb_queries import CLOSED, EVERYTHING, OPENED, STREAMS, output_body, scripted
from tests.rooms.test_smb_wire import child
from tests.support.disk import put
from tests.support.samba import Samba, samba, smb_source, wire

NUMBERS = itertools.count()
PLAIN_SMB2 = {"server_max_protocol": "SMB2_10"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    with samba({"share": tmp_path_factory.mktemp("served")}, mangled_names="no") as running:
        yield running


@pytest.fixture
def share(server: Samba) -> Path:
    """A folder of the share for one test alone."""
    folder = server.shares["share"] / f"test-{next(NUMBERS)}"
    folder.mkdir()
    return folder


# Encryption


def test_a_server_that_asks_for_encryption_which_its_protocol_cannot_carry_is_told_with_the_cause(
    tmp_path: Path,
) -> None:
    with (
        samba({"share": tmp_path}, server_smb_encrypt="required", **PLAIN_SMB2) as one,
        closing(smb_source(one)) as source,
    ):
        with pytest.raises(OSError, match="ask for encryption, which needs SMB 3"):
            source.folders(one.unc("share"))
        found = source.look(SourcePath(one.unc("share"), ""))
        assert found is not None
        assert (found.kind, found.reason) == (EntryKind.UNREADABLE, Reason.ACCESS_DENIED)


def test_encryption_that_the_config_asks_for_is_never_left_away(tmp_path: Path) -> None:
    with (
        samba({"share": tmp_path}, **PLAIN_SMB2) as one,
        closing(smb_source(one, encrypt=True)) as source,
        pytest.raises(OSError, match="does not encrypt, which needs SMB 3; update"),
    ):
        source.folders(one.unc("share"))


# Breaking off


@pytest.mark.parametrize("size", [40_000, 6 << 20])
def test_a_connection_that_is_cut_brings_all_the_same_what_is_beside_the_content(
    server: Samba, share: Path, size: int
) -> None:
    data = [os.urandom(size) for _ in range(4)]
    for number, one in enumerate(data):
        put(share / str(number), one)
    with wire(server.port) as line:
        with closing(smb_source(server, port=line.port, connections=1)) as source:
            root = server.unc("share", share.name)
            entries = list(scanned(source, root).values())
            source.properties(SourcePath(root, "0"), entries[0])
            line.cut_after, line.cuts = size * 2, 1
            line.cut()
            source.expect(root, entries, True)
            for entry, one in zip(entries, data, strict=True):
                reading = source.open(SourcePath(root, entry.relative), entry)
                assert content(reading) == one
                found = reading.properties()
                assert found.descriptor is not None
                assert found.modified_ns == entry.mtime_ns
                reading.close()
        assert line.cuts == 0


def test_a_connection_that_breaks_for_good_is_an_error_and_no_half_a_file(
    server: Samba, share: Path, tmp_path: Path
) -> None:
    put(share / "file", bytes(40 << 20))
    with wire(server.port) as line, closing(smb_source(server, port=line.port)) as source:
        root, entry = server.unc("share", share.name), Entry("file", EntryKind.FILE, 40 << 20)

        def check(_: int) -> None:
            line.close()

        target = LocalTarget([str(tmp_path / "out")], opening=source.open)
        with pytest.raises(FileError) as told:
            target.place(SourcePath(root, "file"), entry, TargetPath(str(tmp_path / "out"), "file"), False, check)
        assert told.value.reason is Reason.READ_ERROR
        assert os.listdir(tmp_path / "out") == []


# Names


def test_names_that_windows_could_not_have_given_come_through_with_their_own_content(
    server: Samba, share: Path, tmp_path: Path
) -> None:
    names = ["CON", "aux.txt", "nul", "COM1", "dot.", "dots...", "blank ", " first", "semi;colon", "per%cent"]
    for name in names:
        put(share / name, name.encode())
    with closing(smb_source(server)) as source:
        root = server.unc("share", share.name)
        found = scanned(source, root)
        assert sorted(found) == sorted(names)
        target = LocalTarget([str(tmp_path / "out")], opening=source.open)
        source.expect(root, found.values(), True)
        for name, entry in found.items():
            target.place(SourcePath(root, name), entry, TargetPath(str(tmp_path / "out"), name), False, lambda _: None)
    assert {one.name: one.read_text() for one in (tmp_path / "out").iterdir()} == {name: name for name in names}


def test_a_name_with_half_a_character_is_one_entry_that_says_so() -> None:
    found = walked(child("ok"), child("half\ud83d", after=0))
    assert found["ok"].kind is EntryKind.FILE
    assert found["half\\ud83d"].reason is Reason.NAME_UNUSABLE


# Listings that lie


def query(*children: bytes, status: int = 0) -> tuple[Command, bytes, int]:
    return Command.QUERY_DIRECTORY, output_body(b"".join(children)), status


END = query(status=0x80000006)


def walked(*children: bytes) -> dict[str, Entry]:
    """What a walk makes of a listing."""
    live, _ = scripted(OPENED, query(*children), END)

    class Only:
        def live(self) -> Live:
            return live

    batches = walk(Only(), "", "", lambda _: True, unheard)  # type: ignore[arg-type]
    return {entry.relative: entry for batch in batches for entry in batch}


@pytest.mark.parametrize("size", [(1 << 64) - 1, 1 << 63, (1 << 63) - 1, (1 << 53) + 1])
def test_a_size_that_no_file_has_is_one_entry_that_says_so(size: int) -> None:
    found = walked(child("ok", size=1 << 53), child("lie", size=size, after=0))
    assert (found["ok"].kind, found["ok"].size) == (EntryKind.FILE, 1 << 53)
    assert (found["lie"].kind, found["lie"].reason) == (EntryKind.UNREADABLE, Reason.READ_ERROR)
    assert str(size) in found["lie"].message
    assert found["lie"].size == 0


@pytest.mark.parametrize("after", [3, 104, 1 << 20, (1 << 32) - 8])
def test_a_listing_with_an_offset_out_of_range_is_a_folder_that_cannot_be_read(after: int) -> None:
    found = walked(child("abc", after=after), child("next", after=0))
    assert [entry.kind for entry in found.values()] == [EntryKind.UNREADABLE]
    assert "cannot be used" in found[""].message


def test_a_listing_that_goes_round_in_a_circle_is_left() -> None:
    pages = [query(child(name), child(name + "2", after=0)) for name in ("a", "b", "c", "d", "c", "d", "c")]
    live, _ = scripted(OPENED, *pages)
    with pytest.raises(BadAnswer, match="leads in a circle"):
        list(Listed(live, "").buffers())


def test_a_listing_that_goes_on_with_nothing_is_left() -> None:
    live, _ = scripted(OPENED, query(child("a", after=0)), query(child("b", after=0)), query())
    with pytest.raises(BadAnswer):
        list(Listed(live, "").buffers())


# Reparse points


@pytest.mark.parametrize(
    ("tag", "attributes", "kind", "told"),
    [
        (0xA000000C, 0x400, EntryKind.LINK, "a symbolic link"),
        (0xA0000003, 0x410, EntryKind.LINK, "a junction or mounted volume"),
        (0xA000001D, 0x400, EntryKind.LINK, "Windows Subsystem for Linux"),
        (0x80000024, 0x400, EntryKind.SPECIAL, "a pipe, socket or device"),
        (0x80000013, 0x400, EntryKind.FILE, ""),
        (0x9000601A, 0x400, EntryKind.FILE, ""),
        (0x80000017, 0x400, EntryKind.FILE, ""),
    ],
)
def test_what_stands_for_something_else_is_told_apart(tag: int, attributes: int, kind: EntryKind, told: str) -> None:
    found = walked(child("it", attributes=attributes, tag=tag, after=0))["it"]
    assert found.kind is kind
    assert told in found.message


def test_a_placeholder_whose_content_is_elsewhere_says_so() -> None:
    for status, told in ((0xC000CF00, "in the cloud, and not in the backup"), (0xC0000279, "deduplication")):
        assert told in str(StatusError(status, "a"))


# Descriptors


def test_a_descriptor_that_does_not_parse_is_carried_as_it_came_and_refused_as_text() -> None:
    noise = struct.pack("<I", 0xDEADBEEF) * 9
    live, _ = scripted(OPENED, STREAMS, (Command.QUERY_INFO, output_body(noise)), CLOSED)
    found: Properties = properties_at(live, "a", EVERYTHING)
    assert (found.descriptor, found.unread) == (noise, frozenset())
    with pytest.raises(ValueError, match="revision"):
        to_sddl(noise)
