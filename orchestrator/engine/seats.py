"""Places for mounts, how each backup server is doing, and the limits: what all runs of one process share."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol

from anyio import CapacityLimiter, Event, Lock, current_time, move_on_after

from orchestrator.core.events import Notice
from orchestrator.core.health import Circuit, Health, failed, mounted, next_change
from orchestrator.core.limits import Limits, Resource, kept_for, next_group
from orchestrator.core.plan import MountGroup
from orchestrator.core.whereabouts import Answer, Whereabouts
from orchestrator.engine.allowance import Bandwidth
from orchestrator.engine.controls import Controls
from orchestrator.engine.looking import Looking
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.rooms import EngineSettings
from orchestrator.engine.turns import Turns

WALKERS = range(4, 17)
"""Threads that list folders: as many as mounts, but no fewer and no more than these."""


class Waiting(Protocol):
    """A run with groups that wait for a place. Higher `priority` is served first. Without `room` it may begin none just
    now, whatever places are free."""

    @property
    def waiting(self) -> Sequence[MountGroup]: ...

    @property
    def priority(self) -> int: ...

    @property
    def room(self) -> bool: ...


class Seats:
    """One for each process. Limits hold over all its runs, and so does what is known of a backup server."""

    def __init__(self, settings: EngineSettings, emit: Emit, clock: Clock, bandwidth: Bandwidth | None = None) -> None:
        self._limits = settings.limits
        self._emit = emit
        self._clock = clock
        self._runs: list[Waiting] = []
        self._taken: list[MountGroup] = []
        self._health: dict[str, Health] = {}
        self._changed = Event()
        self.paused = False
        self.processes = threading.Semaphore(settings.processes)
        self.controls = Controls(settings, emit, clock, self.stir, bandwidth or Bandwidth())
        self.turns = Turns(lambda: self.controls.copies)
        self.looking = Looking()
        self.asking = Lock()
        """Held between the POST of a restore to the original location and the record of its task."""
        self._reach = cache(settings.reach)
        self._at: dict[int, frozenset[str]] = {}
        self._hosts: dict[int, frozenset[str]] = {}
        self.whereabouts = Whereabouts()
        self.recalled = False
        """Whether what earlier processes have learned is in `whereabouts`."""
        self.walking = CapacityLimiter(min(max(settings.limits.mounts, WALKERS[0]), WALKERS[-1]))

    def learn(self, group: MountGroup, share: str) -> Answer | None:
        """The mount of `group` was found on `share`: it counts on that mount host alone. What is to be kept of that."""
        reach = self._reach(group.point.backup_server)
        if reach is None or len(reach.shares) == 1:
            return None
        self._at[id(group)] = frozenset({reach.host(share).casefold()})
        answer = self.whereabouts.learn(group, share)
        if answer is not None:
            self._hosts.clear()
        self.stir()
        return answer

    def expected(self, group: MountGroup) -> tuple[str, ...]:
        """The shares on which the mount of `group` is looked for first."""
        reach = self._reach(group.point.backup_server)
        return self.whereabouts.expected(group, reach.shares) if reach is not None else ()

    def enter(self, run: Waiting) -> None:
        """A run begins to wait. A server that was given up in an earlier run gets another chance in this one."""
        busy = {group.point.backup_server for one in self._runs for group in one.waiting}
        busy |= {group.point.backup_server for group in self._taken}
        for server in [name for name, health in self._health.items() if health.circuit is Circuit.GIVEN_UP]:
            if server not in busy:
                del self._health[server]
        self._runs.append(run)

    def leave(self, run: Waiting) -> None:
        """A run waits no more; what it would not let others have is theirs."""
        self._runs.remove(run)
        self._hosts.clear()  # its groups are gone, and what comes may be given their identities
        self.stir()

    def take(self, run: Waiting) -> MountGroup | None:
        """The next group of `run` that has a place, which it then holds until `give_back`."""
        before = (one for one in self._runs if one is not run and one.priority > run.priority)
        if any(self._next(one) is not None for one in before):
            return None
        group = self._next(run)
        if group is not None:
            self._at[id(group)] = self._hosts_of(group)
            self._taken.append(group)
        return group

    def give_back(self, group: MountGroup) -> None:
        """The place of `group` is free again."""
        self._taken.remove(group)
        self._at.pop(id(group), None)
        self.stir()

    def pause(self, paused: bool) -> None:
        """While paused no group is given a place; those that have one go on to their end."""
        self.paused = paused
        self.stir()

    def stir(self) -> None:
        """Wake everyone who waits for a change."""
        self._changed.set()
        self._changed = Event()

    async def change(self) -> None:
        """Return when something has changed: a place is free, a server's pause is over, a stop was asked for."""
        changed = self._changed
        with move_on_after(next_change(self._health, current_time())):
            await changed.wait()

    def given_up(self, backup_server: str) -> bool:
        """Whether a server has failed so often that its groups are only told so."""
        return self._of(backup_server).circuit is Circuit.GIVEN_UP

    def mounted(self, backup_server: str, seconds: float) -> None:
        """A mount of that server was made."""
        before = self._of(backup_server)
        self._health[backup_server] = mounted(before, seconds, self._limits.of_server(backup_server))
        if before.circuit is not Circuit.CLOSED:
            self._tell(f"{backup_server} mounts again")
        self.stir()

    def failed(self, backup_server: str, cause: str) -> None:
        """A mount of that server failed."""
        before = self._of(backup_server)
        after = self._health[backup_server] = failed(before, current_time())
        if after.circuit is Circuit.GIVEN_UP and before.circuit is not Circuit.GIVEN_UP:
            self._tell(f"{backup_server} is given up: {after.failures} mounts failed in a row, last: {cause}")
        elif after.trips > before.trips:
            pause = after.until - current_time()
            self._tell(f"{backup_server} is paused for {pause:.0f} s: its mounts keep failing, last: {cause}")
        self.stir()

    def _of(self, backup_server: str) -> Health:
        return self._health.get(backup_server, Health())

    def _tell(self, message: str) -> None:
        self._emit(Notice(self._clock(), message))

    def _next(self, run: Waiting) -> MountGroup | None:
        """The next group that has room. One of a server that is given up always has: it only has to be told so."""
        waiting = run.waiting
        servers = {group.point.backup_server for group in waiting}
        given_up = {name for name in servers if self.given_up(name)}
        if given_up:
            return next(group for group in waiting if group.point.backup_server in given_up)
        if self.paused or not run.room:
            return None
        now = current_time()
        allowed = {name.casefold(): self._of(name).mounts(self._limits.of_server(name), now) for name in servers}
        limits = replace(self._limits, mounts=self.controls.mounts, per_server=allowed)
        return next_group(waiting, self._taken, limits, self._hosts_of, self._kept_before(run, limits))

    def _kept_before(self, run: Waiting, limits: Limits) -> Mapping[Resource, int]:
        """What the first run that began to wait before `run`, and is not behind it, keeps of the mount hosts."""
        if not limits.per_host:
            return {}
        for one in self._runs:
            if one is run:
                break
            ahead = one.waiting if one.room and one.priority >= run.priority else ()
            if kept := kept_for(ahead, self._taken, limits, self._hosts_of):
                return kept
        return {}

    def _hosts_of(self, group: MountGroup) -> frozenset[str]:
        """The mount hosts on which the mount of `group` is, or may appear."""
        if not self._limits.per_host:
            return frozenset()
        found = self._at.get(id(group)) or self._hosts.get(id(group))
        if found is None:
            reach = self._reach(group.point.backup_server)
            hosts = {share: reach.host(share) for share in reach.shares} if reach is not None else {}
            found = self._hosts[id(group)] = self.whereabouts.hosts(group, hosts)
        return found
