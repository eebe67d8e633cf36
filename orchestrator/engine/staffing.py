"""Whether the fleet has workers for what waits of a run: told of in words, and given up when nobody comes in time."""

from collections.abc import Mapping, Sequence

from orchestrator.core.events import GroupsStuck, SitePace
from orchestrator.core.fleet import MemberNow, Pace, Queued, SiteNow, living, sites_now, stuck, unable
from orchestrator.core.plan import MountGroup
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_dispatch import Membership, Submissions, Turn, Work

ASK_AGAIN_EVERY = 30
"""So many looks at workers of whom none can take what waits, for one time that those who have refused may try again."""

ANSWERED_WITHIN = 5
"""So many looks they get to try; until then what waits is as stuck as before."""


class Staffing:
    """Of one run. What nobody can take for `patience` seconds fails."""

    def __init__(
        self,
        submissions: Submissions,
        membership: Membership,
        books: Books,
        control: RunControl,
        emit: Emit,
        clock: Clock,
        patience: float,
    ) -> None:
        self._submissions = submissions
        self._membership = membership
        self._books = books
        self._control = control
        self._run = control.plan.run
        self._emit = emit
        self._clock = clock
        self._patience = patience
        self._sites: dict[str, SiteNow] = {}
        self._stuck: dict[str, int] = {}
        self._in_vain = 0

    async def look(
        self, queued: Sequence[Queued], groups: Mapping[str, MountGroup], work: Work | None, waits: bool
    ) -> None:
        """Look at the workers. What nobody came for in time is given to `work`, where there is one. While the run
        `waits` for something else, nobody is expected to come."""
        members = await self._books.ask(self._membership.members)
        self._tell_of_sites(sites_now(members))
        if self._in_vain < 0:
            self._in_vain += 1
            return
        before, self._stuck = self._stuck, stuck(queued, members)
        self._in_vain = self._in_vain + 1 if self._stuck else 0
        if self._stuck != before:
            self._emit(GroupsStuck(self._clock(), self._run, sum(self._stuck.values()), tuple(sorted(self._stuck))))
        if work is not None and (self._stuck or before):
            await self._give_up(members, groups, work, waits)

    def _tell_of_sites(self, sites: Sequence[SiteNow]) -> None:
        """What has changed; a site at which nobody is left is told of once more."""
        now = {one.site: one for one in sites}
        now |= {site: SiteNow(site, 0, 0, Pace()) for site in self._sites if site not in now}
        for site, one in now.items():
            if one != self._sites.get(site):
                pace = one.pace.files_per_second, one.pace.bytes_per_second
                self._emit(SitePace(self._clock(), site, one.workers, one.units, *pace))
        self._sites = now

    async def _give_up(
        self, members: Sequence[MemberNow], groups: Mapping[str, MountGroup], work: Work, waits: bool
    ) -> None:
        """What nobody could take for too long comes to its end here, with the reason for each of its files."""
        again = self._in_vain >= ASK_AGAIN_EVERY
        if again:
            self._in_vain = -ANSWERED_WITHIN
        ask, patience = self._submissions.unserved, None if waits else self._patience
        for name, one in (await self._books.ask(ask, self._run, patience, again)).items():
            why = unable(one, living(members)) or "those who could are busy, or gone"
            what = f"no worker could take it within {self._patience:g} s (fleet.worker_timeout): {why}"
            self._control.unserved[name] = what
            await work(groups[name], Turn.UNSERVED)
