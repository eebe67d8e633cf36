"""A walk that follows links, where the job says so: what a link leads to is found again under the name of the link.

Every step is a look at the source itself, which never goes through a link; so what is passed on is where it is said to
be. Nothing outside the volume is reached. A link that leads nowhere stays a link, with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.following import holds_itself, led_to
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from orchestrator.engine.ports import Beat, Source

CHAIN = 8
"""Links that lead to links, one after the other."""
WITHIN = 3
"""Followed folders within followed folders: more of them could multiply without bounds."""

Enters = Callable[[str], bool]
Found = tuple[Entry, SourcePath]
"""An entry under the name at which it is shown, and where it is."""


@dataclass(frozen=True, slots=True)
class Following:
    """Walks one volume. Methods block."""

    source: Source
    volume: Volume
    enters: Enters
    beat: Beat

    def below(self, start: str) -> Iterator[Found]:
        """Everything below a folder."""
        return self._scan(start, start, ())

    def at(self, link: Entry) -> Iterator[Found]:
        """What a link leads to, and everything below that."""
        return self._follow(link, link.relative, ())

    def _scan(self, start: str, shown: str, trail: tuple[str, ...]) -> Iterator[Found]:
        """Everything below the folder `start`, as if it were at `shown`. `trail` has the folders of the links that led
        here."""
        scanned = self.source.scan(
            self._path(start), lambda folder: self.enters(_shown(folder, start, shown)), self.beat
        )
        for entries in scanned:
            for entry in entries:
                name = _shown(entry.relative, start, shown)
                if entry.kind is EntryKind.LINK and entry.reason is None:
                    yield from self._follow(entry, name, trail)
                else:
                    yield replace(entry, relative=name), self._path(entry.relative)

    def _follow(self, link: Entry, shown: str, trail: tuple[str, ...]) -> Iterator[Found]:
        folder = link.relative.rpartition("/")[0]
        found = self._led(link)
        if isinstance(found, str):
            yield _stays(link, shown, found), self._path(link.relative)
        elif found.kind is not EntryKind.FOLDER:
            yield replace(found, relative=shown), self._path(found.relative)
        elif self.enters(shown):
            trail = (*trail, folder)
            why = _not_entered(found.relative, trail)
            if why:
                yield _stays(link, shown, why), self._path(link.relative)
            else:
                yield replace(found, relative=shown), self._path(found.relative)
                yield from self._scan(found.relative, shown, trail)

    def _led(self, link: Entry) -> Entry | str:
        """What a link leads to, over further links; or why that is not followed."""
        at = link
        for _ in range(CHAIN):
            try:
                text = self.source.properties(self._path(at.relative), at).link_to
            except FileError as error:
                return f"where it leads cannot be read: {error.facts.get('what', error)}"
            if not text:
                return "where it leads cannot be read"
            led = led_to(self.volume, at.relative.rpartition("/")[0], text)
            if led is None:
                return f"it leads out of its volume, to {text}"
            found = self.source.look(self._path(led), self.beat)
            if found is None:
                return f"it leads to {text}, where nothing is"
            if found.kind is not EntryKind.LINK:
                return found
            if found.relative != led:
                return f"it leads to {text}, through another link"
            at = found
        return "it leads from link to link without end"

    def _path(self, relative: str) -> SourcePath:
        return SourcePath(self.volume.folder.root, relative)


def _not_entered(folder: str, trail: tuple[str, ...]) -> str:
    """Why a folder to which links have led is not walked into; empty when it is. `trail` has where each link stands."""
    if holds_itself(folder, trail):
        return "the folder to which it leads contains itself; not entered again"
    if len(trail) > WITHIN:
        return f"it stands in a folder that was reached over {WITHIN} links already; not entered"
    return ""


def _shown(relative: str, start: str, shown: str) -> str:
    """The name of an entry below `start`, as if that were at `shown`."""
    return "/".join(one for one in (shown, relative[len(start) :].lstrip("/")) if one)


def _stays(link: Entry, shown: str, why: str) -> Entry:
    return replace(link, relative=shown, reason=Reason.LINK_SKIPPED, message=why)
