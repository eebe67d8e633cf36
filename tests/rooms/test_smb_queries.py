"""What is asked of open files on a share without a socket, and answers that do not keep to the protocol."""

import contextlib
import struct
from collections import deque
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties, Property, Stream
from orchestrator.core.reasons import Reason
from orchestrator.files.smb.conversation import Conversation, Exchange
from orchestrator.files.smb.packets import BadAnswer, Command, Request, open_any, open_file, open_folder
from orchestrator.files.smb.properties import Abilities, abilities_of, link_at, properties_at
from orchestrator.files.smb.queries import (
    Parts,
    VolumeFlag,
    basic,
    controlled,
    file_system,
    get_reparse_point,
    query_security,
    query_streams,
    set_basic,
    set_security,
    streams,
)
from orchestrator.files.smb.reading import Asked, WholeReader
from orchestrator.files.smb.share import Live
from tests.core.test_core_reparse import symlink
from tests.rooms.test_smb_wire import answer, created_body, data_body, standing

EVERYTHING = Abilities(streams=True, descriptors=True, audit=False)
DENIED, PRIVILEGE, OVERFLOW, TOO_SMALL, UNSUPPORTED = 0xC0000022, 0xC0000061, 0x80000005, 0xC0000023, 0xC00000BB
DESCRIPTOR = bytes.fromhex("01000480000000000000000000000000140000000400080000000000")


# Requests


def test_every_opening_says_that_it_is_for_a_backup() -> None:
    for one in (open_file("a"), open_folder("a"), open_any("a"), open_any("a", itself=True), open_file("a", 0x20000)):
        (options,) = struct.unpack_from("<I", one.body, 40)
        assert options & 0x4000
    assert struct.unpack_from("<I", open_file("a", 0x1020000).body, 24)[0] == 0x1120081
    assert struct.unpack_from("<I", open_any("a", itself=True).body, 40)[0] & 0x200000


def test_questions_are_as_the_specification_draws_them() -> None:
    command, body, charge, _ = query_security(70_000, Parts.OWNER | Parts.DACL, b"H" * 16)
    assert (command, charge, struct.unpack_from("<HBBIHHIII16s", body)) == (
        Command.QUERY_INFO, 2, (41, 3, 0, 70_000, 0, 0, 0, 5, 0, b"H" * 16),
    )  # fmt: skip
    assert struct.unpack_from("<HBBI", query_streams(100).body) == (41, 1, 22, 100)
    command, body, *_ = set_security(Parts.DACL, b"descriptor", b"H" * 16)
    assert (command, struct.unpack_from("<HBBIHHI16s", body), body[32:]) == (
        Command.SET_INFO, (33, 3, 0, 10, 96, 0, 4, b"H" * 16), b"descriptor",
    )  # fmt: skip
    assert struct.unpack_from("<qqqqI", set_basic(1, 2, 3, 4, 5).body, 32) == (1, 2, 3, 4, 5)
    command, body, charge, _ = get_reparse_point(b"H" * 16)
    assert (command, charge) == (Command.IOCTL, 1)
    assert struct.unpack_from("<HHI16s6I", body) == (57, 0, 0x900A8, b"H" * 16, 120, 0, 0, 0, 0, 16 << 10)


# Answers


def stream(name: str, size: int = 5, after: int | None = None) -> bytes:
    text = name.encode("utf-16-le", "surrogatepass")
    padding = -(24 + len(text)) % 8
    then = 24 + len(text) + padding if after is None else after
    return struct.pack("<IIqq", then, len(text), size, size) + text + bytes(padding)


def test_named_streams_are_told_without_what_is_around_their_names() -> None:
    buffer = (
        stream("::$DATA") + stream(":Zone.Identifier:$DATA", 26) + stream(":größe:$DATA", 1 << 40)
        + stream(":index:$INDEX_ALLOCATION", after=0)
    )  # fmt: skip
    assert streams(memoryview(buffer)) == (Stream("Zone.Identifier", 26), Stream("größe", 1 << 40))
    assert streams(memoryview(b"")) == ()


@pytest.mark.parametrize(
    "buffer",
    [
        b"short",
        stream(":a:$DATA", after=1 << 30),
        stream(":a:$DATA", after=8) + stream(":b:$DATA", after=0),
        stream(":a:$DATA", -1, after=0),
        stream(":a:$DATA", -(1 << 63), after=0),
        struct.pack("<IIqq", 0, 40, 5, 5) + b"::",
        struct.pack("<IIqq", 0, 3, 5, 5) + b"abc",
        b"".join(stream(f":{number}:$DATA") for number in range(5000)) + stream(":z:$DATA", after=0),
    ],
)
def test_a_list_of_streams_that_lies_is_refused(buffer: bytes) -> None:
    with pytest.raises(BadAnswer):
        streams(memoryview(buffer))


@given(st.binary(max_size=200))
def test_any_buffer_is_an_answer_or_an_error(noise: bytes) -> None:
    for parse in (streams, file_system, basic):
        for buffer in (noise, stream(":a:$DATA") + noise):
            with contextlib.suppress(BadAnswer):
                parse(memoryview(buffer))
    with contextlib.suppress(BadAnswer):
        controlled(memoryview(answer(5, Command.IOCTL, noise)))


# A server that answers as it is told


def output_body(content: bytes, told: int | None = None) -> bytes:
    return struct.pack("<HHI", 9, 72, len(content) if told is None else told) + content


def reparse_body(content: bytes) -> bytes:
    return struct.pack("<HHI16s6I", 49, 0, 0x900A8, b"", 112, 0, 112, len(content), 0, 0) + content


OPENED = (Command.CREATE, created_body(5))
HELLO = (Command.READ, data_body(b"hello"))
STREAMS = (Command.QUERY_INFO, output_body(stream("::$DATA") + stream(":note:$DATA", 4, after=0)))
SECURITY = (Command.QUERY_INFO, output_body(DESCRIPTOR))
CLOSED = (Command.CLOSE, bytes(60))


Scripted = tuple[Command, bytes] | tuple[Command, bytes, int]


class Script:
    """A connection to a server that answers each request with what is next in the script, `said` what it was asked."""

    def __init__(self, answers: Sequence[Scripted]) -> None:
        self._conversation = Conversation(standing(credits=4000))
        self._answers = deque(answers)
        self._number = 5
        self._asked: deque[tuple[int, Command]] = deque()
        self.said: list[str] = []
        self.broken: OSError | None = None

    def ask(self, requests: Sequence[Request]) -> Exchange:
        exchange = Exchange(requests)
        self.ask_all((exchange,))
        return exchange

    def ask_all(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            for request in exchange.requests:
                self._asked.append((self._number, request.command))
                self._number += request.charge
                self.said.append(request.command.name)
            self._conversation.say(exchange)

    def wait(self, exchange: Exchange) -> None:
        while not exchange.done:
            number, command = self._asked.popleft()
            told, body, *status = self._answers.popleft()
            assert told is command, f"{command.name} was asked where the script has {told.name}"
            self._conversation.hear(answer(number, command, body, status=status[0] if status else 0))


def scripted(*answers: Scripted) -> tuple[Live, Script]:
    script = Script(answers)
    return Live(script, 1 << 20, 1 << 20, 0), script  # type: ignore[arg-type]


def reading(live: Live) -> WholeReader:
    entry = Entry("a", EntryKind.FILE, 5)
    one = Asked(live, "a", entry, EVERYTHING)
    live.connection.ask_all((one.exchange,))
    return WholeReader(one, lambda: properties_at(live, "a", EVERYTHING))


def test_content_and_all_that_is_beside_it_come_in_one_round_trip() -> None:
    live, script = scripted(OPENED, HELLO, STREAMS, SECURITY, CLOSED)
    one = reading(live)
    found = one.properties()
    assert bytes(one.read(bytearray(10))) == b"hello"
    assert (found.streams, found.descriptor) == ((Stream("note", 4),), DESCRIPTOR)
    assert script.said == ["CREATE", "READ", "QUERY_INFO", "QUERY_INFO", "CLOSE"]


@pytest.mark.parametrize(
    ("answers", "unread"),
    [
        # the streams do not fit together; then the descriptor's answer does not
        ((OPENED, HELLO, (Command.QUERY_INFO, output_body(b"noise")), SECURITY, CLOSED), {Property.STREAMS}),
        (
            (OPENED, HELLO, STREAMS, (Command.QUERY_INFO, output_body(b"x", told=1 << 31)), CLOSED),
            {Property.DESCRIPTOR},
        ),
    ],
)
def test_an_answer_that_lies_about_what_is_beside_the_content_costs_that_alone(
    answers: tuple[tuple[Command, bytes], ...], unread: set[Property]
) -> None:
    live, _ = scripted(*answers)
    one = reading(live)
    assert bytes(one.read(bytearray(10))) == b"hello"
    assert one.properties().unread == unread


def test_what_fails_with_the_question_before_it_is_asked_again_and_closed() -> None:
    failed = (Command.QUERY_INFO, bytes(9), UNSUPPORTED)
    live, script = scripted(
        OPENED, HELLO, failed, failed, (Command.CLOSE, bytes(9), UNSUPPORTED),
        # the content is there; it is closed, and the rest asked for one by one
        CLOSED, OPENED, failed, failed, (Command.CLOSE, bytes(9), UNSUPPORTED),
        CLOSED, OPENED, failed, SECURITY, CLOSED,
    )  # fmt: skip
    one = reading(live)
    assert bytes(one.read(bytearray(10))) == b"hello"
    found = one.properties()
    assert (found.streams, found.descriptor, found.unread) == ((), DESCRIPTOR, {Property.STREAMS})
    assert (script.said.count("CREATE"), script.said.count("CLOSE")) == (3, 5)  # two closings failed with the rest


def test_a_server_that_has_more_than_there_is_room_for_is_asked_with_all_the_room_once() -> None:
    small = (Command.QUERY_INFO, bytes(9), OVERFLOW), (Command.QUERY_INFO, bytes(9), TOO_SMALL)
    late = (Command.CLOSE, bytes(9), TOO_SMALL)
    live, _ = scripted(OPENED, *small, late, CLOSED, OPENED, small[0], STREAMS, small[1], small[1], CLOSED)
    found = properties_at(live, "a", EVERYTHING)
    assert (found.streams, found.descriptor, found.unread) == ((Stream("note", 4),), None, {Property.DESCRIPTOR})


def test_a_content_that_fails_is_told_and_leaves_nothing_open() -> None:
    locked = 0xC0000054
    failed = [(command, bytes(9), locked) for command in (Command.READ, Command.QUERY_INFO, Command.QUERY_INFO)]
    live, script = scripted(OPENED, *failed, (Command.CLOSE, bytes(9), locked), CLOSED)
    with pytest.raises(OSError, match="locked a part"):
        reading(live)
    assert script.said == ["CREATE", "READ", "QUERY_INFO", "QUERY_INFO", "CLOSE", "CLOSE"]


def test_the_right_to_audit_entries_is_tried_once_and_what_the_volume_can_is_believed() -> None:
    flags = struct.pack("<IiI", VolumeFlag.ACLS | VolumeFlag.NAMED_STREAMS, 255, 0)
    able = (Command.QUERY_INFO, output_body(flags))
    refused = [(command, bytes(9), PRIVILEGE) for command in (Command.CREATE, Command.QUERY_INFO, Command.CLOSE)]
    live, _ = scripted(*refused, OPENED, able, CLOSED)
    assert abilities_of(live, "") == Abilities(streams=True, descriptors=True, audit=False)
    live, _ = scripted(OPENED, able, CLOSED)
    assert abilities_of(live, "") == Abilities(streams=True, descriptors=True, audit=True)
    live, _ = scripted(OPENED, (Command.QUERY_INFO, output_body(struct.pack("<IiI", 3, 255, 0))), CLOSED)
    assert abilities_of(live, "") == Abilities(streams=False, descriptors=False, audit=False)


# Links


@pytest.mark.parametrize(
    ("point", "told"),
    [
        (symlink(r"..\other\x", relative=True), "../other/x"),
        (symlink(r"\??\C:\Data\x"), r"C:\Data\x"),
    ],
)
def test_a_link_tells_where_it_leads(point: bytes, told: str) -> None:
    live, _ = scripted(OPENED, (Command.IOCTL, reparse_body(point)), CLOSED)
    assert link_at(live, "a", Properties()).link_to == told


@pytest.mark.parametrize("body", [b"noise", reparse_body(b"noise"), reparse_body(b"")[:40]])
def test_a_link_that_does_not_parse_is_told_as_unread(body: bytes) -> None:
    live, _ = scripted(OPENED, (Command.IOCTL, body), CLOSED)
    found = link_at(live, "a", Properties())
    assert (found.link_to, found.unread) == (None, {Property.LINK})


# Sizes that are lies


@pytest.mark.parametrize("size", [-1, -(1 << 63), (1 << 63) - 1, 1 << 62, 4, 6])
def test_a_size_that_is_a_lie_is_a_file_that_changed(size: int) -> None:
    entry = Entry("a", EntryKind.FILE, 5)
    live, _ = scripted((Command.CREATE, created_body(size % (1 << 64))), HELLO, CLOSED)
    one = Asked(live, "a", entry)
    live.connection.ask_all((one.exchange,))
    with pytest.raises(FileError) as told:
        one.content()
    assert told.value.reason is Reason.CHANGED


def test_more_bytes_than_were_asked_for_are_refused() -> None:
    entry = Entry("a", EntryKind.FILE, 5)
    live, _ = scripted(OPENED, (Command.READ, data_body(b"hello, world")), CLOSED)
    one = Asked(live, "a", entry)
    live.connection.ask_all((one.exchange,))
    with pytest.raises(BadAnswer, match="READ brought 12 bytes where 5 were asked for"):
        one.content()
