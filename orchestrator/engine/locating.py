"""Finding the files of a mount: which share, which folder, which volume folder is which root."""

from collections.abc import Iterable, Mapping, Sequence

from anyio import CapacityLimiter, current_time, sleep, to_thread

from orchestrator.core.catalog import Listing, Mount, MountRoot, ShareFolder
from orchestrator.core.errors import EmError, FolderAmbiguous, FolderNotFound, ShareUnreadable, VolumeUnmatched
from orchestrator.core.locate import Seen, Volume, candidates_text, join_share, match_roots, new_folders, root_in_guest
from orchestrator.core.paths import SourcePath
from orchestrator.engine.ports import Mounts, Source
from orchestrator.engine.rooms import EngineSettings, Reach


class Locator:
    """Lists shares and matches what it sees with what EM says. Share listings run in threads."""

    def __init__(self, source: Source, mounts: Mounts, settings: EngineSettings) -> None:
        self._source = source
        self._mounts = mounts
        self._settings = settings
        self._threads = CapacityLimiter(8)

    async def folders(self, backup_server: str, reach: Reach) -> Seen:
        """The folders of every share that can be listed; ShareUnreadable when none can."""
        seen: dict[str, Sequence[ShareFolder]] = {}
        causes = []
        for share in reach.shares:
            try:
                seen[share] = await to_thread.run_sync(self._source.folders, share, limiter=self._threads)
            except OSError as error:
                causes.append(f"{share}: {error.strerror or error}")
        if not seen:
            raise ShareUnreadable(share=", ".join(reach.shares), backup_server=backup_server, cause="; ".join(causes))
        return seen

    async def gone(self, share: str, folder: str) -> bool:
        """Whether a mount's folder is no longer on its share; False while the share cannot be listed."""
        try:
            folders = await to_thread.run_sync(self._source.folders, share, limiter=self._threads)
        except OSError:
            return False
        return all(one.name != folder for one in folders)

    async def locate(
        self,
        mount: Mount,
        before: Seen,
        vm: str,
        backup_server: str,
        reach: Reach,
        wanted: Iterable[str],
        generation: int,
    ) -> tuple[str, str, list[Volume]]:
        """(share, folder, volumes) of a mount. `wanted` are the names of the roots that are needed.

        Raises FolderNotFound, FolderAmbiguous, VolumeUnmatched, ShareUnreadable, and what EM raises.
        """
        needed = [root for root in mount.roots if root.name in set(wanted)]
        listings = {
            root.name: await self._mounts.listing(root, generation)
            for root in needed
            if _override(root.name, reach) is None
        }
        candidates = await self._await_folders(before, vm, backup_server, reach)
        found = []
        problems: list[VolumeUnmatched] = []
        for share, folder in candidates:
            try:
                found.append(
                    (share, folder, await self._volumes(share, folder, mount, listings, reach, vm, generation))
                )
            except VolumeUnmatched as error:
                problems.append(error)
        if len(found) == 1:
            return found[0]
        if not found:
            raise problems[0]
        raise FolderAmbiguous(vm=vm, folders=", ".join(join_share(share, folder) for share, folder, _ in found))

    async def _await_folders(self, before: Seen, vm: str, backup_server: str, reach: Reach) -> list[tuple[str, str]]:
        """The folder appears within seconds after EM has finished the task, so it is waited for."""
        timeout = self._settings.folder_timeout
        deadline = current_time() + timeout
        pause = self._settings.poll_first
        while True:
            found = new_folders(before, await self.folders(backup_server, reach), vm)
            if found:
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
        mount: Mount,
        wanted: Mapping[str, Listing],
        reach: Reach,
        vm: str,
        generation: int,
    ) -> list[Volume]:
        inside = await self._listing(SourcePath(join_share(share, folder), ""))
        names = [name for name, listed in inside.items() if listed.folder]
        known = {root: _override(root, reach) for root in root_names(mount, reach)}
        matched = {root: volume for root, volume in known.items() if volume in names and volume is not None}
        free = [name for name in names if name not in matched.values()]
        contents = {name: await self._listing(SourcePath(join_share(share, folder, name), "")) for name in free}
        missing = {root: listing for root, listing in wanted.items() if root not in matched}
        found = match_roots(missing, contents)
        if missing.keys() - found.keys():
            everything = missing | await self._other_roots(mount.roots, missing.keys() | matched.keys(), generation)
            found = match_roots(everything, contents)
        for root, listing in missing.items():
            if root not in found:
                raise VolumeUnmatched(
                    root=root, vm=vm, folder=join_share(share, folder), candidates=candidates_text(listing, contents)
                )
        matched |= found
        return [
            Volume(root, *root_in_guest(root), SourcePath(join_share(share, folder, name), ""))
            for root, name in matched.items()
        ]

    async def _other_roots(
        self, roots: Sequence[MountRoot], known: Iterable[str], generation: int
    ) -> dict[str, Listing]:
        """The listings of roots nobody asked for, to break a tie. A reserved partition may not be listable."""
        skip = set(known)
        listings = {}
        for root in roots:
            if root.name not in skip:
                try:
                    listings[root.name] = await self._mounts.listing(root, generation)
                except EmError as error:
                    if error.transient:
                        raise
        return listings

    async def _listing(self, folder: SourcePath) -> Listing:
        try:
            return await to_thread.run_sync(self._source.listing, folder, limiter=self._threads)
        except OSError:
            # A volume that cannot be listed matches nothing; the root it may be is then reported as unmatched.
            return {}


def root_names(mount: Mount, reach: Reach) -> list[str]:
    """The roots that can be asked for: those that EM names, and those that only the config knows."""
    named = [root.name for root in mount.roots]
    return named + [name for name in reach.volumes if name.casefold() not in map(str.casefold, named)]


def _override(root: str, reach: Reach) -> str | None:
    return next((folder for name, folder in reach.volumes.items() if name.casefold() == root.casefold()), None)
