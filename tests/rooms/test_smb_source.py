"""Shares by UNC path, against a real Samba; and what is made of a server that lies or breaks off."""

import itertools
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.files import LocalTarget
from orchestrator.files.smb import Account, SmbSource
from orchestrator.files.smb.connection import Connection, ConnectionLost
from orchestrator.files.smb.conversation import Conversation, Exchange
from orchestrator.files.smb.guarding import Cipher, Sealing
from orchestrator.files.smb.logon import log_on
from orchestrator.files.smb.packets import HEADER_SIZE, BadAnswer, Command, close, data, open_file, read, write
from orchestrator.files.smb.pieces import PIECES, Window
from orchestrator.files.smb.share import Live, parse_unc
from orchestrator.files.smb.walk import walk
from orchestrator.files.walk import unheard
from tests.rooms.test_smb_wire import KEY, OTHER, answer, child, created_body, data_body, standing
from tests.support.disk import MTIME_NS, put
from tests.support.samba import Samba, samba, smb_source, wire

NUMBERS = itertools.count()
LARGE = 5 * (1 << 20) + 12_345


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    folder = tmp_path_factory.mktemp("served")
    with samba({"share": folder}, mangled_names="no") as running:
        yield running


@pytest.fixture
def share(server: Samba) -> Path:
    """A folder of the share for one test alone."""
    folder = server.shares["share"] / f"test-{next(NUMBERS)}"
    folder.mkdir()
    return folder


def everything(source: SmbSource, root: str, start: str = "") -> dict[str, Entry]:
    batches = source.scan(SourcePath(root, start), lambda _: True)
    return {entry.relative: entry for batch in batches for entry in batch}


def content(source: SmbSource, root: str, entry: Entry) -> bytes:
    reader = source.open(SourcePath(root, entry.relative), entry)
    data, buffer = b"", bytearray(1 << 20)
    while piece := reader.read(buffer):
        data += piece
    reader.close()
    return data


def file_entry(relative: str, size: int) -> Entry:
    return Entry(relative, EntryKind.FILE, size)


# Reading


@pytest.mark.parametrize("algorithm", ["AES-128-GMAC", "AES-128-CMAC", "HMAC-SHA256"])
def test_files_of_every_size_come_whole_with_every_way_to_sign(tmp_path: Path, algorithm: str) -> None:
    data = {f"f{size}": os.urandom(size) for size in (0, 1, 65_536, 65_537, 1 << 20, (1 << 20) + 1, LARGE)}
    for name, one in data.items():
        put(tmp_path / "served" / name, one)
    old = {"server_max_protocol": "SMB2_10"} if algorithm.startswith("HMAC") else {}
    own = {"server_smb3_signing_algorithms": algorithm, **old}
    with samba({"share": tmp_path / "served"}, **own) as one, closing(smb_source(one)) as source:
        found = everything(source, one.unc("share"))
        source.expect(one.unc("share"), found.values())
        assert {name: content(source, one.unc("share"), entry) for name, entry in found.items()} == data


@pytest.mark.parametrize("cipher", ["AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"])
def test_files_come_whole_with_every_way_to_encrypt(tmp_path: Path, cipher: str) -> None:
    put(tmp_path / "served" / "large", large := os.urandom(LARGE))
    put(tmp_path / "served" / "small", b"small")
    own = {"server_smb_encrypt": "required", "server_smb3_encryption_algorithms": cipher}
    with samba({"share": tmp_path / "served"}, **own) as one, closing(smb_source(one)) as source:
        root = one.unc("share")
        assert content(source, root, file_entry("large", LARGE)) == large
        assert content(source, root, file_entry("small", 5)) == b"small"


def test_a_server_that_encrypts_one_share_only_is_answered_in_kind(tmp_path: Path) -> None:
    put(tmp_path / "served" / "small", b"small")
    with samba({"share": tmp_path / "served"}) as one, closing(smb_source(one, encrypt=True)) as source:
        assert content(source, one.unc("share"), file_entry("small", 5)) == b"small"


def test_a_folder_of_ten_thousand_files_is_listed_whole(server: Samba, share: Path) -> None:
    for number in range(10_000):
        (share / f"a file with a longer name, as people give them, {number:05d}.dat").touch()
    with closing(smb_source(server)) as source:
        found = list(everything(source, server.unc("share", share.name)))
        assert found == sorted(os.listdir(share))
        assert len(source.listing(SourcePath(server.unc("share", share.name), ""))) == 10_000


def test_a_server_that_sends_small_buffers_is_asked_again(tmp_path: Path) -> None:
    for number in range(3_000):
        (tmp_path / "served" / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "served" / str(number % 3) / f"{number}").touch()
    put(tmp_path / "served" / "large", large := os.urandom(1 << 20))
    limits = {"smb2_max_read": "65536", "smb2_max_trans": "65536", "smb2_max_credits": "128"}
    with samba({"share": tmp_path / "served"}, **limits) as one, closing(smb_source(one)) as source:
        assert len(everything(source, one.unc("share"))) == 3_004
        assert content(source, one.unc("share"), file_entry("large", 1 << 20)) == large


def test_names_that_only_unix_has_come_through_as_the_server_shows_them(server: Samba, share: Path) -> None:
    names = ["ümläut 日本", "dots...", "blank ", "\U0001f600", "x" * 240]
    for name in names:
        put(share / name, name.encode())
    with closing(smb_source(server)) as source:
        root = server.unc("share", share.name)
        found = everything(source, root)
        assert sorted(found) == sorted(names)
        assert {name: content(source, root, entry).decode() for name, entry in found.items()} == {n: n for n in names}


def test_a_folder_that_holds_itself_is_entered_once(server: Samba, share: Path) -> None:
    (share / "a" / "b").mkdir(parents=True)
    (share / "a" / "b" / "again").symlink_to(share / "a", target_is_directory=True)
    with closing(smb_source(server)) as source:
        found = everything(source, server.unc("share", share.name))
        assert sorted(found) == ["a", "a/b", "a/b/again"]
        assert (found["a/b/again"].kind, found["a/b/again"].reason) == (EntryKind.LINK, Reason.LINK_SKIPPED)


@pytest.mark.parametrize("size", [5, LARGE])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_changes_its_size_before_it_is_read_is_told(
    server: Samba, share: Path, size: int, change: int
) -> None:
    put(share / "file", bytes(size + change))
    with closing(smb_source(server)) as source, pytest.raises(FileError) as told:
        content(source, server.unc("share", share.name), file_entry("file", size))
    assert told.value.reason is Reason.CHANGED


@pytest.mark.parametrize("change", [-(2 << 20), 7])
def test_a_file_that_changes_its_size_while_it_is_read_is_no_copy(
    server: Samba, share: Path, tmp_path: Path, change: int
) -> None:
    put(share / "file", bytes(20 << 20))
    calls = []

    def check(count: int) -> None:
        calls.append(count)
        if len(calls) == 2:
            os.truncate(share / "file", (20 << 20) + change)

    with closing(smb_source(server)) as source:
        target = LocalTarget([str(tmp_path / "out")], opening=source.open)
        entry = file_entry("file", 20 << 20)
        arguments = SourcePath(server.unc("share", share.name), "file"), entry, target_of(tmp_path), False, check
        if change > 0:  # what was there when it was listed is there still, and is what was asked for
            assert target.place(*arguments).size == 20 << 20
        else:
            with pytest.raises(FileError) as told:
                target.place(*arguments)
            assert told.value.reason is Reason.CHANGED
            assert os.listdir(tmp_path / "out") == []


def target_of(tmp_path: Path) -> TargetPath:
    return TargetPath(str(tmp_path / "out"), "file")


def test_what_the_server_does_not_let_us_read_or_no_longer_has_is_one_file_with_its_reason(
    server: Samba, share: Path
) -> None:
    root = server.unc("share", share.name)
    put(share / "there", b"there")
    with closing(smb_source(server)) as source:
        source.expect(root, [file_entry("gone", 5), file_entry("there", 5)])
        with pytest.raises(FileError) as told:
            source.open(SourcePath(root, "gone"), file_entry("gone", 5))
        assert told.value.reason is Reason.VANISHED
        assert content(source, root, file_entry("there", 5)) == b"there"


# Logging on


def test_a_wrong_password_is_tried_once_and_then_not_for_a_while(server: Samba) -> None:
    with wire(server.port) as line:
        account = Account(server.user, "wrong", "the file /etc/share-password", "CORP")
        with closing(smb_source(server, account=account, port=line.port, connections=4)) as source:
            for _ in range(3):
                with pytest.raises(OSError, match=r"refuses the logon of CORP\\.*password from the file /etc/share"):
                    source.folders(server.unc("share"))
            threads = [threading.Thread(target=source.look, args=(SourcePath(server.unc("share"), "x"),)) for _ in "12"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert line.connections == 1


def test_a_share_that_the_server_does_not_have_is_no_folder(server: Samba) -> None:
    with closing(smb_source(server)) as source:
        with pytest.raises(OSError, match="the server has no such share"):
            source.folders(server.unc("nowhere"))
        assert source.look(SourcePath(server.unc("nowhere"), "")) is None


def test_a_server_that_is_not_there_is_said_with_its_port(server: Samba) -> None:
    with wire(server.port) as line:
        line.close()
    with closing(smb_source(server, port=line.port)) as source:
        with pytest.raises(OSError, match=f"127.0.0.1 cannot be reached on port {line.port}: Connection refused"):
            source.folders(server.unc("share"))
        found = source.look(SourcePath(server.unc("share"), ""))
        assert found is not None
        assert found.kind is EntryKind.UNREADABLE


def test_what_is_no_smb_server_is_said_to_be_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_otherwise() -> None:
            with listener.accept()[0] as caller:
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer_otherwise).start()
        with pytest.raises(OSError, match="cannot be reached on port"):
            log_on("127.0.0.1", listener.getsockname()[1], "share", Account("x", "y", "z"), encrypt=False)


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.files.smb.logon.ANSWER_WITHIN", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(OSError, match="cannot be reached on port"),
    ):
        log_on("127.0.0.1", listener.getsockname()[1], "share", Account("x", "y", "z"), encrypt=False)


def test_no_password_shows_in_an_account() -> None:
    assert "hunter2" not in repr(Account("x", "hunter2", "$HERE"))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (r"\\vbr01\VeeamFLR", ("vbr01", "VeeamFLR", "")),
        (r"\\vbr01\VeeamFLR\fs01\Volume1", ("vbr01", "VeeamFLR", r"fs01\Volume1")),
        (r"\\vbr01", None),
        (r"\\?\C:\x", None),
        ("/mnt/x", None),
    ],
)
def test_a_unc_path_is_taken_apart(path: str, parts: tuple[str, str, str] | None) -> None:
    assert parse_unc(path) == parts


# Breaking off


@pytest.mark.parametrize("size", [40_000, 6 << 20])
def test_a_connection_that_is_cut_while_a_file_is_read_is_made_anew_once(server: Samba, share: Path, size: int) -> None:
    data = [os.urandom(size) for _ in range(4)]
    for number, one in enumerate(data):
        put(share / str(number), one)
    with wire(server.port) as line:
        line.cut_after, line.cuts = size * 2, 1
        with closing(smb_source(server, port=line.port, connections=1)) as source:
            root = server.unc("share", share.name)
            entries = [file_entry(str(number), size) for number in range(4)]
            source.expect(root, entries)
            assert [content(source, root, entry) for entry in entries] == data
        assert (line.cuts, line.connections) == (0, 2)


@pytest.fixture
def spread_early(monkeypatch: pytest.MonkeyPatch) -> int:
    """Files of this size are read over several connections."""
    monkeypatch.setattr("orchestrator.files.smb.pieces.SPREAD_FROM", 30 << 20)
    return 30 << 20


def test_a_large_file_comes_over_all_connections(server: Samba, share: Path, spread_early: int) -> None:
    put(share / "file", data := os.urandom(spread_early + 5))
    with wire(server.port) as line, closing(smb_source(server, port=line.port, connections=3)) as source:
        assert content(source, server.unc("share", share.name), file_entry("file", len(data))) == data
        assert line.connections == 3
        assert min(line.carried) > len(data) // 5


def test_what_a_cut_connection_was_to_bring_comes_over_another(server: Samba, share: Path, spread_early: int) -> None:
    put(share / "file", data := os.urandom(spread_early))
    with wire(server.port) as line, closing(smb_source(server, port=line.port, connections=2)) as source:
        line.cut_after, line.cuts = 9 << 20, 1
        assert content(source, server.unc("share", share.name), file_entry("file", len(data))) == data
        assert (line.cuts, line.connections) == (0, 2)


def test_a_large_file_whose_connections_all_break_is_gone_on_with(
    server: Samba, share: Path, spread_early: int
) -> None:
    put(share / "file", data := os.urandom(spread_early))
    with wire(server.port) as line, closing(smb_source(server, port=line.port, connections=2)) as source:
        reader = source.open(SourcePath(server.unc("share", share.name), "file"), file_entry("file", len(data)))
        read = bytes(reader.read(bytearray()))
        line.cut()
        while piece := reader.read(bytearray()):
            read += piece
        reader.close()
        assert read == data
        assert line.connections == 4


def test_a_server_that_lets_no_more_connections_in_is_read_over_those_there_are(
    server: Samba, share: Path, spread_early: int
) -> None:
    put(share / "file", data := os.urandom(spread_early))
    with wire(server.port) as line, closing(smb_source(server, port=line.port, connections=4)) as source:
        line.at_most = 2
        assert content(source, server.unc("share", share.name), file_entry("file", len(data))) == data
        assert line.connections == 3


def test_another_file_that_has_the_name_meanwhile_is_not_mixed_in(
    server: Samba, share: Path, spread_early: int
) -> None:
    put(share / "file", data := os.urandom(spread_early))
    os.utime(share / "file", (1, 1))
    with closing(smb_source(server, connections=2)) as source:
        reader = source.open(SourcePath(server.unc("share", share.name), "file"), file_entry("file", len(data)))
        put(share / "other", os.urandom(spread_early)).rename(share / "file")
        read = b""
        while piece := reader.read(bytearray()):
            read += piece
        reader.close()
        assert read == data


def test_the_window_grows_with_the_line_and_no_further_than_all_files_together_may() -> None:
    spare = threading.Semaphore(20)
    near, far, late = Window(spare), Window(spare), Window(spare)
    for number in range(1000):
        near.took(number / 1000, 0.0005)
        far.took(number / 1000, 0.012)
        late.took(number / 1000, 0.1)
    assert (near.pieces, far.pieces, late.pieces) == (PIECES, 24, PIECES + 4)
    far.close()
    for number in range(1000, 2000):
        late.took(number / 1000, 0.1)
    assert late.pieces == PIECES + 20


def test_a_connection_that_is_cut_while_a_folder_is_listed_is_made_anew_once(server: Samba, share: Path) -> None:
    for number in range(4_000):
        (share / f"{number:05d}").touch()
    with wire(server.port) as line, closing(smb_source(server, port=line.port, connections=1)) as source:
        line.cut_after, line.cuts = 300_000, 1
        found = everything(source, server.unc("share", share.name))
        assert list(found) == sorted(os.listdir(share))
        assert (line.cuts, line.connections) == (0, 2)


def test_a_server_that_goes_away_for_good_is_one_error_for_each_file(server: Samba, share: Path) -> None:
    put(share / "file", bytes(20 << 20))
    with wire(server.port) as line, closing(smb_source(server, port=line.port)) as source:
        root, entry = server.unc("share", share.name), file_entry("file", 20 << 20)
        reader = source.open(SourcePath(root, "file"), entry)
        reader.read(bytearray(1 << 20))
        line.close()
        with pytest.raises(OSError, match="cannot be reached"):
            list(iter(lambda: bytes(reader.read(bytearray(1 << 20))), b""))
        reader.close()


def test_a_large_file_goes_on_inside_after_the_mount_was_lost(server: Samba, share: Path, tmp_path: Path) -> None:
    put(share / "file", data := os.urandom(8 << 20))
    entry = Entry("file", EntryKind.FILE, len(data), MTIME_NS)
    taken = []

    def check(count: int) -> None:
        taken.append(count)
        if sum(taken) >= 5 << 20 and len(taken) < 100:
            taken.extend([0] * 100)
            raise FileError(reason=Reason.READ_ERROR, guest_path="file", what="gone")

    with closing(smb_source(server)) as source:
        target = LocalTarget([str(tmp_path / "out")], continue_from=1 << 20, block=1 << 20, opening=source.open)
        arguments = SourcePath(server.unc("share", share.name), "file"), entry, target_of(tmp_path), False, check
        with pytest.raises(FileError):
            target.place(*arguments)
        target.place(*arguments)
    assert (tmp_path / "out" / "file").read_bytes() == data


def test_many_threads_share_a_connection_and_each_gets_its_own(server: Samba, share: Path) -> None:
    data = {str(number): os.urandom(number * 97) for number in range(400)}
    for name, one in data.items():
        put(share / name, one)
    root, wrong = server.unc("share", share.name), []
    with closing(smb_source(server, connections=2)) as source:

        def read_some(first: int) -> None:
            mine = [file_entry(name, len(one)) for name, one in data.items() if int(name) % 8 == first]
            source.expect(root, mine)
            wrong.extend(entry.relative for entry in mine if content(source, root, entry) != data[entry.relative])

        threads = [threading.Thread(target=read_some, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


# A server that is none: the other end of a pair of sockets


@contextmanager
def pair(*frames: bytes, hang_up: bool = False, **more: float) -> Iterator[Connection]:
    """A connection to a server that sends `frames` whatever it is asked."""
    near, far = socket.socketpair(socket.AF_INET if not hasattr(socket, "AF_UNIX") else socket.AF_UNIX)
    near = _TcpLike(near)
    for frame in frames:
        far.sendall(len(frame).to_bytes(4, "big") + frame)
    if hang_up:
        far.shutdown(socket.SHUT_WR)
    connection = Connection(near, Conversation(standing()), **more)
    with closing(connection), far:
        yield connection


class _TcpLike(socket.socket):
    """A local socket that takes the options of a TCP one."""

    def __init__(self, other: socket.socket) -> None:
        super().__init__(other.family, other.type, other.proto, other.detach())

    def setsockopt(self, *_: object) -> None:  # type: ignore[override]
        """There is no TCP here."""


@pytest.mark.parametrize("sealed", [False, True])
def test_large_writes_arrive_as_they_are_however_slowly_the_server_takes_them(sealed: bool) -> None:
    """Memory of a frame is used again as soon as it is sent, and not before."""
    contents = [bytes([number]) * (1 << 20) for number in range(1, 9)]
    ours, theirs = (Sealing(Cipher.AES_128_GCM, 7, *keys) for keys in ((KEY, OTHER), (OTHER, KEY)))
    near, far = socket.socketpair()
    conversation = Conversation(standing(credits=1000, sealing=ours if sealed else None))
    arrived: list[bytes] = []

    def take() -> None:
        with far, far.makefile("rb") as stream:
            for _ in contents:
                frame = bytearray(stream.read(int.from_bytes(stream.read(4), "big")))
                plain = theirs.unseal(frame, len(frame)) if sealed else memoryview(frame)
                arrived.append(bytes(plain[HEADER_SIZE + 48 :]))

    taking = threading.Thread(target=take)
    with closing(Connection(_TcpLike(near), conversation)) as connection:
        exchanges = [connection.ask([write(content, 0, bytes(16))]) for content in contents[:4]]
        taking.start()
        exchanges += [connection.ask([write(content, 0, bytes(16))]) for content in contents[4:]]
        connection.wait(exchanges[-1])
        taking.join()
    assert arrived == contents


def test_what_was_never_sent_is_not_waited_for_when_the_connection_breaks() -> None:
    with pair(hang_up=True) as connection:
        exchange = Exchange([open_file("a")])
        connection.wait(exchange)
        with pytest.raises(ConnectionLost):
            exchange.answer(0)


def read_one(connection: Connection) -> bytes:
    exchange = connection.ask([open_file("a"), read(5), close()])
    connection.wait(exchange)
    return bytes(data(exchange.answer(1).message, 5))


GOOD = (
    bytes(answer(5, Command.CREATE, created_body())),
    bytes(answer(6, Command.READ, data_body(b"hello"))),
    bytes(answer(7, Command.CLOSE, bytes(60))),
)


def test_answers_are_taken_in_however_they_are_cut_up() -> None:
    with pair(*GOOD) as connection:
        assert read_one(connection) == b"hello"
    with pair(*GOOD, buffer=300) as connection:
        assert read_one(connection) == b"hello"


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ((GOOD[0], GOOD[1][:70]), "without an answer|short|closed"),
        ((b"\0" * 3,), "a frame of 3 bytes"),
        ((b"\xff" * 100,), "no SMB2 header"),
        ((bytes(answer(9, Command.READ, data_body(b"hello"))),), "not asked"),
        ((GOOD[0], bytes(answer(6, Command.READ, data_body(b"hello", told=1 << 30))), GOOD[2]), "READ brought"),
        ((), "closed"),
    ],
)
def test_a_server_that_lies_breaks_the_exchange_and_nothing_else(frames: tuple[bytes, ...], told: str) -> None:
    with pair(*frames, hang_up=True) as connection, pytest.raises((ConnectionLost, BadAnswer), match=told):
        read_one(connection)


def test_a_server_that_falls_silent_is_given_up() -> None:
    with pair(GOOD[0], dead_after=0.2) as connection, pytest.raises(ConnectionLost, match="said nothing for"):
        read_one(connection)


def listed_by(connection: Connection) -> dict[str, Entry]:
    """What a walk makes of the one listing that a server gives."""

    class Only:
        def live(self) -> Live:
            return Live(connection, 1 << 20, 1 << 20, 0)

    batches = walk(Only(), "", "", lambda _: True, unheard)  # type: ignore[arg-type]
    return {entry.relative: entry for batch in batches for entry in batch}


def listing(*names: str) -> tuple[bytes, ...]:
    """The answers to the query of a folder that holds `names`."""
    buffer = b"".join(child(name) for name in names[:-1]) + child(names[-1], after=0)
    return (
        bytes(answer(5, Command.CREATE, created_body())),
        bytes(answer(6, Command.QUERY_DIRECTORY, struct.pack("<HHI", 9, 72, len(buffer)) + buffer, credits=20)),
        bytes(answer(8, Command.QUERY_DIRECTORY, bytes(9), status=0x80000006)),
    )


def test_half_a_character_is_told_in_a_way_that_can_be_written_down() -> None:
    with pair(*listing("ok", "half\ud83d", "low\udc80")) as connection:
        found = listed_by(connection)
    assert found["ok"].kind is EntryKind.FILE
    for shown in ("half\\ud83d", "low\\udc80"):
        assert found[shown].kind is EntryKind.UNREADABLE
        assert found[shown].reason is Reason.NAME_UNUSABLE
        assert "half a character" in found[shown].message
    "".join(found).encode()


def test_a_name_that_leads_elsewhere_is_never_taken_for_a_name() -> None:
    with pair(*listing("ok", "..\\..\\etc\\passwd", "/etc/passwd", "nul\0", "")) as connection:
        found = listed_by(connection)
    assert [name for name, entry in found.items() if entry.kind is not EntryKind.UNREADABLE] == ["ok"]
    assert {entry.reason for name, entry in found.items() if name != "ok"} == {Reason.NAME_UNUSABLE}


def test_a_size_beyond_all_bounds_is_one_file_that_changed_and_not_a_buffer_of_that_size(
    server: Samba, share: Path
) -> None:
    put(share / "file", b"small")
    with closing(smb_source(server)) as source, pytest.raises(FileError) as told:
        content(source, server.unc("share", share.name), file_entry("file", 1 << 62))
    assert told.value.reason is Reason.CHANGED
