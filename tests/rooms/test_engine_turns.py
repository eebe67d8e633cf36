"""Copying threads of one interpreter take turns, and more of them do where they wait for a disk or a share."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.core.coming import Coming
from orchestrator.engine.pulse import Abandoned, Progress
from orchestrator.engine.turns import TURNS, Turns

MOST = 6
MANY = 40
"""Turns until what was told before does not count any more."""


def _still() -> None:
    """Nobody asks how a thread gets on."""


@dataclass
class Clocks:
    """Time by the clock and of the processor, which pass only when a batch says so."""

    now: float = 0.0
    own: float = 0.0
    system: float = 0.0
    waited: float = 0.0
    most: int = MOST

    def turns(self) -> Turns:
        return Turns(lambda: self.most, lambda: self.now, lambda: (self.own, self.system))

    def batches(
        self, turns: Turns, count: int, own: float, system: float = 0.0, waited: float = 0.0, far: float | None = 0.0
    ) -> None:
        """Batches of a second each, of which the interpreter and the system work those shares, and which wait for a
        share for so long; a round trip to it takes `far` seconds."""
        for _ in range(count):
            with turns.let_in(_still), turns.turn(_still, Coming(far, lambda: self.waited)):
                self.now += 1
                self.own += own
                self.system += system
                self.waited += waited


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


def test_more_are_at_work_where_threads_wait_for_a_disk() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=0.1)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (MOST, MOST)


def test_a_few_batches_that_wait_are_enough_to_let_everybody_in() -> None:
    """A batch for a target that is far away takes seconds."""
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, TURNS + 2, own=0.1)
    assert _at_once(lambda: turns.turn) == MOST


def test_more_are_at_work_where_the_system_has_most_of_it() -> None:
    """Making files on a disk is the system's work, which it does for several threads at once."""
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=0.2, system=0.8)
    assert _at_once(lambda: turns.turn) == MOST


def test_it_is_one_again_when_the_interpreter_has_become_the_bound() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=0.1)
    clocks.batches(turns, 2 * MANY, own=0.6, system=0.3)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (2, 1)


def test_more_are_at_work_as_soon_as_more_may_be() -> None:
    clocks = Clocks(most=2)
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=0.1)
    assert _at_once(lambda: turns.turn) == 2
    clocks.most = MOST
    clocks.batches(turns, MANY, own=0.1)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (MOST, MOST)


def test_a_share_that_is_the_bound_is_asked_by_two_and_answers_one_at_a_time() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=0.2, waited=0.7)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (2, 1)


@pytest.mark.parametrize(("far", "inside"), [(0.01, 2), (0.5, 3), (1.0, 4), (60.0, MOST), (None, MOST)])
def test_a_share_that_is_far_away_is_asked_by_as_many_as_it_can_answer_meanwhile(far: float, inside: int) -> None:
    clocks = Clocks()
    turns = clocks.turns()
    clocks.batches(turns, MANY, own=1.0, far=far)
    assert (_at_once(lambda: turns.let_in), _at_once(lambda: turns.turn)) == (inside, 1)


def test_a_turn_that_does_not_end_keeps_nobody_for_long() -> None:
    """One hangs on a dead share; the others go on, and what it does later takes no place of theirs."""
    turns = Turns()
    hung = _in_turn(turns)
    assert hung.inside.wait(10)
    next_one = _in_turn(turns)
    assert next_one.inside.wait(10)
    hung.end()
    assert _at_once(lambda: turns.turn) == 0
    next_one.end()
    assert _at_once(lambda: turns.turn) >= 1


def test_a_wait_that_is_given_up_leaves_the_line() -> None:
    turns = Turns()
    progress = Progress()
    progress.abandoned = True
    with turns.turn(_still):
        waiting = _in_turn(turns, progress.check)
        waiting.thread.join(10)
    assert [type(error) for error in waiting.failed] == [Abandoned]
    assert _at_once(lambda: turns.turn) == 1


@pytest.mark.parametrize("kind", ["let_in", "turn"])
def test_a_batch_that_fails_gives_its_place_back(kind: str) -> None:
    turns = Clocks().turns()
    for _ in range(5):
        with pytest.raises(ValueError, match="it failed"), getattr(turns, kind)(_still):
            raise ValueError("it failed")
    assert _at_once(lambda: getattr(turns, kind)) == (2 if kind == "let_in" else 1)
