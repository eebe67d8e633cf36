"""Takers that block (cli/aside.py): the run hands over and goes on; what did not fit is counted where it is missing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchestrator.cli.aside import LOSSLESS, Aside, Patience, bounded

SHORT = Patience(items=3, seconds=0.05)
LONG = Patience(items=3, seconds=15)


class Held:
    """A taker that waits at its first item until it is let go."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.at_it, self.let_go = threading.Event(), threading.Event()

    def __call__(self, item: str) -> None:
        self.at_it.set()
        self.let_go.wait(15)
        self.taken.append(item)


@contextmanager
def held(patience: Patience, close: Callable[[], None] | None = None) -> Iterator[tuple[Held, Aside[str]]]:
    """A taker that hangs at its first item, and what hands over to it."""
    taker = Held()
    aside = Aside(taker, "sink", gap=lambda number: f"{number} missing", patience=patience, close=close)
    try:
        with aside:
            aside.add("first")
            assert taker.at_it.wait(10)
            yield taker, aside
    finally:
        taker.let_go.set()
        aside._thread.join(10)


def test_everything_is_taken_in_order_and_then_the_taker_is_closed_on_its_own_thread() -> None:
    taken: list[object] = []
    aside = Aside(
        taken.append, "sink", gap=str, patience=LOSSLESS, close=lambda: taken.append(threading.current_thread().name)
    )
    with aside:
        for number in range(5000):
            aside.add(str(number))
    assert taken == [*map(str, range(5000)), "sink"]


def test_what_does_not_fit_gives_way_the_oldest_first_and_is_counted_where_it_is_missing() -> None:
    with held(LONG) as (taker, aside):
        for name in "abcde":
            aside.add(name)
        taker.let_go.set()
    assert taker.taken == ["first", "2 missing", "c", "d", "e"]


def test_a_taker_that_hangs_at_the_end_is_waited_for_no_longer_than_said_and_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    closed = threading.Event()
    with held(SHORT, closed.set) as (taker, aside):
        for name in "abcde":
            aside.add(name)
    assert "sink: does not get on; 6 not written when the run ended" in capsys.readouterr().err
    assert taker.taken == ["first"], "what was told as not written is not written later"
    assert closed.is_set(), "the thread closes what it had in hand when it comes back"


def test_a_taker_that_fails_is_told_of_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    def take(item: str) -> None:
        calls.append(item)
        raise OSError(28, "No space left on device")

    with Aside(take, "--events /full", gap=str) as aside:
        for _ in range(100):
            aside.add("x")
        aside._thread.join(10)
        aside.add("y")
    said = capsys.readouterr().err
    assert calls == ["x"]
    assert said == ("--events /full: cannot be written any more: No space left on device; the run goes on without it\n")


def test_a_call_that_never_comes_back_is_left_behind() -> None:
    goes_on = threading.Event()
    try:
        assert not bounded(lambda: bool(goes_on.wait(15)) and None, 0.01)
    finally:
        goes_on.set()
    assert bounded(lambda: None, 10)
