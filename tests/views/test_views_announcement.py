"""Messages for mail and chat: what happened, numbers, what to do next; nothing that could drive a terminal."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.ledger import Totals
from orchestrator.notify.samples import sample
from orchestrator.views.announcement import announcement_text, announcement_title, announcement_values
from tests.views.golden_files import assert_golden

AT = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
FOLDER = "/var/lib/orchestrator/runs/sample-20261124T010000Z"


def message(one: Announcement) -> str:
    return f"{announcement_title(one)}\n\n{announcement_text(one, FOLDER if one.run else '', 'backup-01')}"


def test_the_message_of_every_kind_is_the_one_that_a_person_has_read() -> None:
    everything = f"\n{'-' * 80}\n".join(message(sample(kind, AT)) for kind in Kind)
    assert_golden("announcements.txt", everything)


def test_the_message_of_what_ends_badly_or_comes_in_numbers_is_the_one_that_a_person_has_read() -> None:
    examples = ("fs: no such machine", "db: EM is away")
    ones = [
        Announcement(Kind.STARTED, AT, "nightly", "r1", groups=1, resumed=True),
        Announcement(Kind.FAILED, AT, "nightly", "r1", exit_code=1, message="a mistake (KeyError)", seconds=3),
        Announcement(Kind.MOUNTS_LEFT, AT, "nightly", "r1", message="fs01 on vbr01: no answer"),
        Announcement(Kind.COULD_NOT_START, AT, message="x.toml: name: missing", exit_code=2),
        Announcement(Kind.COULD_NOT_START, AT, count=12, examples=examples),
        Announcement(Kind.MISSED, AT, count=2, examples=examples),
        Announcement(Kind.DRILL, AT, "drill", "r2", exit_code=3, files=9, bytes=1, differences=1, seconds=2),
        Announcement(Kind.DRILL, AT, "drill", "r2", exit_code=4, files=0, bytes=0, differences=0, seconds=2),
    ]
    assert_golden("announcements_worse.txt", f"\n{'-' * 80}\n".join(map(message, ones)))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_hostile_name_stays_on_its_line_and_is_written_out(kind: Kind) -> None:
    name = "x\x1b[2J\r\nBcc: all@example.com\u202e" + "y" * 500
    one = Announcement(
        kind, AT, name, name, name, exit_code=3, totals=Totals(1, 1, 1, 1), groups=1, examples=(name,), count=2
    )
    title = announcement_title(one)
    assert len(title) <= 200
    assert "\n" not in title
    everything = announcement_text(one, name, name) + repr(announcement_values(one, name, name))
    for bad in ("\x1b", "\r", "\u202e", "\nBcc"):
        assert bad not in title + everything


def test_a_reason_of_many_lines_is_one_line_so_that_nobody_else_can_write_our_words() -> None:
    reason = "x.toml:\n  name: missing\n  restore: missing\nNext:\n  rm -rf /" + "y" * 5000
    text = announcement_text(Announcement(Kind.COULD_NOT_START, AT, message=reason))
    assert "x.toml; name: missing; restore: missing; Next; rm -rf /yyy" in text
    assert text.count("\nNext:") == 1
    assert max(map(len, text.splitlines())) < 1100


def test_a_command_to_copy_is_safe_to_paste() -> None:
    text = announcement_text(Announcement(Kind.STOPPED, AT, "a", "r1; rm -rf ~", exit_code=6))
    assert "orchestrator resume 'r1; rm -rf ~'" in text


def test_every_kind_has_the_same_names_for_its_values() -> None:
    names = {frozenset(announcement_values(sample(kind, AT), FOLDER, "host")) for kind in Kind}
    assert len(names) == 1


def test_values_are_plain_and_times_are_utc() -> None:
    values = announcement_values(sample(Kind.MISSED, AT))
    assert (values["at"], values["due"], values["deadline"]) == ("2026-11-24T03:12:00Z", "2026-11-24T03:12:00Z", None)
    assert all(value is None or isinstance(value, str | int | float | bool | list) for value in values.values())
