"""Files of two requested paths that would land at one place: the path that the job asks for first has it.

Whether that path has such a file is looked up on the mount, by the way back from the target. So nothing is remembered
for each file, and a run that goes on after an interruption decides as the first one did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.core.claims import Claim, claims
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.fidelity import LinkPolicy
from orchestrator.core.layout import PLAIN
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath, components, fold
from orchestrator.core.plan import Selection
from orchestrator.core.select import Selector
from orchestrator.engine.ports import Beat, Source


class Walked(Protocol):
    """What is to be known of a walk."""

    @property
    def source(self) -> Source: ...

    @property
    def selection(self) -> Selection: ...

    @property
    def selector(self) -> Selector: ...

    @property
    def volume(self) -> Volume: ...

    @property
    def starts(self) -> tuple[tuple[str, ...], ...]: ...


@dataclass(slots=True)
class _Start:
    """A requested path of a walk, in the order of the job. `alone` means that only the path itself can land there, as
    a file whose folders are stripped."""

    order: int
    walk: Walked
    below: tuple[str, ...]
    alone: bool = False
    folder: tuple[tuple[str, ...], bool] = field(default=((), True))
    """The folder that was last looked for, and whether it is there."""


class Crossing:
    """The requested paths of one group, by where they land. One walk asks at a time; asking blocks."""

    def __init__(self, walks: Sequence[Walked]) -> None:
        self._landed: dict[Claim, list[_Start]] = {}
        self._first: dict[int, int] = {}
        order = 0
        for walk in walks:
            self._first[id(walk)] = order
            for start in walk.starts:
                for claim, one in _landings(walk, start, order):
                    self._landed.setdefault(claim, []).append(one)
                order += 1

    def earlier(self, walk: Walked, at: int, relative: str, names: tuple[str, ...], beat: Beat) -> str:
        """Why the file `relative` of the start number `at` of `walk` cannot land at `names` below its destination: an
        earlier path has a file for that place. Empty when it can."""
        order = self._first[id(walk)] + at
        root = tuple(map(fold, components(walk.selection.destination)))
        claim = (*root, *map(fold, names))
        for length in range(len(claim) + 1):
            for other in self._landed.get(claim[:length], ()):
                rest = names[length - len(root) :] if length >= len(root) else (*_unrooted(walk, length), *names)
                if other.order < order and (found := _lands(walk, relative, other, rest, beat)):
                    return f"{found} is restored to the same place, and the job asks for it first"
        return ""


def crosses(selections: Sequence[Selection], starts: int) -> bool:
    """Whether two requested paths of a group may land at one place at all."""
    return starts > 1 and any(one.layout != PLAIN for one in selections)


def _unrooted(walk: Walked, length: int) -> tuple[str, ...]:
    """The names of a destination from the one number `length` on."""
    return components(walk.selection.destination)[length:]


def _landings(walk: Walked, start: tuple[str, ...], order: int) -> Iterator[tuple[Claim, _Start]]:
    selection, guest = walk.selection, walk.volume.guest("/".join(start))
    [claim] = claims(selection.destination, [guest], selection.layout)
    yield claim, _Start(order, walk, start)
    stripped = selection.layout.stripped(guest)
    if start and stripped is not None and stripped.key == guest.key:
        yield (*claim, fold(start[-1])), _Start(order, walk, start, alone=True)


def _lands(walk: Walked, relative: str, other: _Start, rest: tuple[str, ...], beat: Beat) -> str:
    """The guest path of the file of `other` that lands where `relative` of `walk` would; empty when there is none, or
    when it is the same file."""
    below = (*other.below, *rest)
    there, root = "/".join(below), other.walk.volume.folder.root
    if (other.alone and rest) or (root == walk.volume.folder.root and fold(there) == fold(relative)):
        return ""
    if not other.alone and len(rest) > 0 and not _has_folder(other, below[:-1], beat):
        return ""
    found = other.walk.source.look(SourcePath(root, there), beat)
    if found is None or not _takes(other, found, "/".join(rest) or below[-1]):
        return ""
    return str(other.walk.volume.guest(found.relative))


def _has_folder(other: _Start, folder: tuple[str, ...], beat: Beat) -> bool:
    """Files of one folder are walked together, so the last answer serves for most of them."""
    if other.folder[0] != folder or not folder:
        path = SourcePath(other.walk.volume.folder.root, "/".join(folder))
        other.folder = folder, other.walk.source.look(path, beat) is not None
    return other.folder[1]


def _takes(other: _Start, found: Entry, name: str) -> bool:
    """Whether the walk of `other` takes what was found; `name` is what its patterns call it."""
    match found.kind:
        case EntryKind.FOLDER:
            return not other.alone and other.walk.selector.enters(name)
        case EntryKind.SPECIAL:
            return False
        case EntryKind.LINK if other.walk.selection.wishes.links is LinkPolicy.SKIP:
            return False
        case _:
            return other.walk.selector.would_want(name, found.size, found.mtime_ns)
