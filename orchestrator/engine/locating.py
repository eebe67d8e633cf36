"""Finding the files of a mount: which share shows them. EM names neither share nor folder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from anyio import CapacityLimiter, current_time, sleep

from orchestrator.core.errors import FolderAmbiguous, FolderNotFound, MountStalled, VolumeUnmatched
from orchestrator.core.locate import Candidate, Seen, candidates, has_gone, join_share, reserved
from orchestrator.engine.calls import Calls
from orchestrator.engine.matching import Located, Matching, Sought
from orchestrator.engine.ports import Browser, Source
from orchestrator.engine.probing import SHARES_AT_ONCE, Probed, none_readable, probe
from orchestrator.engine.rooms import EngineSettings, Reach

EXPECTED_ALONE = 3.0
"""Times `limits.poll_interval` for which only those shares are looked at that have shown such mounts before."""


class Locator:
    """Lists shares and matches what it sees with what EM says. `tell` takes what an operator should know, once."""

    def __init__(
        self, source: Source, browser: Browser, settings: EngineSettings, tell: Callable[[str], None] | None = None
    ) -> None:
        self._source = source
        self._browser = browser
        self._settings = settings
        self._tell = tell
        self._calls = Calls(settings.stall, CapacityLimiter(SHARES_AT_ONCE))
        self._identities: dict[str, tuple[int, int]] = {}
        self._silent: set[str] = set()
        self._told: set[str] = set()

    async def folders(self, backup_server: str, reach: Reach) -> Seen:
        """The folders of every share that can be listed; ShareUnreadable when none can."""
        return (await self._probed(backup_server, reach)).seen

    async def gone(self, share: str, folder: str) -> bool:
        """Whether a mount's folder is proved to be no longer on its share; False while the share cannot be listed, or
        is not the one on which this process has seen mounts."""
        try:
            listing = await self._calls.run(share, partial(self._source.folders, share))
        except OSError:
            return False
        return has_gone(folder, listing, self._identities.get(share))

    async def locate(self, sought: Sought) -> Located:
        """Where a mount's files are.

        Raises FolderNotFound, FolderAmbiguous, ShareUnreadable, MountStalled, VolumeUnmatched when no wanted root can
        be told, and what EM raises.
        """
        matching = Matching(self._calls, self._source, self._browser, sought)
        await matching.ask()
        looked = await self._await_files(sought, matching)
        found = [one for one in looked if _has_wanted(one, sought)]
        if not found:
            problems = [problem for one in looked for problem in one.unmatched.values()]
            what = "; ".join([*problems, *matching.unlisted.values()]) or "the mount has no roots"
            raise VolumeUnmatched(vm=sought.vm, what=what)
        for one in found:
            one.unmatched.update(matching.unlisted)
        best = min(len(one.unmatched) for one in found)
        winners = [one for one in found if len(one.unmatched) == best]
        if len(winners) > 1:
            raise FolderAmbiguous(vm=sought.vm, folders=", ".join(join_share(one.share, one.folder) for one in winners))
        bare = {
            root: matching.unlisted.get(root, "")
            for root in sought.wanted
            if reserved(root) and not matching.shows(root)
        }
        return replace(winners[0], bare=bare)

    async def _await_files(self, sought: Sought, matching: Matching) -> list[Located]:
        """Everything that may be the mount. The folder appears within seconds after EM has finished the task, so it is
        waited for; folders that carry ids until what is wanted has been found in them."""
        begun, pause = current_time(), self._settings.poll_first
        until_all = begun + EXPECTED_ALONE * pause
        while True:
            over = current_time() + pause > begun + self._settings.folder_timeout
            probed = await self._look(sought, alone=current_time() < until_all and not over)
            found = candidates(sought.before, probed.seen, sought.vm, sought.reach.by_id, overdue=over)
            looked = await self._look_into(found, matching)
            by_name = any(not one.by_id for one in found)
            if looked and (over or by_name or any(_is_whole(one, sought) for one in looked)):
                self._tell_of_doubles(found)
                self._identities.update((one.share, probed.seen[one.share].identity) for one in found)
                return looked
            if over:
                raise self._not_found(sought, probed)
            await sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _look(self, sought: Sought, alone: bool) -> Probed:
        """What the shares show now. For a while the expected ones are looked at `alone`; what they show is only
        believed together with all the others, since a mount has one place."""
        if sought.expected and alone:
            first = await probe(self._calls, self._source, sought.expected, self._settings.probe)
            if not candidates(sought.before, first.seen, sought.vm, sought.reach.by_id):
                return first
        return await self._probed(sought.backup_server, sought.reach)

    async def _look_into(self, found: Sequence[Candidate], matching: Matching) -> list[Located]:
        """What the candidates may be; one that hangs is an error only when there is no other."""
        looked: list[Located] = []
        stalled: MountStalled | None = None
        for one in found:
            try:
                looked.extend(await matching.look_into(one))
            except MountStalled as error:
                stalled = error
        if stalled is not None and not any(one.volumes for one in looked):
            raise stalled
        return looked

    def _not_found(self, sought: Sought, probed: Probed) -> FolderNotFound:
        shares = ", ".join(sought.reach.shares)
        if probed.silent:
            causes = "; ".join(f"{share}: {cause}" for share, cause in probed.silent.items())
            shares += f" (not all could be listed: {causes})"
        return FolderNotFound(
            vm=sought.vm, seconds=self._settings.folder_timeout, shares=shares, backup_server=sought.backup_server
        )

    async def _probed(self, backup_server: str, reach: Reach) -> Probed:
        probed = await probe(self._calls, self._source, reach.shares, self._settings.probe)
        if not probed.seen:
            raise none_readable(probed, backup_server, reach)
        for share, cause in probed.silent.items():
            if share not in self._silent:
                self._silent.add(share)
                self._say(f"the share {share} of {backup_server} is left out: {cause}; its other shares go on without")
        for share in self._silent.intersection(probed.seen):
            self._silent.remove(share)
            self._say(f"the share {share} of {backup_server} answers again")
        return probed

    def _tell_of_doubles(self, found: Sequence[Candidate]) -> None:
        for one in found:
            if one.also and one.share not in self._told:
                self._told.add(one.share)
                self._say(f"{', '.join(one.also)} shows the same folder as {one.share}; keep one of them in the config")

    def _say(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)


def _has_wanted(one: Located, sought: Sought) -> bool:
    return any(volume.root in sought.wanted for volume in one.volumes)


def _is_whole(one: Located, sought: Sought) -> bool:
    return _has_wanted(one, sought) and not one.unmatched
