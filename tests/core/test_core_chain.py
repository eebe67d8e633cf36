"""The chain of the audit trail: whatever is done to its lines is found, and named for what it is."""

import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.core.audit import AuditEntry, What
from orchestrator.core.chain import GENESIS, Link, Writer, canonical, chained, torn_facts
from orchestrator.core.checking import Checked, Line, check
from tests.views.samples import START

WRITER = Writer("restore", "bk01", 4711)
KEY = b"0123456789abcdef"
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "keyed"])


def entry(number: int, what: What = What.MOUNT_OPENED, **facts: str | int) -> AuditEntry:
    return AuditEntry(START + timedelta(seconds=number), what, {"run": "r", "vm": f"fs{number:02d} é\x00", **facts})


def trail(count: int = 6, key: bytes | None = None) -> list[bytes]:
    """The lines of a small trail."""
    content, end = chained([entry(number) for number in range(count)], Link(), WRITER, key)
    assert end.seq == count
    return content.splitlines(keepends=True)


def split(content: bytes) -> list[bytes]:
    """The lines of a file: they end with a line feed and with nothing else."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def checked(lines: list[bytes], key: bytes | None = None, *, whole: bool = True, expect: str = "") -> Checked:
    numbered = [Line("audit-202611.jsonl", number, line) for number, line in enumerate(lines, 1)]
    return check(numbered, key, whole=whole, expect=expect)


def wrong(lines: list[bytes], key: bytes | None = None) -> tuple[int, str]:
    """Where a trail breaks, and why."""
    broken = checked(lines, key).broken
    assert broken is not None
    return broken.line, broken.what


def forged(line: bytes, key: bytes | None = None, **changes: object) -> bytes:
    """A line with other content whose hash fits."""
    record = {**json.loads(line), **changes}
    del record["hash"]
    content = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    record["hash"] = hmac.digest(key, content, "sha256").hex() if key else hashlib.sha256(content).hexdigest()
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@KEYS
def test_a_trail_as_it_was_written_holds(key: bytes | None) -> None:
    lines = trail(6, key)
    found = checked(lines, key)
    assert found.holds
    assert (found.entries, found.first, found.last) == (6, 1, 6)
    assert (found.began, found.ended) == ("2026-11-20T22:00:00.000Z", "2026-11-20T22:00:05.000Z")
    assert found.anchor == json.loads(lines[-1])["hash"]


def test_a_line_says_who_and_what_and_is_chained_to_the_one_before() -> None:
    first, second = map(json.loads, trail(2))
    assert first["prev"] == GENESIS
    assert second["prev"] == first["hash"]
    facts = {"run": "r", "vm": "fs00 é\x00"}
    assert {name: first[name] for name in ("seq", "at", "who", "account", "host", "process", "what", "facts")} == {
        "seq": 1, "at": "2026-11-20T22:00:00.000Z", "who": "restore", "account": "restore", "host": "bk01",
        "process": 4711, "what": "mount_opened", "facts": facts,
    }  # fmt: skip


def test_who_is_the_owner_of_the_job_else_who_had_logged_in_else_the_account() -> None:
    taken = AuditEntry(START, What.JOB_TAKEN, {}, who="ann")
    writer = Writer("root", "bk01", 1, login="ben")
    content, _ = chained([taken, entry(1)], Link(), writer, None)
    lines = [json.loads(line) for line in content.splitlines()]
    assert [(one["who"], one["account"]) for one in lines] == [("ann", "root"), ("ben", "root")]


@KEYS
@given(data=st.data())
def test_any_change_of_any_byte_is_found(key: bytes | None, data: st.DataObject) -> None:
    content = bytearray(b"".join(trail(4, key)))
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    content[place] = other
    assert not checked(split(bytes(content)), key).holds


@given(data=st.data())
def test_any_byte_put_in_or_taken_out_is_found(data: st.DataObject) -> None:
    content = b"".join(trail(4))
    place = data.draw(st.integers(0, len(content) - 1))
    put_in = data.draw(st.binary(max_size=3))
    taken_out = data.draw(st.integers(0 if put_in else 1, 3))
    changed = content[:place] + put_in + content[place + taken_out :]
    assume(changed != content)
    cut = changed and content.startswith(changed) and changed.endswith(b"\n")
    assume(not cut)  # a trail cut off at a line end: only an anchor sees it, see below
    assert not checked(split(changed)).holds


@KEYS
@given(data=st.data())
def test_any_line_taken_out_put_in_again_or_swapped_is_found(key: bytes | None, data: st.DataObject) -> None:
    lines = trail(7, key)
    one, other = data.draw(st.lists(st.integers(0, 6), min_size=2, max_size=2, unique=True).map(sorted))
    without = lines[:one] + lines[one + 1 :]
    swapped = list(lines)
    swapped[one], swapped[other] = lines[other], lines[one]
    doubled = [*lines[:other], lines[one], *lines[other:]]
    for changed in (without, swapped, doubled):
        assert not checked(changed, key).holds


def test_each_kind_of_harm_is_called_by_its_name() -> None:
    lines = trail()
    assert wrong([lines[0], lines[1].replace(b"fs01", b"fs09"), *lines[2:]]) == (
        2, "the line was changed: its hash does not fit what it says",
    )  # fmt: skip
    rewritten = forged(lines[1], facts={"run": "r", "vm": "another"})
    assert wrong([lines[0], rewritten, *lines[2:]]) == (
        3, "it does not follow from the line before it, which was changed together with its hash",
    )  # fmt: skip
    assert wrong([*lines[:2], *lines[3:]]) == (3, "entry 3 is missing before it")
    assert wrong([lines[0], *lines[4:]]) == (2, "entries 2 to 4 are missing before it")
    assert wrong([lines[0], lines[2], lines[1], *lines[3:]]) == (
        2, "out of order: entry 2 stands further down, in audit-202611.jsonl line 3",
    )  # fmt: skip
    assert wrong([*lines[:3], lines[1], *lines[3:]])[1] == "entry 2 stands after entry 3: it was moved or put in again"
    assert wrong(lines[2:])[1].startswith("the trail begins with entry 3: those before it are in no file here")
    assert wrong([lines[0], b"rubbish\n", *lines[1:]]) == (2, "this is no line of an audit trail: it was changed")
    assert wrong([*lines[:5], lines[5][:-1]])[1].startswith("the line is not ended: writing it was cut off")
    spaced = lines[1].replace(b'","', b'", "', 1)
    assert wrong([lines[0], spaced, *lines[2:]])[1] == "the line was changed: it is not written as the trail is"


def test_entries_before_the_break_are_counted_and_nothing_behind_it_is_believed() -> None:
    lines = trail()
    found = checked([*lines[:3], lines[3].replace(b"fs03", b"fs09"), *lines[4:]])
    assert (found.entries, found.last, found.anchor) == (3, 3, json.loads(lines[2])["hash"])


def test_without_the_key_a_keyed_trail_can_be_neither_proved_nor_written_anew() -> None:
    head = AuditEntry(START, What.FILE_BEGUN, {"chain": "hmac-sha256"})
    content, _ = chained([head, *map(entry, range(3))], Link(), WRITER, KEY)
    lines = content.splitlines(keepends=True)
    assert wrong(lines, None)[1] == (
        "the hash does not fit: the file says that its hashes are hmac-sha256; give its key"
    )
    assert wrong(lines, b"another key 1234")[1].endswith("its hash does not fit what it says, or the key is another")
    plain, _ = chained([AuditEntry(START, What.FILE_BEGUN, {"chain": "sha256"}), entry(1)], Link(), WRITER, None)
    assert "it was begun without this key" in wrong(plain.splitlines(keepends=True), KEY)[1]


def test_a_later_part_of_a_trail_holds_by_itself_when_it_is_known_to_be_a_part() -> None:
    lines = trail()
    part = checked(lines[2:], whole=False)
    assert part.holds
    assert (part.first, part.last, part.entries) == (3, 6, 4)


def test_a_cut_off_end_is_seen_with_an_anchor_only() -> None:
    lines = trail()
    anchor = json.loads(lines[-1])["hash"]
    assert checked(lines[:-1]).holds
    assert checked(lines, expect=anchor.upper()).expected is True
    assert checked(lines[:-1], expect=anchor).expected is False
    assert not checked(lines[:-1], expect=anchor).holds


def test_the_anchor_of_an_archived_part_is_found_where_the_next_part_goes_on() -> None:
    lines = trail()
    assert checked(lines[3:], whole=False, expect=json.loads(lines[2])["hash"]).holds
    assert not checked(lines, expect=GENESIS).holds


def test_a_torn_line_is_accepted_only_when_the_next_one_tells_of_exactly_these_bytes() -> None:
    lines = trail(3)
    before = [json.loads(line) for line in lines]
    torn = b'{"account":"rest\x00\x00'
    told, end = chained([AuditEntry(START, What.TORN, torn_facts(torn))], Link(3, before[-1]["hash"]), WRITER, None)
    after, _ = chained([entry(9)], end, WRITER, None)
    found = checked([*lines, torn + b"\n", told, after])
    assert found.holds
    assert (found.entries, found.torn) == (5, 1)
    assert wrong([*lines, torn + b" \n", told, after])[0] == 4
    assert wrong([*lines, torn + b"\n", after])[0] == 4
    assert wrong([*lines, torn + b"\n"])[0] == 4
    assert wrong([*lines, told, after]) == (4, "it tells of a torn line before it, which is not there any more")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_lines_that_are_other_json_break_the_trail_and_nothing_else(value: object) -> None:
    line = json.dumps(value).encode() + b"\n"
    assert not checked([*trail(2), line]).holds


def test_json_that_json_does_not_have_breaks_the_trail_and_nothing_else() -> None:
    line = trail(1)[0]
    for harm in (b"NaN", b"1e999", b"[" * 100_000, b"\xff", b"1" * 5000):
        assert not checked([line.replace(b"4711", harm)]).holds
        assert not checked([line.replace(b'"r"', harm)]).holds


def test_the_canonical_form_is_the_one_that_is_documented() -> None:
    assert canonical({"b": [1, True, None], "a": "é\n\u2028"}) == b'{"a":"\\u00e9\\n\\u2028","b":[1,true,null]}'
