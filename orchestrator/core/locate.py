"""Where the files of a mount are: which folder of a share, and which volume folder is which root.

EM names neither. A folder is found by what is new on the shares since before the POST, a volume by comparing EM's
listing of the root with the listings of the folders. Sources: the mount pages of the EM reference name
`C:\\VeeamFLR\\<vm-name>`; real mounts also carry a suffix of eight hex digits and hold `Volume1..N` in no promised
order. A Linux mount host has `/run/media/Veeam.Mount.FS/<id>`; that the id is that of a mount or of a volume is
inferred, and either is accepted.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.core.catalog import Listed, Listing, ShareListing
from orchestrator.core.paths import GuestPath, SourcePath, safe_component

Seen = Mapping[str, ShareListing]
"""Each share at one moment."""

MATCH_AT_LEAST = 0.5
"""A volume folder that shares less than half of a root's listing is another volume."""

TIME_SLACK = 2
"""Seconds: EM gives whole seconds, shares may round to two."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A root of the mount and the folder that holds it. `volume` and `prefix` are the root in guest terms."""

    root: str
    volume: str
    prefix: tuple[str, ...]
    folder: SourcePath

    def guest(self, relative: str) -> GuestPath:
        """The guest path of an entry of this volume."""
        return GuestPath(self.volume, (*self.prefix, *(name for name in relative.split("/") if name)))


def join_share(share: str, *names: str) -> str:
    """A path below a share, in the share's own spelling (UNC and drive letters use the backslash)."""
    separator = "\\" if share.startswith("\\\\") or re.match(r"^[A-Za-z]:", share) else "/"
    return separator.join([share.rstrip("/\\") or share, *names])


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is new on a share: a folder that carries the machine's name, or all folders that carry ids. `also` are
    shares that show the very same folder."""

    share: str
    folders: tuple[str, ...]
    by_id: bool = False
    also: tuple[str, ...] = ()


def candidates(
    before: Seen, after: Seen, vm: str, by_id: Collection[str] = (), overdue: bool = False
) -> list[Candidate]:
    """Every place where the files of a mount of `vm` may be: what was not there, or was made anew, since `before`.

    A name matches as a whole, with or without a suffix: `app1` never takes the folder of `app10`. A folder that was
    there under the same name counts only when nothing newer does. That of a share which could not be listed before may
    be an old one: it counts only when nothing else does and the folder is `overdue`. On shares in `by_id` the names say
    nothing: there, every folder that is new counts, and only against a listing from before.
    """
    fresh, remade, unproven = [], [], []
    belongs = _name_of(vm).fullmatch
    for share, listing in after.items():
        known = {folder.name: folder.created_ns for folder in before[share].folders} if share in before else {}
        if share in by_id:
            new = tuple(folder.name for folder in listing.folders if folder.name not in known)
            if new and share in before:
                fresh.append(Candidate(share, new, by_id=True))
            continue
        for folder in listing.folders:
            if not belongs(folder.name):
                continue
            one = Candidate(share, (folder.name,))
            if share not in before:
                unproven.append(one)
            elif folder.name not in known:
                fresh.append(one)
            elif known[folder.name] != folder.created_ns:
                remade.append(one)
    return _each_once(fresh or remade or (unproven if overdue else []), after)


def _name_of(vm: str) -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in {vm, safe_component(vm)})
    return re.compile(rf"(?:{names})(?:_[0-9a-f]{{8}})?", re.IGNORECASE)


def _each_once(found: Iterable[Candidate], seen: Seen) -> list[Candidate]:
    """Without what is seen a second time: a folder that two names of a share lead to."""
    kept: dict[object, Candidate] = {}
    for one in found:
        listing = seen[one.share]
        made = tuple(folder for folder in listing.folders if folder.name in one.folders)
        first = kept.setdefault((listing.identity, made), one)
        if first is not one:
            kept[listing.identity, made] = replace(first, also=(*first.also, one.share))
    return list(kept.values())


def has_gone(folder: str, listing: ShareListing, identity: tuple[int, int] | None) -> bool:
    """Whether `listing` proves that a mount's folder is no longer on its share.

    `identity` is the share's at the time when this process saw the folder there. With it, only the same living share
    counts: an empty folder that is left when a share is unmounted proves nothing. Without it (the process that saw the
    folder is gone) the share must be seen to live: something is mounted there, or shows other folders.
    """
    if any(one.name == folder for one in listing.folders):
        return False
    if identity is not None:
        return listing.identity == identity
    return listing.mounted or bool(listing.folders)


def likeness(root: Listing, folder: Listing) -> float:
    """How much of two listings agrees, 0 to 1: names and kinds, and for files size and time where both are known."""
    if not root and not folder:
        return 1.0
    ours, theirs = _keyed(root), _keyed(folder)
    agreed = possible = 0
    for name in ours.keys() | theirs.keys():
        one, other = ours.get(name), theirs.get(name)
        weight, hits = _compare(one, other) if one and other else (1, 0)
        possible += weight
        agreed += hits
    return agreed / possible


def _keyed(listing: Listing) -> dict[str, Listed]:
    return {unicodedata.normalize("NFC", name).casefold(): listed for name, listed in listing.items()}


def _compare(one: Listed, other: Listed) -> tuple[int, int]:
    """(points to be had, points agreed) for one name that both sides have."""
    points, agreed = 1, int(one.folder == other.folder)
    if one.folder or other.folder:
        return points, agreed
    if one.size is not None and other.size is not None:
        points, agreed = points + 1, agreed + (one.size == other.size)
    if one.modified is not None and other.modified is not None:
        points, agreed = points + 1, agreed + (abs(one.modified - other.modified) <= TIME_SLACK)
    return points, agreed


def match_roots(roots: Mapping[str, Listing], folders: Mapping[str, Listing]) -> dict[str, str]:
    """The volume folder of each root that has exactly one best match; roots that have none or a tie are left out.

    Sure matches are made first and taken away, so that a tie can be broken by elimination.
    """
    matched: dict[str, str] = {}
    left_roots, left_folders = dict(roots), dict(folders)
    while True:
        sure = _sure_matches(left_roots, left_folders)
        if not sure:
            return matched
        matched.update(sure)
        for root, folder in sure.items():
            del left_roots[root]
            del left_folders[folder]


def _sure_matches(roots: Mapping[str, Listing], folders: Mapping[str, Listing]) -> dict[str, str]:
    """Pairs in which each side is the other's only best match."""
    scores = {(root, folder): likeness(roots[root], folders[folder]) for root in roots for folder in folders}
    sure = {}
    for root in roots:
        folder = _only_best({name: scores[root, name] for name in folders})
        if folder is not None and _only_best({name: scores[name, folder] for name in roots}) == root:
            sure[root] = folder
    return sure


def _only_best(scores: Mapping[str, float]) -> str | None:
    best = max(scores.values(), default=0.0)
    winners = [name for name, score in scores.items() if score == best]
    return winners[0] if len(winners) == 1 and best >= MATCH_AT_LEAST else None


def unmatched_text(root: str, where: str, listing: Listing, folders: Mapping[str, Listing]) -> str:
    """Why a root has no volume folder, with both sides: what EM lists and what each folder holds."""
    shown = [
        f"{name} ({likeness(listing, content):.0%} alike) holds {_names(content)}" for name, content in folders.items()
    ]
    return (
        f"volume {root} cannot be told among the folders of {where}: EM lists {_names(listing)}; "
        f"{'; '.join(shown) or 'there is no folder left'}. Say which one it is: "
        f'[[backup_servers]] volumes = {{ "{root}" = "Volume2" }}'
    )


def _names(listing: Iterable[str]) -> str:
    names = sorted(listing)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "nothing"


def reserved(root: str) -> bool:
    """Whether a root is a partition without a drive letter (`Volume$0:`), as the system keeps for itself."""
    return re.fullmatch(r"Volume\$\d+:?", root, re.IGNORECASE) is not None


def root_in_guest(name: str) -> tuple[str, tuple[str, ...]]:
    """A root as EM names it, in guest terms: (`C:`, ()) or (`/`, (`srv`,))."""
    plain = name.replace("\\", "/")
    if plain.startswith("/"):
        return "/", tuple(part for part in plain.split("/") if part)
    plain = plain.rstrip("/")
    return (plain.upper() if re.fullmatch(r"[A-Za-z]:", plain) else plain), ()


def roots_for(path: GuestPath, roots: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """(root, names below it) for a requested path: every root for `*`, else the root that holds it, or none.

    A Linux folder takes the longest root that holds it, and every root that is mounted somewhere inside it.
    """
    known = [(name, *root_in_guest(name)) for name in roots]
    if path.volume == "*":
        return [(name, ()) for name, _, _ in known]
    inside: list[tuple[str, tuple[str, ...]]] = [
        (name, ())
        for name, volume, prefix in known
        if path.linux and volume == "/" and len(prefix) > len(path.parts) and prefix[: len(path.parts)] == path.parts
    ]
    holding = [
        (len(prefix), name, path.parts[len(prefix) :])
        for name, volume, prefix in known
        if volume.casefold() == path.volume.casefold() and path.parts[: len(prefix)] == prefix
    ]
    return [max(holding)[1:], *inside] if holding else inside
