"""Which folder of a share is which root of a mount, by comparing what each holds with what EM lists."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from orchestrator.core.catalog import Listing, Mount, MountRoot
from orchestrator.core.errors import Blast, EmError, MountStalled
from orchestrator.core.locate import (
    Candidate,
    Seen,
    Volume,
    join_share,
    match_roots,
    root_in_guest,
    unmatched_text,
)
from orchestrator.core.paths import SourcePath
from orchestrator.engine.calls import Calls
from orchestrator.engine.ports import Browser, Source
from orchestrator.engine.rooms import Reach

VOLUMES_AT_MOST = 128
"""Folders that are looked into below a folder that carries an id: more than that is a volume, and no mount."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose files are looked for: a mount of `vm`, made after `before` was seen. `wanted` are the names of the roots
    that are needed, `expected` the shares that have shown such mounts earlier, the likeliest first."""

    mount: Mount
    generation: int
    vm: str
    backup_server: str
    reach: Reach
    wanted: Collection[str]
    before: Seen
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """Where a mount's files are. `unmatched` tells why a wanted root has no volume folder, `doubts` where the config
    and the contents disagree. `bare` are reserved partitions in which EM shows nothing, with the cause if it cannot.
    `host` is the mount host behind the share, where the config says so."""

    share: str
    folder: str
    volumes: list[Volume]
    unmatched: dict[str, str]
    doubts: tuple[str, ...] = ()
    bare: Mapping[str, str] = field(default_factory=dict)
    host: str = ""

    @property
    def where(self) -> str:
        """The folder, for people. Without a share the files come through EM."""
        if not self.share:
            return "Enterprise Manager"
        return join_share(self.share, *([self.folder] if self.folder else []))


@dataclass(frozen=True, slots=True)
class _Shown:
    """Folders of one share, each perhaps a volume: what each holds, by name. Without `folder` they are the share's."""

    share: str
    folder: str
    contents: Mapping[str, Listing]

    def path(self, *names: str) -> str:
        return join_share(self.share, *([self.folder] if self.folder else []), *names)


class Matching:
    """The matching of one mount."""

    def __init__(self, calls: Calls, source: Source, browser: Browser, sought: Sought) -> None:
        self._calls = calls
        self._source = source
        self._browser = browser
        self._sought = sought
        self._listings: dict[str, Listing] = {}
        self.unlisted: dict[str, str] = {}
        """Why EM does not list a wanted root, where the config does not say its folder."""

    async def ask(self) -> None:
        """What EM lists of the wanted roots. A reserved partition may not be listable. Raises what EM raises."""
        reach, wanted = self._sought.reach, self._sought.wanted
        roots = [root for root in self._sought.mount.roots if root.name in wanted]
        self._listings, unlisted = await self._root_listings(roots)
        self.unlisted = {root: cause for root, cause in unlisted.items() if _override(root, reach) is None}

    def shows(self, root: str) -> bool:
        """Whether EM lists anything in a root."""
        return bool(self._listings.get(root))

    async def look_into(self, one: Candidate) -> list[Located]:
        """What a candidate may be. A folder with an id is a volume, or the folder of a mount. Raises MountStalled."""
        if not one.by_id:
            return [await self._match(await self._below(one.share, one.folders[0]))]
        contents = {name: await self._listing(join_share(one.share, name)) for name in one.folders}
        found = [await self._match(_Shown(one.share, "", contents))]
        for name, listing in contents.items():
            if 0 < len(listing) <= VOLUMES_AT_MOST and all(listed.folder for listed in listing.values()):
                found.append(await self._match(await self._below(one.share, name)))
        return found

    async def _below(self, share: str, folder: str) -> _Shown:
        inside = await self._listing(join_share(share, folder))
        names = [name for name, listed in inside.items() if listed.folder]
        return _Shown(share, folder, {name: await self._listing(join_share(share, folder, name)) for name in names})

    async def _match(self, shown: _Shown) -> Located:
        sought, wanted, every = self._sought, self._listings, shown.contents
        known = {root: _override(root, sought.reach) for root in root_names(sought.mount, sought.reach)}
        matched = {root: volume for root, volume in known.items() if volume is not None and volume in every}
        contents = {name: listing for name, listing in every.items() if name not in matched.values()}
        missing = {root: listing for root, listing in wanted.items() if root not in matched and known[root] is None}
        found = match_roots(missing, contents)
        if missing.keys() - found.keys():
            others = [root for root in sought.mount.roots if root.name not in missing and root.name not in matched]
            listings, _ = await self._root_listings(others)
            found = match_roots(missing | listings, contents)
        where = shown.path()
        unmatched = {
            root: unmatched_text(root, where, listing, contents)
            for root, listing in missing.items()
            if root not in found
        }
        unmatched |= {
            root: f"the config says that {root} is {volume}, but {where} holds {', '.join(every) or 'no folder'}; "
            "correct [[backup_servers]] volumes"
            for root, volume in known.items()
            if volume is not None and volume not in every
        }
        volumes = [
            Volume(root, *root_in_guest(root), SourcePath(shown.path(name), ""))
            for root, name in (matched | found).items()
        ]
        folder = shown.folder or next(iter((matched | found).values()), "")
        host = sought.reach.host(shown.share)
        return Located(shown.share, folder, volumes, unmatched, _doubts(matched, wanted, every), host=host)

    async def _root_listings(self, roots: Iterable[MountRoot]) -> tuple[dict[str, Listing], dict[str, str]]:
        """EM's listings of `roots`, and why the others could not be had."""
        listings, unlisted = {}, {}
        for root in roots:
            try:
                listings[root.name] = await self._browser.listing(root, self._sought.generation)
            except EmError as error:
                if error.transient or error.blast is not Blast.MOUNT:
                    raise
                unlisted[root.name] = str(error)
        return listings, unlisted

    async def _listing(self, folder: str) -> Listing:
        try:
            return await self._calls.run(folder, partial(self._source.listing, SourcePath(folder, "")))
        except TimeoutError as error:
            raise MountStalled(vm=self._sought.vm, cause=f"{folder}: {error.strerror}") from error
        except OSError:
            # A volume that cannot be listed matches nothing; the root it may be is then reported as unmatched.
            return {}


def root_names(mount: Mount, reach: Reach) -> list[str]:
    """The roots that can be asked for: those that EM names, and those that only the config knows."""
    named = [root.name for root in mount.roots]
    return named + [name for name in reach.volumes if name.casefold() not in map(str.casefold, named)]


def _override(root: str, reach: Reach) -> str | None:
    return next((folder for name, folder in reach.volumes.items() if name.casefold() == root.casefold()), None)


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
