"""The line: never more than rate and burst, fair to backup servers, and no wait for ever."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.line import CATCH_UP, FOREVER, Line, Ticket, burst_of

CHUNK = 1 << 20


@dataclass
class Copiers:
    """Copiers that always want more, on a clock of their own. `given` are (second, run, server, bytes)."""

    line: Line
    now: float = 0.0
    given: list[tuple[float, str, str, int]] = field(default_factory=list)

    def copy(self, copiers: list[tuple[str, str, int]], until: float, pause: float = 0.0) -> None:
        """Each of (run, server, bytes at once) asks anew `pause` seconds after it was granted."""
        asks = [(self.now, number) for number in range(len(copiers))]
        waiting: dict[int, tuple[Ticket, int]] = {}
        while self.now < until:
            while asks and asks[0][0] <= self.now:
                number = heapq.heappop(asks)[1]
                waiting[number] = self.line.ask(*copiers[number], self.now), copiers[number][2]
            self.line.grant(self.now)
            for number, (ticket, left) in list(waiting.items()):
                if ticket.left < left:
                    self.given.append((self.now, ticket.run, ticket.server, left - ticket.left))
                    waiting[number] = ticket, ticket.left
                if ticket.granted:
                    del waiting[number]
                    heapq.heappush(asks, (self.now + pause, number))
            if not (asks and asks[0][0] <= self.now):
                self.now += min(self.line.wait(self.now), asks[0][0] - self.now if asks else FOREVER, until)
        for ticket, _ in waiting.values():
            self.line.withdraw(ticket)

    def bytes_of(self, place: int) -> Counter[str]:
        """By run (1) or by server (2)."""
        counted: Counter[str] = Counter()
        for one in self.given:
            counted[str(one[place])] += one[3]
        return counted

    def busiest(self, rate: float) -> float:
        """The most that was given in any time, beyond `rate` times that time."""
        most = lowest = total = 0.0
        for now, _, _, size in self.given:
            lowest = min(lowest, total - rate * now)
            total += size
            most = max(most, total - rate * now - lowest)
        return most


RATES = st.integers(200_000, 500_000_000)
SIZES = st.one_of(st.integers(20_000, CHUNK), st.just(CHUNK))


@given(RATES, st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), SIZES), min_size=1, max_size=8))
def test_over_any_time_no_more_is_given_than_the_rate_and_one_burst(
    rate: int, copiers: list[tuple[str, str, int]]
) -> None:
    line = Line()
    line.limit(rate, 0.0)
    bench = Copiers(line)
    bench.copy(copiers, until=5 * CHUNK / rate, pause=0.01 * CHUNK / rate)
    assert bench.busiest(rate) <= burst_of(rate) + 2
    assert sum(one[3] for one in bench.given) >= min(3 * CHUNK, sum(copier[2] for copier in copiers))


@given(RATES, RATES, RATES)
def test_a_server_and_a_run_are_held_to_limits_of_their_own(all_runs: int, server: int, run: int) -> None:
    line = Line()
    line.limit(all_runs, 0.0)
    line.limit_server("x", server, 0.0)
    line.limit_run("a", run, 0.0)
    bench = Copiers(line)
    seconds = 5 * CHUNK / max(all_runs, server, run)
    bench.copy([("a", "x", CHUNK), ("b", "x", CHUNK), ("a", "y", CHUNK), ("b", "y", CHUNK)], seconds)
    for place, name, rate in ((2, "x", server), (1, "a", run)):
        part = Copiers(line, given=[one for one in bench.given if one[place] == name])
        assert part.busiest(rate) <= burst_of(rate) + 2


def test_backup_servers_share_the_line_equally_however_many_files_each_copies() -> None:
    line = Line()
    line.limit(10_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)] * 12 + [("a", "y", 300_000)] * 3 + [("a", "z", CHUNK)], until=60.0)
    given = bench.bytes_of(2)
    assert sum(given.values()) >= 590_000_000
    assert max(given.values()) - min(given.values()) <= burst_of(10_000_000) + 2 * CHUNK


def test_runs_share_what_is_given_of_one_backup_server() -> None:
    line = Line()
    line.limit(10_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)] * 12 + [("b", "x", CHUNK)], until=60.0)
    given = bench.bytes_of(1)
    assert abs(given["a"] - given["b"]) <= burst_of(10_000_000) + 2 * CHUNK


def test_who_comes_late_has_no_claim_either_when_nobody_waits_just_then() -> None:
    """One copies alone for long and has just been served when the other comes."""
    line = Line()
    line.limit(10_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)], until=600.0)
    bench.given.clear()
    first = line.ask("a", "y", 40 * CHUNK, bench.now)
    second = line.ask("a", "x", 40 * CHUNK, bench.now)
    line.grant(bench.now)
    for _ in range(100):
        bench.now += 0.01
        line.grant(bench.now)
    assert abs(first.left - second.left) <= CATCH_UP + 2 * CHUNK
    assert second.left < 40 * CHUNK


def test_what_a_slow_server_may_not_use_goes_to_the_others() -> None:
    line = Line()
    line.limit(10_000_000, 0.0)
    line.limit_server("x", 1_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)] * 8 + [("a", "y", CHUNK)], until=60.0)
    given = bench.bytes_of(2)
    assert 59_000_000 <= given["x"] <= 61_000_000
    assert given["y"] >= 535_000_000


def test_who_comes_late_has_no_claim_to_what_went_by() -> None:
    line = Line()
    line.limit(10_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)], until=600.0)
    bench.given.clear()
    bench.copy([("a", "x", CHUNK), ("a", "y", CHUNK)], until=660.0)
    given = bench.bytes_of(2)
    assert 0 <= given["y"] - given["x"] <= CATCH_UP + 2 * CHUNK


def test_a_limit_that_is_lifted_lets_everybody_go_at_once() -> None:
    line = Line()
    line.limit(1_000, 0.0)
    tickets = [line.ask("a", "x", 10 * CHUNK, 0.0) for _ in range(5)]
    assert line.wait(0.0) > 0
    line.limit(None, 1.0)
    line.grant(1.0)
    assert all(ticket.granted for ticket in tickets)
    assert line.ahead("a", "x") == FOREVER


def test_of_a_slow_share_less_is_asked_for_ahead() -> None:
    line = Line()
    assert line.ahead("a", "x") == FOREVER
    line.limit(10_000_000, 0.0)
    line.limit_server("x", 1_000_000, 0.0)
    assert (line.ahead("a", "x"), line.ahead("a", "y")) == (125_000, 1_250_000)


def test_a_limit_that_is_lowered_counts_at_once_also_for_who_waits() -> None:
    line = Line()
    line.limit(100_000_000, 0.0)
    bench = Copiers(line)
    bench.copy([("a", "x", CHUNK)] * 4, until=1.0)
    line.limit(1_000_000, bench.now)
    bench.given.clear()
    bench.copy([("a", "x", CHUNK)] * 4, until=bench.now + 10)
    assert sum(one[3] for one in bench.given) <= 10_500_000


def test_who_gives_up_waiting_is_waited_for_by_nobody() -> None:
    line = Line()
    line.limit(1_000, 0.0)
    first = line.ask("a", "x", 1 << 30, 0.0)
    second = line.ask("a", "x", 10, 0.0)
    line.withdraw(first)
    line.withdraw(first)
    line.grant(10.0)
    assert second.granted
    assert line.wait(10.0) == FOREVER
    line.forget("a")
    assert line.ask("a", "x", 10, 20.0).granted
