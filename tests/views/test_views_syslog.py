"""Syslog messages, read by a parser that knows nothing of what wrote them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.receiver import Receiver, Transport, parse_receiver
from orchestrator.views.syslog import SD_ID, Sender, framed, syslog_message
from tests.support.syslog import parse, unframed
from tests.views.samples import HOSTILE, NOT_UNICODE, START

SENDER = Sender("local0", "orchestrator", "bk01", 4711)
ANYTHING = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


def message(text: str = "mount opened", limit: int = 8192, name: str = "mount_opened", **values: object) -> bytes:
    return syslog_message(SENDER, "info", START, name, text, values, limit)


def test_a_message_is_one_by_the_letter_of_rfc_5424() -> None:
    content = message(run="r1", group="g1", vm="fs01", backup_server="vbr01", mount="/m/1", seconds=0.8, size=3)
    assert content == (
        b"<134>1 2026-11-20T22:00:00.000Z bk01 orchestrator 4711 mount_opened "
        b'[orchestrator@32473 run="r1" group="g1" vm="fs01" backup_server="vbr01"] '
        b"\xef\xbb\xbfmount opened mount=/m/1 seconds=0.8 size=3"
    )
    assert parse(content).elements == {SD_ID: {"run": "r1", "group": "g1", "vm": "fs01", "backup_server": "vbr01"}}


@pytest.mark.parametrize(("level", "severity"), [("error", 3), ("warning", 4), ("info", 6), ("debug", 7)])
@pytest.mark.parametrize(
    ("facility", "code"), [("user", 1), ("auth", 4), ("authpriv", 10), ("ftp", 11), ("local7", 23)]
)
def test_the_priority_is_made_of_facility_and_level(level: str, severity: int, facility: str, code: int) -> None:
    sender = Sender(facility, "orchestrator", "bk01", 1)  # type: ignore[arg-type] # one of the names
    read = parse(syslog_message(sender, level, START, "x", "y", {}, 480))  # type: ignore[arg-type] # the same
    assert (read.facility, read.severity) == (code, severity)


def test_a_message_without_ids_has_no_structured_data() -> None:
    assert b" queue_paused - \xef\xbb\xbfqueue paused" in message("queue paused", name="queue_paused", paused=True)


def test_values_that_are_words_stand_as_they_are_and_others_in_quotes() -> None:
    text = parse(message("file not restored", path='C:\\a b"c', empty="", flag=True, many=["x", "y z"])).text
    assert text == 'file not restored path="C:\\\\a b\\"c" empty="" flag=true many=["x", "y z"]'


@given(vm=ANYTHING, run=ANYTHING, text=ANYTHING, cause=ANYTHING, limit=st.integers(480, 3000))
def test_whatever_stands_in_it_a_message_is_whole_and_within_its_limit(
    vm: str, run: str, text: str, cause: str, limit: int
) -> None:
    content = message(text, limit, run=run, vm=vm, cause=cause)
    assert len(content) <= limit
    read = parse(content)
    assert read.msgid == "mount_opened"
    for name, value in read.elements.get(SD_ID, {}).items():
        given_value = {"run": run, "vm": vm}[name].encode("utf-8", "backslashreplace").decode()
        assert value == given_value or given_value.startswith(value.removesuffix("..."))


def test_hostile_names_stay_inside_their_value() -> None:
    for name in (HOSTILE, NOT_UNICODE, 'x"] [admin@1 is="yes', "a\\"):
        read = parse(message(vm=name))
        assert list(read.elements) == [SD_ID]
        assert list(read.elements[SD_ID]) == ["vm"]


def test_what_is_cut_off_says_so_and_halves_no_character() -> None:
    read = parse(message("é" * 5000, 480))
    assert read.text.endswith("é...")
    long = parse(message("x", 480, run="r" * 300, group="g" * 300, vm="fs01"))
    assert long.elements[SD_ID] == {
        "run": "r" * 252 + "...",
        "vm": "fs01",
    }  # the group does not fit, and is left out whole


def test_a_long_host_name_leaves_room_for_the_rest_of_the_smallest_message() -> None:
    sender = Sender("local0", "a" * 60, "h" * 300, 2**31)
    content = syslog_message(sender, "info", START + timedelta(days=1), "n" * 40, "text", {"run": "r" * 99}, 480)
    assert len(content) <= 480
    assert parse(content).host == "h" * 255


def test_a_name_that_is_not_ascii_does_not_spoil_the_head() -> None:
    read = parse(syslog_message(Sender("user", "a b", "büro", 1), "info", START, "", "x", {}, 480))
    assert (read.host, read.app, read.msgid) == ("b_ro", "a_b", "-")


@given(st.lists(st.binary(min_size=1, max_size=200)))
def test_messages_in_a_stream_are_found_again_whatever_they_hold(contents: list[bytes]) -> None:
    assert unframed(b"".join(map(framed, contents))) == contents


@pytest.mark.parametrize(
    ("text", "receiver"),
    [
        ("/dev/log", Receiver(Transport.LOCAL, path="/dev/log")),
        ("udp://siem", Receiver(Transport.UDP, "siem", 514)),
        ("udp://[::1]:1514", Receiver(Transport.UDP, "::1", 1514)),
        ("tcp://siem.example.com", Receiver(Transport.TCP, "siem.example.com", 601)),
        ("tls://siem.example.com/", Receiver(Transport.TLS, "siem.example.com", 6514)),
        ("TLS://10.0.0.7:16514", Receiver(Transport.TLS, "10.0.0.7", 16514)),
    ],
)
def test_an_address_is_read_with_the_port_that_belongs_to_its_kind(text: str, receiver: Receiver) -> None:
    assert parse_receiver(text) == receiver
    assert parse_receiver(str(receiver)) == receiver


@pytest.mark.parametrize(
    "text",
    [
        "",
        "siem",
        "siem:514",
        "http://siem",
        "udp://",
        "tcp://siem/x",
        "tcp://siem:port",
        "tcp://siem:99999",
        "tls://siem?x=1",
    ],
)
def test_an_address_that_is_none_is_refused_with_what_it_must_be(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_receiver(text)


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no user and no password") as caught:
        parse_receiver("tls://ann:geheim@siem")
    assert "geheim" not in str(caught.value)
