"""Finding the files of a mount: which share, which folder, which volume folder is which root."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from anyio import CapacityLimiter, current_time, sleep

from orchestrator.core.catalog import Listing, Mount, MountRoot, ShareListing
from orchestrator.core.errors import (
    Blast,
    EmError,
    FolderAmbiguous,
    FolderNotFound,
    MountStalled,
    ShareUnreadable,
    VolumeUnmatched,
)
from orchestrator.core.locate import (
    Seen,
    Volume,
    has_gone,
    join_share,
    match_roots,
    new_folders,
    reserved,
    root_in_guest,
    unmatched_text,
)
from orchestrator.core.paths import SourcePath
from orchestrator.engine.calls import Calls
from orchestrator.engine.ports import Browser, Source
from orchestrator.engine.rooms import EngineSettings, Reach

SHARES_AT_ONCE = 8
"""Threads that list shares."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a mount's files are. `unmatched` tells why a wanted root has no volume folder, `doubts` where the config
    and the contents disagree. `bare` are reserved partitions in which EM shows nothing, with the cause if it cannot."""

    share: str
    folder: str
    volumes: list[Volume]
    unmatched: dict[str, str]
    doubts: tuple[str, ...] = ()
    bare: Mapping[str, str] = field(default_factory=dict)


class Locator:
    """Lists shares and matches what it sees with what EM says."""

    def __init__(self, source: Source, browser: Browser, settings: EngineSettings) -> None:
        self._source = source
        self._browser = browser
        self._settings = settings
        self._calls = Calls(settings.stall, CapacityLimiter(SHARES_AT_ONCE))
        self._identities: dict[str, tuple[int, int]] = {}

    async def folders(self, backup_server: str, reach: Reach) -> Seen:
        """The folders of every share that can be listed; ShareUnreadable when none can."""
        return await list_shares(self._calls, self._source, backup_server, reach)

    async def gone(self, share: str, folder: str) -> bool:
        """Whether a mount's folder is proved to be no longer on its share; False while the share cannot be listed, or
        is not the one on which this process has seen mounts."""
        try:
            listing = await self._calls.run(share, partial(self._source.folders, share))
        except OSError:
            return False
        return has_gone(folder, listing, self._identities.get(share))

    async def locate(
        self,
        mount: Mount,
        before: Seen,
        vm: str,
        backup_server: str,
        reach: Reach,
        wanted: Iterable[str],
        generation: int,
    ) -> Located:
        """Where a mount's files are. `wanted` are the names of the roots that are needed.

        Raises FolderNotFound, FolderAmbiguous, ShareUnreadable, VolumeUnmatched when no wanted root can be told, and
        what EM raises.
        """
        names = set(wanted)
        needed = [root for root in mount.roots if root.name in names]
        listings, unlisted = await self._root_listings(needed, generation)
        unlisted = {root: cause for root, cause in unlisted.items() if _override(root, reach) is None}
        found: list[Located] = []
        problems: list[str] = []
        for share, folder in await self._await_folders(before, vm, backup_server, reach):
            located = await self._volumes(share, folder, vm, mount, listings, reach, generation)
            problems.extend(located.unmatched.values())
            if any(volume.root in names for volume in located.volumes):
                located.unmatched.update(unlisted)
                found.append(located)
        if not found:
            raise VolumeUnmatched(vm=vm, what="; ".join([*problems, *unlisted.values()]) or "the mount has no roots")
        best = min(len(located.unmatched) for located in found)
        winners = [located for located in found if len(located.unmatched) == best]
        if len(winners) > 1:
            raise FolderAmbiguous(vm=vm, folders=", ".join(join_share(one.share, one.folder) for one in winners))
        bare = {root: unlisted.get(root, "") for root in names if reserved(root) and not listings.get(root)}
        return replace(winners[0], bare=bare)

    async def _root_listings(
        self, roots: Iterable[MountRoot], generation: int
    ) -> tuple[dict[str, Listing], dict[str, str]]:
        """EM's listings of `roots`, and why the others could not be had. A reserved partition may not be listable."""
        listings, unlisted = {}, {}
        for root in roots:
            try:
                listings[root.name] = await self._browser.listing(root, generation)
            except EmError as error:
                if error.transient or error.blast is not Blast.MOUNT:
                    raise
                unlisted[root.name] = str(error)
        return listings, unlisted

    async def _await_folders(self, before: Seen, vm: str, backup_server: str, reach: Reach) -> list[tuple[str, str]]:
        """The folder appears within seconds after EM has finished the task, so it is waited for."""
        timeout = self._settings.folder_timeout
        deadline = current_time() + timeout
        pause = self._settings.poll_first
        while True:
            seen = await self.folders(backup_server, reach)
            found = new_folders(before, seen, vm)
            if found:
                self._identities.update((share, seen[share].identity) for share, _ in found)
                return found
            if current_time() + pause > deadline:
                raise FolderNotFound(
                    vm=vm, seconds=timeout, shares=", ".join(reach.shares), backup_server=backup_server
                )
            await sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _volumes(
        self,
        share: str,
        folder: str,
        vm: str,
        mount: Mount,
        wanted: Mapping[str, Listing],
        reach: Reach,
        generation: int,
    ) -> Located:
        inside = await self._listing(vm, join_share(share, folder))
        names = [name for name, listed in inside.items() if listed.folder]
        known = {root: _override(root, reach) for root in root_names(mount, reach)}
        matched = {root: volume for root, volume in known.items() if volume is not None and volume in names}
        where = join_share(share, folder)
        every = {name: await self._listing(vm, join_share(where, name)) for name in names}
        contents = {name: listing for name, listing in every.items() if name not in matched.values()}
        missing = {root: listing for root, listing in wanted.items() if root not in matched and known[root] is None}
        found = match_roots(missing, contents)
        if missing.keys() - found.keys():
            others = [root for root in mount.roots if root.name not in missing and root.name not in matched]
            listings, _ = await self._root_listings(others, generation)
            found = match_roots(missing | listings, contents)
        unmatched = {
            root: unmatched_text(root, where, listing, contents)
            for root, listing in missing.items()
            if root not in found
        }
        unmatched |= {
            root: f"the config says that {root} is {volume}, but {where} holds {', '.join(names) or 'no folder'}; "
            "correct [[backup_servers]] volumes"
            for root, volume in known.items()
            if volume is not None and volume not in names
        }
        volumes = [
            Volume(root, *root_in_guest(root), SourcePath(join_share(share, folder, name), ""))
            for root, name in (matched | found).items()
        ]
        return Located(share, folder, volumes, unmatched, _doubts(matched, wanted, every))

    async def _listing(self, vm: str, folder: str) -> Listing:
        try:
            return await self._calls.run(folder, partial(self._source.listing, SourcePath(folder, "")))
        except TimeoutError as error:
            raise MountStalled(vm=vm, cause=f"{folder}: {error.strerror}") from error
        except OSError:
            # A volume that cannot be listed matches nothing; the root it may be is then reported as unmatched.
            return {}


def _doubts(
    matched: Mapping[str, str], wanted: Mapping[str, Listing], contents: Mapping[str, Listing]
) -> tuple[str, ...]:
    """Where the config names a volume folder whose content says that it is another root's."""
    believed = match_roots({root: wanted[root] for root in matched if root in wanted}, contents)
    return tuple(
        f"the config says that {root} is {matched[root]}, but {folder} looks like it; "
        "check [[backup_servers]] volumes before you trust what is restored"
        for root, folder in believed.items()
        if folder != matched[root]
    )


async def list_shares(calls: Calls, source: Source, backup_server: str, reach: Reach) -> Seen:
    """The folders of every share that can be listed; ShareUnreadable when none can."""
    seen: dict[str, ShareListing] = {}
    causes = []
    for share in reach.shares:
        try:
            seen[share] = await calls.run(share, partial(source.folders, share))
        except OSError as error:
            causes.append(f"{share}: {error.strerror or error}")
    if not seen:
        raise ShareUnreadable(share=", ".join(reach.shares), backup_server=backup_server, cause="; ".join(causes))
    return seen


def root_names(mount: Mount, reach: Reach) -> list[str]:
    """The roots that can be asked for: those that EM names, and those that only the config knows."""
    named = [root.name for root in mount.roots]
    return named + [name for name in reach.volumes if name.casefold() not in map(str.casefold, named)]


def _override(root: str, reach: Reach) -> str | None:
    return next((folder for name, folder in reach.volumes.items() if name.casefold() == root.casefold()), None)
