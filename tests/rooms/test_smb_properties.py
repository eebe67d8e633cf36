"""What files on a share are beside their bytes, read from and put on a real Samba; and what is made of refusals."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties, Property, Stream
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from orchestrator.core.sddl import to_sddl
from orchestrator.core.security import parse
from orchestrator.files.readers import Reader
from orchestrator.files.smb import Account, SmbSource
from orchestrator.files.smb.putting import Put, put
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.shares import Shares
from tests.support.disk import put as write
from tests.support.samba import PASSWORD, Samba, needs_modules, other_account, samba, smb_source
from tests.support.sddl import from_sddl

NUMBERS = itertools.count()
LARGE = (5 << 20) + 12_345
BORN, SEEN, WRITTEN = (1_600_000_000_123_456_700, 1_650_000_000_765_432_100, 1_700_000_000_111_222_300)
HIDDEN, READ_ONLY, ARCHIVE = 0x2, 0x1, 0x20


@contextmanager
def windows_like(**options: str) -> Iterator[Samba]:
    """A server that keeps descriptors and streams of any size, and leaves what Unix thinks of it alone; its folder can
    be reached by every account."""
    needs_modules()
    kept = {"vfs_objects": "acl_tdb streams_depot", "acl_tdb:ignore system acls": "yes"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with samba({"share": Path(folder)}, **{**kept, **options}) as running:
            yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Samba]:
    with windows_like() as running:
        yield running


@pytest.fixture
def share(server: Samba) -> Path:
    """A folder of the share for one test alone."""
    folder = server.shares["share"] / f"test-{next(NUMBERS)}"
    folder.mkdir()
    return folder


class Held:
    """The content of a stream that is to be put."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, buffer: bytearray) -> memoryview:
        piece, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        return memoryview(piece)

    def seek(self, offset: int) -> None:
        raise NotImplementedError

    def properties(self) -> Properties:
        return Properties()

    def close(self) -> None:
        pass


def reader(content: bytes) -> Reader:
    return Held(content)


def live_of(shares: Shares, server: Samba) -> Live:
    return shares.at(server.unc("share"))[0].live()


def dress(server: Samba, name: str, has: Properties, streams: dict[str, bytes] | None = None, account: str = "") -> Put:
    """Put `has` on what is at `name` below the share."""
    source = as_who(server, account or server.user)
    with closing(source._shares) as shares:
        return put(
            live_of(shares, server), name, has, lambda _: True, lambda one: reader((streams or {})[one.name]), int
        )


def as_who(server: Samba, account: str) -> SmbSource:
    return smb_source(server, account=Account(account, PASSWORD, "$SHARE_PASSWORD"))


def scanned(source: SmbSource, root: str) -> dict[str, Entry]:
    return {entry.relative: entry for batch in source.scan(SourcePath(root, ""), lambda _: True) for entry in batch}


def content(reading: Reader) -> bytes:
    buffer = bytearray(1 << 20)
    return b"".join(iter(lambda: bytes(reading.read(buffer)), b""))


SDDL = "O:BAG:BUD:PAI(D;;FA;;;S-1-5-21-1-2-3-1001)(A;OICI;FA;;;BA)(A;;0x1200a9;;;BU)"


# Reading


@pytest.mark.parametrize("along", [True, False])
@pytest.mark.parametrize("size", [0, 5, LARGE])
def test_a_file_comes_with_its_times_attributes_streams_and_descriptor(
    server: Samba, share: Path, size: int, along: bool
) -> None:
    write(share / "file", data := os.urandom(size))
    streams = {"Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\n", "größe": os.urandom(3 << 20), "empty": b""}
    has = Properties(
        created_ns=BORN,
        accessed_ns=SEEN,
        modified_ns=WRITTEN,
        attributes=HIDDEN | READ_ONLY | ARCHIVE,
        descriptor=from_sddl(SDDL),
        streams=tuple(Stream(name, len(one)) for name, one in streams.items()),
    )
    done, left = dress(server, f"{share.name}\\file", has, streams)
    assert (done, left) == (
        {Property.CREATED, Property.TIMES, Property.ATTRIBUTES, Property.DESCRIPTOR, Property.STREAMS}, frozenset(),
    )  # fmt: skip
    root = server.unc("share", share.name)
    with closing(smb_source(server)) as source:
        entry = scanned(source, root)["file"]
        source.expect(root, [entry], along)
        reading = source.open(SourcePath(root, "file"), entry)
        found = reading.properties()
        assert (found.created_ns, found.modified_ns) == (BORN, WRITTEN)
        if along:  # else the server has noted by now that it was read
            assert found.accessed_ns == SEEN
        assert found.attributes == HIDDEN | READ_ONLY | ARCHIVE
        assert found.descriptor is not None
        assert to_sddl(found.descriptor) == SDDL
        assert set(found.streams) == set(has.streams)
        assert found.unread == frozenset()
        assert content(reading) == data
        reading.close()
        for one in found.streams:
            stream = source.open_stream(SourcePath(root, "file"), entry, one.name)
            assert content(stream) == streams[one.name]
            stream.close()


def test_a_folder_has_streams_and_a_descriptor_too(server: Samba, share: Path) -> None:
    (share / "folder").mkdir()
    has = Properties(created_ns=BORN, modified_ns=WRITTEN, descriptor=from_sddl(SDDL), streams=(Stream("note", 4),))
    _, left = dress(server, f"{share.name}\\folder", has, {"note": b"here"})
    assert not left
    root = server.unc("share", share.name)
    with closing(smb_source(server)) as source:
        found = source.properties(SourcePath(root, "folder"), Entry("folder", EntryKind.FOLDER))
        assert (found.created_ns, found.modified_ns, found.streams) == (BORN, WRITTEN, has.streams)
        assert found.descriptor is not None
        assert to_sddl(found.descriptor) == SDDL
        stream = source.open_stream(SourcePath(root, "folder"), Entry("folder", EntryKind.FOLDER), "note")
        assert content(stream) == b"here"


def test_more_streams_and_a_longer_descriptor_than_there_is_room_for_come_whole(server: Samba, share: Path) -> None:
    write(share / "file", b"content")
    streams = {f"a stream with a name that is somewhat longer {number:04d}": b"%d" % number for number in range(200)}
    sddl = "D:P" + "".join(f"(A;;FR;;;S-1-5-21-1-2-3-{1000 + number})" for number in range(600))
    has = Properties(descriptor=from_sddl(sddl), streams=tuple(Stream(name, len(one)) for name, one in streams.items()))
    _, left = dress(server, f"{share.name}\\file", has, streams)
    assert not left
    root = server.unc("share", share.name)
    with closing(smb_source(server)) as source:
        entry = scanned(source, root)["file"]
        source.expect(root, [entry], True)
        reading = source.open(SourcePath(root, "file"), entry)
        assert content(reading) == b"content"
        found = reading.properties()
        assert set(found.streams) == set(has.streams)
        assert found.descriptor is not None
        assert to_sddl(found.descriptor).partition("D:")[2] == sddl.partition("D:")[2]


def test_a_share_that_has_no_streams_tells_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "served" / "file", b"content")
    with samba({"share": tmp_path / "served"}) as one, closing(smb_source(one)) as source:
        root = one.unc("share")
        entry = scanned(source, root)["file"]
        source.expect(root, [entry], True)
        reading = source.open(SourcePath(root, "file"), entry)
        found = reading.properties()
        assert (content(reading), found.streams, found.unread) == (b"content", (), frozenset())
        assert found.descriptor is not None
        assert parse(found.descriptor).owner is not None
        with pytest.raises(FileError) as told:
            source.open_stream(SourcePath(root, "file"), entry, "none")
        assert told.value.reason is Reason.VANISHED


@pytest.mark.parametrize("name", ["", "a:b", "..\\..\\x", "a/b", "nul\0"])
def test_a_stream_whose_name_would_lead_elsewhere_is_refused(server: Samba, share: Path, name: str) -> None:
    write(share / "file", b"content")
    with closing(smb_source(server)) as source, pytest.raises(FileError, match="no name of a stream"):
        source.open_stream(SourcePath(server.unc("share", share.name), "file"), Entry("file", EntryKind.FILE, 7), name)


# Rights and privileges


def closed_to_others(server: Samba, share: Path) -> str:
    """A file and a folder with a file that only administrators may open, whatever Unix says; the root."""
    write(share / "closed", b"content")
    write(share / "folder" / "inside", b"content")
    for path in (share, *share.rglob("*")):
        path.chmod(0o777)
    for name in ("closed", "folder\\inside", "folder"):
        has = Properties(descriptor=from_sddl("O:BAG:BAD:P(A;OICI;FA;;;BA)"))
        assert dress(server, f"{share.name}\\{name}", has)[0] == {Property.DESCRIPTOR}
    return server.unc("share", share.name)


def test_a_file_that_the_account_may_not_read_is_said_so_and_what_would_help(server: Samba, share: Path) -> None:
    root, account = closed_to_others(server, share), other_account(server)
    with closing(as_who(server, account)) as source:
        found = scanned(source, root)
        assert (found["folder"].kind, found["folder"].reason) == (EntryKind.UNREADABLE, Reason.ACCESS_DENIED)
        for along in (False, True):
            source.expect(root, [found["closed"]], along)
            with pytest.raises(FileError, match=r"access denied.*account that holds backup privilege") as told:
                source.open(SourcePath(root, "closed"), found["closed"])
            assert told.value.reason is Reason.ACCESS_DENIED


def test_an_account_that_may_do_everything_reads_what_descriptors_hide() -> None:
    with windows_like(admin_users="games") as one:
        share = one.shares["share"] / "test"
        share.mkdir()
        root, account = closed_to_others(one, share), other_account(one)
        with closing(as_who(one, account)) as source:
            found = scanned(source, root)
            assert {entry.kind for entry in found.values()} == {EntryKind.FILE, EntryKind.FOLDER}
            source.expect(root, found.values(), True)
            for name in ("closed", "folder/inside"):
                reading = source.open(SourcePath(root, name), found[name])
                assert content(reading) == b"content"
                descriptor = reading.properties().descriptor
                assert descriptor is not None
                assert to_sddl(descriptor) == "O:BAG:BAD:P(A;OICI;FA;;;BA)"


def test_a_descriptor_that_may_not_be_read_does_not_keep_the_content_from_being_read(
    server: Samba, share: Path
) -> None:
    account = other_account(server)
    write(share / "half", b"content")
    write(share / "large", bytes(LARGE))
    for path in (share, *share.iterdir()):
        path.chmod(0o777)
    # Reading data and attributes is allowed to everybody; reading the permissions to nobody but administrators, also
    # not to the owner.
    has = Properties(descriptor=from_sddl("O:BAG:BAD:P(A;;0x100081;;;WD)(A;;FA;;;BA)"))
    for name in ("half", "large"):
        assert dress(server, f"{share.name}\\{name}", has)[0] == {Property.DESCRIPTOR}
    root = server.unc("share", share.name)
    with closing(as_who(server, account)) as source:
        found = scanned(source, root)
        source.expect(root, found.values(), True)
        for name, wanted in (("half", b"content"), ("large", bytes(LARGE))):
            reading = source.open(SourcePath(root, name), found[name])
            assert content(reading) == wanted
            told = reading.properties()
            assert (told.descriptor, told.unread) == (None, {Property.DESCRIPTOR})
            assert told.modified_ns == found[name].mtime_ns
            reading.close()


def test_audit_entries_come_and_go_with_the_privilege_and_are_not_missed_without_it(server: Samba, share: Path) -> None:
    sddl = "O:BAG:BAD:P(A;;FA;;;WD)S:P(AU;SAFA;0x10116;;;WD)"
    write(share / "file", b"content")
    for path in (share, share / "file"):
        path.chmod(0o777)
    root, entry = server.unc("share", share.name), Entry("file", EntryKind.FILE, 7)
    done, left = dress(server, f"{share.name}\\file", Properties(descriptor=from_sddl(sddl)))
    assert (done, left) == ({Property.DESCRIPTOR}, {Property.AUDIT})
    account = other_account(server, "SeSecurityPrivilege", "SeRestorePrivilege", "SeTakeOwnershipPrivilege")
    done, left = dress(server, f"{share.name}\\file", Properties(descriptor=from_sddl(sddl)), account=account)
    assert Property.AUDIT in done
    for who, wanted in ((account, sddl), (server.user, sddl.partition("S:")[0])):
        with closing(as_who(server, who)) as source:
            source.expect(root, [entry], True)
            found = source.open(SourcePath(root, "file"), entry).properties()
            assert found.descriptor is not None
            assert (to_sddl(found.descriptor), found.unread) == (wanted, frozenset())


# Putting


def test_what_the_server_does_not_take_is_left_over_and_the_rest_is_there(tmp_path: Path) -> None:
    write(tmp_path / "served" / "file", b"content")
    has = Properties(
        modified_ns=WRITTEN,
        descriptor=from_sddl("O:S-1-5-21-7-7-7-1001G:S-1-5-21-7-7-7-513D:P(A;;FA;;;WD)"),
        streams=(Stream("note", 4),),
    )
    with samba({"share": tmp_path / "served"}) as one:  # no streams, and owners only whom it knows
        done, left = dress(one, "file", has, {"note": b"here"})
    assert (done, left) == ({Property.TIMES}, {Property.DESCRIPTOR, Property.STREAMS})
    assert (tmp_path / "served" / "file").stat().st_mtime_ns == WRITTEN
    assert (tmp_path / "served" / "file").read_bytes() == b"content"


def test_a_stream_that_is_not_what_was_told_is_left_over(server: Samba, share: Path) -> None:
    write(share / "file", b"content")
    has = Properties(streams=(Stream("short", 9), Stream("whole", 4)))
    done, left = dress(server, f"{share.name}\\file", has, {"short": b"here", "whole": b"here"})
    assert (done, left) == (frozenset(), {Property.STREAMS})


def test_a_descriptor_that_does_not_parse_is_left_over_and_changes_nothing(server: Samba, share: Path) -> None:
    write(share / "file", b"content")
    root, entry = server.unc("share", share.name), Entry("file", EntryKind.FILE, 7)
    with closing(smb_source(server)) as source:
        before = source.properties(SourcePath(root, "file"), entry).descriptor
        for spoilt in (b"", b"noise", from_sddl(SDDL)[:40], from_sddl(SDDL).replace(b"\x02\x00", b"\xff\xff", 1)):
            has = Properties(descriptor=spoilt)
            assert not dress(server, f"{share.name}\\file", has)[0]
        assert source.properties(SourcePath(root, "file"), entry).descriptor == before
