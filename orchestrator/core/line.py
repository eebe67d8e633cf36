"""The line that all copies go over, and who may use it next: token buckets, and turns that are fair.

Pure arithmetic. Times are seconds of any clock that does not go back, handed in by the caller.

Bytes are granted in pieces. Over any time, no bucket grants more than its rate times that time and one burst. Of those
who wait, the backup server that was given least so far is next; in it, the run that was given least. So backup servers
share what all of them may use equally, however many files each has in flight.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.core.rates import Rate

BURST_SECONDS = 0.25
BURST_LEAST = 4096
"""Bytes."""

CATCH_UP = 4 << 20
"""Bytes that who comes back may have more of than who was waiting all the time."""

FOREVER = float("inf")


def burst_of(rate: int) -> int:
    """Bytes that may go at once."""
    return max(BURST_LEAST, int(rate * BURST_SECONDS))


@dataclass(slots=True)
class Bucket:
    """A token bucket, which begins full."""

    rate: Rate = None
    _level: float = 0.0
    _at: float = 0.0

    @property
    def most(self) -> float:
        """The largest piece that is granted at once. A bucket that had to be full for it would run over while another
        has its turn."""
        return FOREVER if self.rate is None else burst_of(self.rate) // 2

    def change(self, rate: Rate, now: float) -> None:
        """From now on `rate` counts. What is there already stays, as far as it fits."""
        self._fill(now)
        fresh, self.rate = self.rate is None, rate
        if rate is not None:
            self._level = burst_of(rate) if fresh else min(self._level, burst_of(rate))
        self._at = now

    def wait(self, size: int, now: float) -> float:
        """Seconds until `size` bytes, not more than `most`, can be granted."""
        if self.rate is None:
            return 0.0
        self._fill(now)
        missing = size - self._level
        return 0.0 if missing < 1 else missing / self.rate  # no byte is waited for in parts

    def take(self, size: int, now: float) -> None:
        """Grant `size` bytes, which `wait` has said can be."""
        self._fill(now)
        self._level -= size

    def _fill(self, now: float) -> None:
        if self.rate is not None:
            self._level = min(burst_of(self.rate), self._level + self.rate * max(0.0, now - self._at))
        self._at = max(self._at, now)


@dataclass(slots=True, eq=False)
class Ticket:
    """Somebody waits for `left` bytes; nothing is left when all of them are granted."""

    run: str
    server: str
    left: int

    @property
    def granted(self) -> bool:
        return self.left <= 0


@dataclass(slots=True)
class _Flow:
    """What one run copies of one backup server."""

    waiting: deque[Ticket] = field(default_factory=deque)
    given: float = 0.0


class Line:
    """Grants bytes to tickets, through a bucket for all, one for each backup server and one for each run."""

    def __init__(self) -> None:
        self._all = Bucket()
        self._servers: dict[str, Bucket] = {}
        self._runs: dict[str, Bucket] = {}
        self._flows: dict[tuple[str, str], _Flow] = {}
        self._given: dict[str, float] = {}
        self._reached = 0.0
        """What whoever had the last turn had been given before it: the virtual time of start-time fair queueing."""
        self._reached_in: dict[str, float] = {}
        self._waiting = 0

    def limit(self, rate: Rate, now: float) -> None:
        """Limit everything together."""
        self._all.change(rate, now)

    def limit_server(self, server: str, rate: Rate, now: float) -> None:
        """Limit what comes of one backup server."""
        self._servers.setdefault(server, Bucket()).change(rate, now)

    def limit_run(self, run: str, rate: Rate, now: float) -> None:
        """Limit one run."""
        self._runs.setdefault(run, Bucket()).change(rate, now)

    def forget(self, run: str) -> None:
        """A run is over."""
        self._runs.pop(run, None)
        for key in [key for key in self._flows if key[0] == run and not self._flows[key].waiting]:
            del self._flows[key]

    def ahead(self, run: str, server: str) -> float:
        """Bytes that may well be asked of the share before they are paid for; FOREVER where nothing is limited."""
        return min(bucket.most for bucket in self._buckets(run, server))

    def ask(self, run: str, server: str, size: int, now: float) -> Ticket:
        """A ticket for `size` bytes; granted at once when that can be and nobody waits before it."""
        ticket = Ticket(run, server, size)
        if size <= 0 or (not self._waiting and self._goes_at_once(ticket, now)):
            return ticket
        flow = self._flows.get((run, server))
        if flow is None or not flow.waiting:
            flow = self._joined(run, server)
        flow.waiting.append(ticket)
        self._waiting += 1
        self.grant(now)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Nobody waits for it any more; what was granted of it is gone."""
        flow = self._flows.get((ticket.run, ticket.server))
        if flow is not None and ticket in flow.waiting:
            flow.waiting.remove(ticket)
            self._waiting -= 1

    def grant(self, now: float) -> None:
        """Grant what can be granted now."""
        while (turn := self._next(now)) is not None and turn[0] <= 0:
            _, (run, server), size = turn
            flow = self._flows[run, server]
            self._take(run, server, size, now)
            self._reached = max(self._reached, self._given[server])
            self._reached_in[server] = max(self._reached_in.get(server, 0.0), flow.given)
            flow.given += size
            self._given[server] += size
            flow.waiting[0].left -= size
            if flow.waiting[0].granted:
                flow.waiting.popleft()
                self._waiting -= 1

    def wait(self, now: float) -> float:
        """Seconds until something more can be granted, as things are; FOREVER when nobody waits."""
        turn = self._next(now)
        return FOREVER if turn is None else turn[0]

    def _goes_at_once(self, ticket: Ticket, now: float) -> bool:
        """Grant a ticket beside which nobody waits, if all of it can be granted now."""
        run, server, size = ticket.run, ticket.server, ticket.left
        buckets = self._buckets(run, server)
        if any(size > bucket.most or bucket.wait(size, now) > 0 for bucket in buckets):
            return False
        self._take(run, server, size, now)
        ticket.left = 0
        return True

    def _take(self, run: str, server: str, size: int, now: float) -> None:
        for bucket in self._buckets(run, server):
            if bucket.rate is not None:
                bucket.take(size, now)

    def _buckets(self, run: str, server: str) -> Iterator[Bucket]:
        yield self._all
        if (bucket := self._servers.get(server)) is not None:
            yield bucket
        if (bucket := self._runs.get(run)) is not None:
            yield bucket

    def _next(self, now: float) -> tuple[float, tuple[str, str], int] | None:
        """(seconds to wait, whose turn, bytes of that turn). A flow whose own buckets are empty lets others pass; one
        that only waits for what all share does not, or large pieces would never have their turn."""
        ready: tuple[float, float, tuple[str, str], int] | None = None
        later = FOREVER
        for key, flow in self._flows.items():
            if not flow.waiting:
                continue
            buckets = list(self._buckets(*key))
            size = int(min(flow.waiting[0].left, *(bucket.most for bucket in buckets), FOREVER))
            own = max((bucket.wait(size, now) for bucket in buckets[1:]), default=0.0)
            if own > 0:
                later = min(later, max(own, self._all.wait(size, now)))
            elif ready is None or (self._given[key[1]], flow.given) < ready[:2]:
                ready = (self._given[key[1]], flow.given, key, size)
        if ready is not None:
            return self._all.wait(ready[3], now), ready[2], ready[3]
        return None if later == FOREVER else (later, ("", ""), 0)

    def _joined(self, run: str, server: str) -> _Flow:
        """A flow begins to wait. It has no claim to what went by while it wanted nothing: it begins where the turns
        are."""
        self._given[server] = max(self._given.get(server, 0.0), self._reached - CATCH_UP)
        flow = self._flows.setdefault((run, server), _Flow())
        flow.given = max(flow.given, self._reached_in.get(server, 0.0) - CATCH_UP)
        return flow
