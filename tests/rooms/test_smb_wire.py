"""SMB2 without a socket: what is sent, what is believed, what is refused."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.files.smb.conversation import Conversation, Exchange, Standing
from orchestrator.files.smb.guarding import Cipher, Sealing, Signing, signing
from orchestrator.files.smb.listing import children, nanoseconds
from orchestrator.files.smb.packets import (
    FLAG_ANSWER,
    HEADER,
    PLAIN,
    BadAnswer,
    Command,
    charge_of,
    close,
    created,
    data,
    open_file,
    open_folder,
    output,
    query_directory,
    read,
)

KEY = bytes(range(16))
OTHER = bytes(range(1, 17))
PENDING = 0x103


def standing(**more: object) -> Standing:
    plain = {
        "session": 7, "tree": 3, "next_message": 5, "credits": 40, "largest_read": 1 << 20, "largest_query": 1 << 20,
        "server": bytes(16), "sign": None, "sealing": None,
    }  # fmt: skip
    return Standing(**{**plain, **more})  # type: ignore[arg-type]


def answer(number: int, command: Command, body: bytes = b"", status: int = 0, credits: int = 1) -> bytearray:
    """A message as a server sends it."""
    return bytearray(
        HEADER.pack(PLAIN, 64, 1, status, command, credits, FLAG_ANSWER, 0, number, 0, 3, 7, bytes(16)) + body
    )


def signed(message: bytearray, number: int, key: bytes = KEY, how: Signing = Signing.AES_GMAC) -> bytearray:
    message[48:64] = signing(how, key)(bytes(message), number, True)
    return message


def created_body(size: int = 11, handle: bytes = b"H" * 16) -> bytes:
    return struct.pack("<HBBIQQQQQQII16s", 89, 0, 0, 1, 1, 2, 3, 4, size, size, 0x20, 0, handle)


def data_body(content: bytes, told: int | None = None, at: int = 80) -> bytes:
    return struct.pack("<HBBIII", 17, at, 0, len(content) if told is None else told, 0, 0) + content


def child(name: str, *, after: int | None = None, size: int = 5, attributes: int = 0x20, tag: int = 0) -> bytes:
    """One entry of a listing; `after` is where the next begins, 0 for the last."""
    text = name.encode("utf-16-le", "surrogatepass")
    length = 104 + len(text)
    padding = -length % 8
    then = length + padding if after is None else after
    fixed = struct.pack(
        "<IIqqqqQQIIIBB24sHQ", then, 0, *[116_444_736_000_000_000] * 4, size, size, attributes, len(text), tag, 0, 0,
        b"", 0, 99,
    )  # fmt: skip
    return fixed + text + bytes(padding)


# Requests


def test_a_file_is_opened_read_and_closed_in_one_frame() -> None:
    conversation = Conversation(standing())
    (frame,) = conversation.say(Exchange([open_file("a\\b.txt"), read(70_000), close()]))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    at, heads = 4, []
    while True:
        head = HEADER.unpack_from(frame, at)
        heads.append(head)
        if not head[7]:
            break
        assert head[7] % 8 == 0
        at += head[7]
    assert [(head[2], head[4], head[6], head[8]) for head in heads] == [(1, 5, 0, 5), (2, 8, 4, 6), (1, 6, 4, 8)]
    assert {(head[10], head[11]) for head in heads} == {(3, 7)}


def test_an_open_request_is_as_the_specification_draws_it() -> None:
    command, body, charge, _ = open_folder("Häuser")
    assert (command, charge, len(body)) == (Command.CREATE, 1, 56 + 12)
    assert struct.unpack_from("<H", body)[0] == 57
    assert struct.unpack_from("<II", body, 36) == (1, 0x4001)
    assert struct.unpack_from("<HH", body, 44) == (120, 12)
    assert body[56:].decode("utf-16-le") == "Häuser"
    assert query_directory(1 << 20).charge == 16
    assert [charge_of(length) for length in (0, 1, 65536, 65537)] == [1, 1, 1, 2]


# Credits


def test_a_chain_waits_until_the_server_has_granted_what_it_costs() -> None:
    conversation = Conversation(standing(credits=3))
    first, second = Exchange([open_file("a"), read(1), close()]), Exchange([open_file("b"), close()])
    assert len(conversation.say(first)) == 1
    assert conversation.say(second) == []
    conversation.hear(answer(5, Command.CREATE, created_body(), credits=1))
    assert conversation.frames() == []
    conversation.hear(answer(6, Command.READ, data_body(b"x"), credits=1))
    assert len(conversation.frames()) == 1
    conversation.hear(answer(7, Command.CLOSE, bytes(60), credits=1))
    assert first.done
    assert not second.done


def test_a_server_that_grants_too_little_for_anything_is_an_error_and_no_wait_for_ever() -> None:
    conversation = Conversation(standing(credits=2))
    with pytest.raises(BadAnswer, match="grants 2 credits where 18"):
        conversation.say(Exchange([open_file("a"), read(1 << 20), close()]))


def test_the_client_asks_for_more_credits_than_it_spends() -> None:
    (frame,) = Conversation(standing()).say(Exchange([open_file("a")]))
    assert HEADER.unpack_from(frame, 4)[5] > 1


# Answers


def test_an_answer_that_is_still_to_come_is_waited_for() -> None:
    conversation = Conversation(standing())
    exchange = Exchange([open_file("a")])
    conversation.say(exchange)
    conversation.hear(answer(5, Command.CREATE, bytes(9), status=PENDING))
    assert not exchange.done
    conversation.hear(answer(5, Command.CREATE, created_body(123), credits=0))
    assert exchange.done
    assert created(exchange.answer(0).message).size == 123


@pytest.mark.parametrize("how", Signing)
def test_only_an_answer_with_the_right_signature_is_believed(how: Signing) -> None:
    for key, believed in ((KEY, True), (OTHER, False)):
        conversation = Conversation(standing(sign=signing(how, KEY)))
        exchange = Exchange([open_file("a")])
        conversation.say(exchange)
        message = signed(answer(5, Command.CREATE, created_body()), 5, key, how)
        if believed:
            conversation.hear(message)
        else:
            with pytest.raises(BadAnswer, match="signature is wrong"):
                conversation.hear(message)
        assert exchange.done is believed


def test_an_unsigned_answer_is_not_believed_where_answers_are_signed() -> None:
    conversation = Conversation(standing(sign=signing(Signing.AES_CMAC, KEY)))
    conversation.say(Exchange([open_file("a")]))
    with pytest.raises(BadAnswer, match="signature is wrong"):
        conversation.hear(answer(5, Command.CREATE, created_body()))


@pytest.mark.parametrize("cipher", Cipher)
def test_what_is_sealed_by_one_side_is_read_by_the_other_and_by_nobody_else(cipher: Cipher) -> None:
    there, back = (bytes([one]) * (32 if cipher > 2 else 16) for one in (1, 2))
    client, server = Sealing(cipher, 7, there, back), Sealing(cipher, 7, back, there)
    conversation = Conversation(standing(sealing=client))
    exchange = Exchange([open_file("secret plan")])
    (frame,) = conversation.say(exchange)
    assert "secret".encode("utf-16-le") not in bytes(frame)
    assert "secret plan".encode("utf-16-le") in bytes(server.unseal(bytearray(frame[4:]), len(frame) - 4))
    reply = bytearray(server.seal(bytes(answer(5, Command.CREATE, created_body()))))
    for place in (4, 30, -1):
        spoilt = bytearray(reply)
        spoilt[place] ^= 1
        with pytest.raises(BadAnswer, match="cannot be decrypted"):
            conversation.hear(spoilt)
    conversation.hear(reply)
    assert exchange.done


def test_a_plain_answer_is_refused_where_everything_is_sealed() -> None:
    conversation = Conversation(standing(sealing=Sealing(Cipher.AES_128_GCM, 7, KEY, OTHER)))
    conversation.say(Exchange([open_file("a")]))
    with pytest.raises(BadAnswer, match="not encrypted"):
        conversation.hear(answer(5, Command.CREATE, created_body()))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: one[:40], "no SMB2 header"),
        (lambda one: b"\xffSMB" + one[4:], "no SMB2 header"),
        (lambda one: one[:20] + struct.pack("<I", 8) + one[24:], "next message"),
        (lambda one: one[:20] + struct.pack("<I", 1 << 30) + one[24:], "next message"),
        (lambda one: one[:16] + bytes(4) + one[20:], "no answer"),
        (lambda one: one[:24] + struct.pack("<Q", 6) + one[32:], "not asked"),
        (lambda one: one[:12] + struct.pack("<H", 8) + one[14:], "not asked"),
    ],
)
def test_an_answer_that_is_no_answer_is_refused(spoil: Callable[[bytes], bytes], told: str) -> None:
    conversation = Conversation(standing())
    conversation.say(Exchange([open_file("a")]))
    with pytest.raises(BadAnswer, match=told):
        conversation.hear(bytearray(spoil(bytes(answer(5, Command.CREATE, created_body())))))


def test_a_session_that_the_server_has_ended_takes_the_connection_with_it() -> None:
    conversation = Conversation(standing())
    conversation.say(Exchange([open_file("a")]))
    with pytest.raises(OSError, match="the server has ended the session"):
        conversation.hear(answer(5, Command.CREATE, status=0xC0000203))


def test_a_connection_that_breaks_settles_everything_with_its_error() -> None:
    conversation = Conversation(standing(credits=2))
    sent, waiting = Exchange([open_file("a"), close()]), Exchange([open_file("b"), close()])
    conversation.say(sent)
    conversation.say(waiting)
    conversation.break_off(OSError(5, "cut"))
    for exchange in (sent, waiting):
        assert exchange.done
        with pytest.raises(OSError, match="cut"):
            exchange.answer(0)


@pytest.mark.parametrize(
    "body",
    [
        data_body(b"hello", told=6),
        data_body(b"hello", told=1 << 31),
        data_body(b"hello", at=200),
        data_body(b"hello", at=10),
        data_body(b"hello")[:12],
        b"\x10" + data_body(b"hello")[1:],
    ],
)
def test_a_read_that_lies_about_what_it_brings_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        data(memoryview(answer(5, Command.READ, body)), 5)


# Listings


def test_a_listing_gives_names_kinds_sizes_and_times() -> None:
    buffer = (
        child(".", attributes=0x10)
        + child("Wörter.txt", size=1 << 40, attributes=0x21)
        + child("Junction", attributes=0x410, tag=0xA0000003, after=0)
    )
    dot, words, junction = children(memoryview(buffer))
    assert (dot.name, dot.folder, dot.identity) == (".", True, 99)
    assert (words.name, words.size, words.folder, words.read_only, words.written_ns) == (
        "Wörter.txt", 1 << 40, False, True, 0,
    )  # fmt: skip
    assert (junction.folder, junction.link) == (True, True)


def test_a_file_that_is_archived_or_deduplicated_is_no_link() -> None:
    (found,) = children(memoryview(child("dedup", attributes=0x420, tag=0x80000013, after=0)))
    assert not found.link


@pytest.mark.parametrize("after", [1, 8, 104, 1 << 31])
def test_a_listing_that_leads_nowhere_or_back_is_refused(after: int) -> None:
    with pytest.raises(BadAnswer):
        children(memoryview(child("abc", after=after) + child("next", after=0)))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_every_time_that_a_server_can_tell_fits_where_times_are_kept(filetime: int) -> None:
    assert -(1 << 63) <= nanoseconds(filetime) < 1 << 63


# Whatever comes, it is an answer or an error


@given(st.binary(max_size=300))
def test_any_buffer_is_a_listing_or_an_error(noise: bytes) -> None:
    for buffer in (noise, child("abc", after=0) + noise, child("abc") + noise):
        with contextlib.suppress(BadAnswer):
            assert len(children(memoryview(buffer))) <= 5


@given(st.lists(st.text(st.characters(), min_size=1, max_size=20), min_size=1, max_size=8), st.data())
def test_a_listing_cut_anywhere_is_a_listing_or_an_error(names: list[str], drawn: st.DataObject) -> None:
    whole = b"".join(child(name) for name in names[:-1]) + child(names[-1], after=0)
    assert [one.name for one in children(memoryview(whole))] == names
    cut = drawn.draw(st.integers(0, len(whole)))
    with contextlib.suppress(BadAnswer):
        assert [one.name for one in children(memoryview(whole[:cut]))] == names


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(0, 255))
def test_any_frame_is_taken_in_or_an_error(noise: bytes, place: int, value: int) -> None:
    good = answer(5, Command.CREATE, created_body()) + noise
    if place < len(good):
        good[place] = value
    for frame in (bytearray(noise), good):
        conversation = Conversation(standing())
        exchange = Exchange([open_file("a"), read(100), close()])
        conversation.say(exchange)
        try:
            conversation.hear(frame)
            if exchange.answers[0]:
                created(exchange.answers[0].message)
                output(exchange.answers[0].message)
        except BadAnswer:
            pass
