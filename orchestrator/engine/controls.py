"""What may be changed while a process works: its limits, those of each run, and which runs are paused.

Nothing of it is kept: a process begins with what config and job say, and a run that is resumed is not paused.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from anyio import CapacityLimiter, Event, sleep

from orchestrator.core.errors import WordsError
from orchestrator.core.events import LimitChanged, RunPaused
from orchestrator.core.limiting import BY_HAND, ByHand, Limit, LimitedRun, LimitNow, LimitsNow, LimitWish, value_text
from orchestrator.core.plan import Plan
from orchestrator.engine.allowance import Bandwidth, Gate
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.rooms import EngineSettings

CHANGES_KEPT = 1000
"""For the report of a run. The audit trail has all of them."""

LOOK_AT_LEAST_EVERY = 60.0
"""Seconds after which the timetable is looked at although nothing is known to change: wall clocks are set."""


@dataclass(slots=True, eq=False)
class RunControl:
    """One run. `mounts` and `copies` are limits of its own beside those of all."""

    plan: Plan
    mounts: int | None = None
    copies: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(math.inf))
    gate: Gate = field(default_factory=Gate)
    changes: deque[LimitChanged | RunPaused] = field(default_factory=lambda: deque(maxlen=CHANGES_KEPT))
    """What was changed of it, or of all, while it goes on."""
    by_hand: ByHand = ()
    """What somebody has changed of all runs and of this one, and is in force."""
    unserved: dict[str, str] = field(default_factory=dict)
    """Why nobody in the fleet could take a group, by its id, of those that are given up for it."""
    stopping: bool = False
    copying: int = 0
    """Its batches that are being copied, or held."""
    _goes_on: Event = field(default_factory=Event)

    @property
    def paused(self) -> bool:
        return self.gate.closed

    def pause(self, paused: bool) -> None:
        """Whether it is paused; wakes who waits for its end."""
        self.gate.close(paused)
        self._goes_on.set()
        self._goes_on = Event()

    async def not_paused(self) -> None:
        """Return when it is not paused."""
        while self.paused:
            await self._goes_on.wait()


class Controls:
    """One for each process. `stir` is called when more may begin than before."""

    def __init__(
        self, settings: EngineSettings, emit: Emit, clock: Clock, stir: Callable[[], None], bandwidth: Bandwidth
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._clock = clock
        self._stir = stir
        self._by_hand: dict[Limit, int | None] = {}
        self._told: dict[Limit, int | None] = {}
        self._servers: dict[str, str] = {}
        self._widened = Event()
        self._narrowed = False
        """Whether less could be copied at once than before, at any time."""
        self._runs: dict[str, RunControl] = {}
        self._sharing = 1
        self.bandwidth = bandwidth
        self.copying = CapacityLimiter(settings.copies)

    # --- what the work asks ---

    @property
    def mounts(self) -> int:
        """Mounts that may be open at once."""
        return self._by_hand.get(Limit("mounts")) or self._settings.limits.mounts

    @property
    def copies(self) -> int:
        """Batches of files that may be copied at once."""
        return self._by_hand.get(Limit("copies")) or self._settings.copies

    def gives_way(self, run: RunControl) -> bool:
        """Whether a batch of the run is to end after its file: it is paused, or more is being copied than may be. Any
        thread."""
        if not self._narrowed:  # asked before every file
            return run.gate.closed
        return run.gate.closed or self.copying.available_tokens < 0 or run.copies.available_tokens < 0

    async def widened(self) -> None:
        """Return when more may be copied at once than before."""
        await self._widened.wait()

    @contextmanager
    def at_work(self, run: RunControl) -> Iterator[None]:
        """A batch of the run is being copied. While the run is paused it takes no place from others."""
        run.copying += 1
        try:
            yield
        finally:
            run.copying -= 1
            if run.paused:
                self._make_room()

    @contextmanager
    def of(self, plan: Plan) -> Iterator[RunControl]:
        """The control of a run, for as long as it goes on."""
        run = self._runs[plan.run] = RunControl(plan)
        for group in plan.groups:
            self._servers.setdefault(group.point.backup_server.casefold(), group.point.backup_server)
        self.refresh()
        try:
            yield run
        finally:
            del self._runs[plan.run]
            for limits in (self._by_hand, self._told):
                for limit in [limit for limit in limits if limit.run == plan.run]:
                    del limits[limit]
            self.bandwidth.forget(plan.run)
            self._make_room()

    async def keep_time(self) -> None:
        """Follow the timetable, for ever."""
        while True:
            now = self._clock()
            change = self._settings.bandwidths.timetable.next_change(now)
            seconds = (change - now).total_seconds() if change is not None else LOOK_AT_LEAST_EVERY
            await sleep(min(max(seconds, 0.01), LOOK_AT_LEAST_EVERY))
            self.refresh()

    def share_among(self, processes: int) -> None:
        """So many processes share each bandwidth: this one keeps to its part of it."""
        if processes != self._sharing:
            self._sharing = max(processes, 1)
            for limit, value in self._told.items():
                if limit.what == "bandwidth":
                    self._put_in_force(limit, value)

    def obey(self, by_hand: Mapping[Limit, int | None]) -> None:
        """What counts by hand, as those say who have submitted what this process works on, and nobody else."""
        wanted = {limit: value for limit, value in by_hand.items() if limit.run in ("", *self._runs)}
        if wanted != self._by_hand:
            self._by_hand = wanted
            self.refresh("the fleet")

    def hold(self, run: RunControl, paused: bool) -> None:
        """A run is paused, or goes on; nobody is told."""
        run.pause(paused)
        self._make_room()
        self._stir()

    # --- what people ask ---

    def change(self, wish: LimitWish, who: str) -> LimitsNow:
        """Do what somebody wants, and say how it stands then. WordsError for a run that is not going on and a backup
        server that nobody knows."""
        if wish.run:
            self._known_run(wish.run)
        wanted = {self._spelt(limit): value for limit, value in wish.changes.items()}
        if wish.reset:
            self._by_hand = {limit: value for limit, value in self._by_hand.items() if wish.run not in ("", limit.run)}
        self._by_hand |= wanted
        self.refresh(who)
        return self.in_force()

    def pause(self, run: str, paused: bool, who: str) -> bool:
        """Pause a run, or let it go on; whether that changes anything. WordsError when it is not going on, or is being
        stopped."""
        one = self._known_run(run)
        if one.paused == paused:
            return False
        if one.stopping:
            raise WordsError(what=f"{run} is being stopped; `orchestrator resume {run}` goes on with it later")
        self.hold(one, paused)
        self._tell(RunPaused(self._clock(), run, paused, who))
        return True

    def let_go(self, run: RunControl) -> None:
        """A run that is being stopped is paused no more: its files in flight get their grace."""
        run.stopping = True
        if run.paused:
            self.hold(run, False)

    def in_force(self) -> LimitsNow:
        """The limits in force and the runs that are going on."""
        limits = tuple(self._now(limit) for limit in self._limits())
        runs = tuple(LimitedRun(name, run.plan.job, run.paused) for name, run in self._runs.items())
        return LimitsNow(limits, runs)

    def refresh(self, who: str = "") -> None:
        """Put in force what counts now, and tell of what has changed."""
        for limit in self._limits():
            now = self._now(limit)
            if limit not in self._told and now.cause == BY_HAND:
                self._told[limit] = self._given(limit).value
            before = value_text(limit.what, self._told[limit]) if limit in self._told else ""
            if before == now.text:
                continue
            self._told[limit] = now.value
            self._put_in_force(limit, now.value)
            if before or (limit.what == "bandwidth" and now.value is not None):
                of = limit.run, limit.backup_server
                self._tell(LimitChanged(self._clock(), limit.what, now.text, before, now.cause, *of, who))
        for name, run in self._runs.items():
            run.by_hand = tuple(one for one in self._by_hand.items() if one[0].run in ("", name))

    # --- how it is done ---

    def _tell(self, event: LimitChanged | RunPaused) -> None:
        self._emit(event)
        for name, run in self._runs.items():
            if event.run in ("", name) and (isinstance(event, RunPaused) or event.before):
                run.changes.append(event)

    def _limits(self) -> list[Limit]:
        """Every limit that there is just now: those of all, of backup servers, and of runs."""
        servers = [Limit("bandwidth", backup_server=name) for name in self._servers.values()]
        runs = [Limit("bandwidth", name) for name in self._runs]
        limited = [limit for limit in (*servers, *runs) if self._given(limit).value is not None]
        of_all = Limit("bandwidth"), Limit("mounts"), Limit("copies")
        return list(dict.fromkeys([*of_all, *limited, *self._told, *self._by_hand]))

    def _now(self, limit: Limit) -> LimitNow:
        return LimitNow(limit, self._by_hand[limit], BY_HAND) if limit in self._by_hand else self._given(limit)

    def _given(self, limit: Limit) -> LimitNow:
        """What the config or the job says."""
        settings = self._settings
        if limit.run:
            run = self._runs[limit.run]
            return LimitNow(limit, run.plan.bandwidth if limit.what == "bandwidth" else None, "job")
        if limit.what == "mounts":
            return LimitNow(limit, settings.limits.mounts, "config")
        if limit.what == "copies":
            return LimitNow(limit, settings.copies, "config")
        if limit.backup_server:
            return LimitNow(limit, settings.bandwidths.of_server(limit.backup_server), "config")
        table = settings.bandwidths.timetable
        now = self._clock()
        return LimitNow(limit, table.at(now), "timetable" if table.lines else "config", table.next_change(now))

    def _put_in_force(self, limit: Limit, value: int | None) -> None:
        run = self._runs.get(limit.run)
        match limit.what:
            case "bandwidth":
                part = value if value is None else max(value // self._sharing, 1)
                self.bandwidth.limit(part, run=limit.run, server=limit.backup_server.casefold())
            case "mounts" if run is not None:
                run.mounts = value
                self._stir()
            case "mounts":
                self._stir()
            case "copies" if run is not None:
                run.copies.total_tokens = math.inf if value is None else value
                self._narrowed = True
            case "copies":
                self._make_room()

    def _make_room(self) -> None:
        """What a paused run holds in the middle of a file keeps nobody else from copying."""
        held = sum(run.copying for run in self._runs.values() if run.paused)
        before, self.copying.total_tokens = self.copying.total_tokens, self.copies + held
        wider = self.copies + held > before
        self._narrowed = self._narrowed or self.copies + held < before
        if wider:
            self._widened.set()
            self._widened = Event()

    def _known_run(self, run: str) -> RunControl:
        if run not in self._runs:
            there = f"these are going on: {', '.join(self._runs)}" if self._runs else "no run is going on"
            raise WordsError(what=f"no run {run} is going on; {there}")
        return self._runs[run]

    def _spelt(self, limit: Limit) -> Limit:
        """The limit with the backup server's name as EM spells it."""
        if not limit.backup_server:
            return limit
        known = {name.casefold(): name for name in self._settings.bandwidths.names} | self._servers
        name = known.get(limit.backup_server.casefold())
        if name is None:
            there = f"known are {', '.join(sorted(known.values()))}" if known else "none is known yet"
            raise WordsError(what=f"{limit.backup_server!r} is no backup server of the config or of a run; {there}")
        return Limit(limit.what, backup_server=name)
