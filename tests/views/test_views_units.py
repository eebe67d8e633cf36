"""Numbers, times and names as a person reads them."""

import unicodedata
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.errors import ExitCode
from orchestrator.views.units import count, duration, instant, rate, size, verdict, visible


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (10235, "10.0 KiB"),
        (102399, "100 KiB"),
        (1048575, "1.00 MiB"),
        (48_318_382_080, "45.0 GiB"),
        (2**60, "1024 PiB"),
    ],
)
def test_sizes_are_exact_below_one_kibibyte_and_binary_above(number: int, text: str) -> None:
    assert size(number) == text


def test_a_rate_is_a_size_per_second() -> None:
    assert rate(36_909_875.2) == "35.2 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.7, "1 h 00 min"),
        (10_930, "3 h 02 min"),
        (183_600, "2 d 03 h"),
    ],
)
def test_durations_carry_over_to_the_next_unit(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_instants_are_shown_in_utc_whatever_zone_they_carry() -> None:
    assert instant(datetime(2026, 11, 20, 1, 30, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-19 23:30:00 UTC"
    assert instant(None) == "-"


def test_one_thing_is_not_counted_in_the_plural() -> None:
    assert (count(1, "file"), count(0, "file"), count(12345, "entry", "entries")) == (
        "1 file",
        "0 files",
        "12,345 entries",
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\x85\u2028", "a\\x0d\\x0ab\\x85\\u2028"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\udce9 \ud800", "caf\\xe9 \\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Größe 日本 \u0646\u200c\u0627", "Größe 日本 \u0646\u200c\u0627"),
    ],
)
def test_what_could_drive_a_terminal_is_written_out_and_other_scripts_stay(name: str, shown: str) -> None:
    assert visible(name) == shown


@given(st.text(st.characters()))
def test_no_name_keeps_a_control_or_direction_character(name: str) -> None:
    kinds = {unicodedata.category(char) for char in visible(name) if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    visible(name).encode()


def test_every_exit_code_has_a_sentence_and_an_unknown_one_is_named() -> None:
    sentences = {verdict(code) for code in ExitCode}
    assert len(sentences) == len(ExitCode)
    assert verdict(99) == "The run ended with exit code 99."
    assert verdict(None) == "The run has not ended."
