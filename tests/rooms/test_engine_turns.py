"""Copying threads of one interpreter take turns, and more of them do where they wait for a disk or a share."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.engine.pulse import Abandoned, Progress
from orchestrator.engine.turns import Turns

MOST = 6


def _still() -> None:
    """Nobody asks how a thread gets on."""


@dataclass
class Clocks:
    """Time by the clock and of the processor, which pass only when a batch says so."""

    now: float = 0.0
    busy: float = 0.0

    def turns(self) -> Turns:
        return Turns(MOST, lambda: self.now, lambda: self.busy)

    def batches(self, turns: Turns, share: float, count: int) -> None:
        """Batches of a second each, of which the interpreter works that share."""
        for _ in range(count):
            with turns.let_in(_still), turns.turn(_still):
                self.now += 1
                self.busy += share


@dataclass
class Thread:
    """A thread that has come as far as `reached` says, and goes on when it is let."""

    do: Callable[["Thread"], None]
    inside: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    failed: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.do(self)
        except BaseException as error:
            self.failed.append(error)

    def end(self) -> None:
        self.go_on.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def _in_turn(turns: Turns, beat: Callable[[], None] = _still) -> Thread:
    def do(thread: Thread) -> None:
        with turns.turn(beat):
            thread.inside.set()
            thread.go_on.wait(10)

    return Thread(do)


def _at_once(enter: Callable[[], Any]) -> int:
    """How many may be inside at once, which is found out by going in until nobody gets in at once."""

    class Full(Exception):
        pass

    def full() -> None:
        raise Full

    with ExitStack() as inside:
        for number in range(4 * MOST):
            try:
                inside.enter_context(enter()(full))
            except Full:
                return number
    raise AssertionError("everybody gets in")


def test_two_batches_are_begun_and_one_is_dealt_with_at_a_time() -> None:
    turns = Clocks().turns()
    assert _at_once(lambda: turns.let_in) == 2
    assert _at_once(lambda: turns.turn) == 1


def test_more_are_let_in_and_then_at_work_where_threads_wait_for_a_disk() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, 0.1, MOST - 2)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (MOST, 1)
    clocks.batches(turns, 0.1, 3 * MOST)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (MOST, MOST)


def test_it_is_one_again_when_the_interpreter_has_become_the_bound() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, 0.1, 3 * MOST)
    clocks.batches(turns, 0.9, 3 * MOST)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (2, 1)


def test_nothing_changes_where_it_is_neither_idle_nor_the_bound() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, 0.1, 1)
    clocks.batches(turns, 0.65, 3 * MOST)
    assert _at_once(lambda: turns.let_in) == 3


def test_a_turn_that_does_not_end_keeps_nobody_for_long() -> None:
    """One hangs on a dead share; the others go on, and what it does later takes no place of theirs."""
    turns = Turns(MOST)
    hung = _in_turn(turns)
    assert hung.inside.wait(10)
    next_one = _in_turn(turns)
    assert next_one.inside.wait(10)
    hung.end()
    assert _at_once(lambda: turns.turn) == 0
    next_one.end()
    assert _at_once(lambda: turns.turn) >= 1


def test_a_wait_that_is_given_up_leaves_the_line() -> None:
    turns = Turns(MOST)
    progress = Progress()
    progress.abandoned = True
    with turns.turn(_still):
        waiting = _in_turn(turns, progress.check)
        waiting.thread.join(10)
    assert [type(error) for error in waiting.failed] == [Abandoned]
    assert _at_once(lambda: turns.turn) == 1


@pytest.mark.parametrize("kind", ["let_in", "turn"])
def test_a_batch_that_fails_gives_its_place_back(kind: str) -> None:
    turns = Turns(MOST)
    for _ in range(5):
        with pytest.raises(ValueError, match="it failed"), getattr(turns, kind)(_still):
            raise ValueError("it failed")
    assert _at_once(lambda: getattr(turns, kind)) == (2 if kind == "let_in" else 1)
