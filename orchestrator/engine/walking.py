"""From a selection to a bounded stream of work: what to copy, in batches, as fast as the share lists it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.entries import Entry, EntryKind, Outcome, Verdict
from orchestrator.core.errors import MountLost
from orchestrator.core.fidelity import BASIC, LinkPolicy, Metadata, Wishes
from orchestrator.core.locate import Volume
from orchestrator.core.paths import PathRefused, SourcePath, TargetPath, fold, target_path
from orchestrator.core.plan import MountGroup, Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import EM_ROOT
from orchestrator.core.select import Selector
from orchestrator.engine.crossing import Crossing, crosses
from orchestrator.engine.following import Following, Found
from orchestrator.engine.ports import Beat, Source

BATCH_FILES = 64
"""Files handed over at once: enough to make the hand-over cheap, few enough to keep all copiers busy."""

BATCH_DOWNLOADS = 4
"""The same where each file is waited for at Enterprise Manager: what counts is how many are waited for at once."""

BATCH_BYTES = 8 << 20
"""A batch is closed at this size, so that large files travel alone."""


_Alike = dict[str, dict[str, Entry | None]]
"""By a name without regard to letter case: the paths of that name, and what they are as far as a listing has told."""

FEW_STARTS = 64
"""Requested paths of a volume, up to which each has a walk of its own."""


@dataclass(frozen=True, slots=True)
class Work:
    """One entry to be dealt with: where it is, what it is called in the guest, where it goes."""

    entry: Entry
    source: SourcePath
    guest_path: str
    target: TargetPath
    wishes: Wishes = BASIC


@dataclass(frozen=True, slots=True)
class Batch:
    """Work handed over together, and outcomes that were already clear while walking. Sizes in bytes."""

    selection: Selection
    volume: Volume
    works: tuple[Work, ...]
    outcomes: tuple[Outcome, ...] = ()

    @property
    def files(self) -> int:
        return len(self.outcomes) + sum(1 for work in self.works if work.entry.kind is not EntryKind.FOLDER)

    @property
    def bytes(self) -> int:
        """What is to be copied, at most."""
        if self.selection.wishes.metadata is Metadata.PERMISSIONS:
            return 0  # their content stays as it is
        return sum(work.entry.size for work in self.works)


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose batch it is: the group, its machine, the time of its restore point, and the run."""

    group: str
    vm: str
    created: datetime
    run: str


def _unheard() -> None:
    """The beat before the first batch is asked for."""


@dataclass(slots=True)
class Walk:
    """The walk of requested paths in one volume. `starts` are the names that lead from its root to each."""

    source: Source
    group: MountGroup
    selection: Selection
    selector: Selector
    volume: Volume
    starts: tuple[tuple[str, ...], ...]
    folds_case: bool = False
    """The destination takes names that differ only in letter case for one."""
    crossing: Crossing | None = None
    """Knows what else of the group may land where this does; None when nothing can."""
    _listed: "_Alike | None" = None
    """What was found of many starts in one folder, by name; None before it was looked for."""
    _at: int = 0
    """Which of the starts is walked."""
    _begun: str = ""
    """The start as the share spells it."""
    _landing: tuple[str, ...] = ()
    """Where it lands below the destination."""
    _whole: bool = False
    """It is itself what the job strips, so that a file of it keeps only its name."""
    _drawn: Iterator[Batch] | None = None
    _beat: Beat = _unheard
    _siblings: tuple[str, dict[str, str]] = ("", {})
    _works: list[Work] = field(default_factory=list)
    _outcomes: list[Outcome] = field(default_factory=list)
    _bytes: int = 0

    def next_batch(self, beat: Beat) -> Batch | None:
        """The next batch, None at the end. Calls `beat` for all that the share gives, and blocks. MountLost when the
        whole volume is gone."""
        self._beat = beat
        if self._drawn is None:
            self._drawn = self._batches()
        return next(self._drawn, None)

    def held(self) -> Batch | None:
        """What was found and is in no batch yet, of a walk that is given up while it hangs in another thread."""
        works, outcomes = tuple(self._works), tuple(self._outcomes)
        return Batch(self.selection, self.volume, works, outcomes) if works or outcomes else None

    def unfinished(self, cause: str) -> list[Outcome]:
        """The outcomes of the requested paths whose walk was given up, or not begun."""
        outcomes = []
        for number, below in enumerate(self.starts[self._at :]):
            guest = str(self.volume.guest("/".join(below)))
            found = "; what was found before that is restored" if number == 0 else ""
            message = f"{guest} could not be listed to its end: {cause}{found}"
            outcomes.append(Outcome(self.group.id, guest, "", Verdict.FAILED, reason=Reason.STALLED, message=message))
        return outcomes

    def _batches(self) -> Iterator[Batch]:
        """Every batch; a path that does not exist is one outcome."""
        for number, below in enumerate(self.starts):
            self._at = number
            yield from self._start(below)
            if self._full:
                yield self._batch()
        if self._works or self._outcomes:
            yield self._batch()

    def _start(self, below: tuple[str, ...]) -> Iterator[Batch]:
        """Everything of one requested path."""
        root = self.volume.folder.root
        found = self._found(below)
        if found is None:
            if self.source.look(SourcePath(root, ""), self._heard) is None:
                raise MountLost(vm=self.group.vm, cause=f"its files are no longer on the share ({root})")
            self._outcomes.append(self._missing(below))
            return
        guest, layout = self.volume.guest(found.relative), self.selection.layout
        self._begun, self._landing = found.relative, layout.landing(guest)
        stripped = layout.stripped(guest)
        self._whole = stripped is not None and stripped.key == guest.key
        if found.kind is EntryKind.FOLDER:
            yield from self._folder(found)
        elif found.kind is EntryKind.LINK and self._follows:
            yield from self._drain(self._following(len(found.relative) + 1).at(found), found.relative)
        else:
            self._take(found, found.relative.rpartition("/")[2])

    def _found(self, below: tuple[str, ...]) -> Entry | None:
        """What stands at a start. Many of one folder are found by one listing of it: a name that is not there in that
        spelling costs a listing each, else."""
        if self._listed is None and len(self.starts) >= FEW_STARTS:
            self._listed = self._listing()
        if not self._listed:
            return self.source.look(SourcePath(self.volume.folder.root, "/".join(below)), self._heard)
        alike = self._listed.get(fold(below[-1]), {})
        exact = next((one for one in alike if one.rpartition("/")[2] == below[-1]), None)
        name = exact or (next(iter(alike)) if len(alike) == 1 else None)
        if name is None:
            return None
        return alike[name] or self.source.look(SourcePath(self.volume.folder.root, name), self._heard)

    def _listing(self) -> "_Alike":
        """What the starts may mean in the folder that all of them lie in; nothing when that is not one folder which can
        be listed."""
        folders = {below[:-1] for below in self.starts if below}
        above = next(iter(folders), ())
        start = SourcePath(self.volume.folder.root, "/".join(above))
        folder = self.source.look(start, self._heard) if len(folders) == 1 else None
        if folder is None or folder.kind is not EntryKind.FOLDER:
            return {}
        found: _Alike = {fold(below[-1]): {} for below in self.starts if below}

        def seen(relative: str, entry: Entry | None) -> None:
            if (alike := found.get(fold(relative.rpartition("/")[2]))) is not None:
                alike.setdefault(relative, entry)

        def enters(inside: str) -> bool:
            seen(inside, None)  # a folder that is not entered is not in the listing
            return False

        for entries in self.source.scan(SourcePath(start.root, folder.relative), enters, self._heard):
            for entry in entries:
                if entry.relative == folder.relative:
                    return {}  # it cannot be listed
                seen(entry.relative, entry)
        return found

    def _heard(self) -> None:
        self._beat()

    def _folder(self, start: Entry) -> Iterator[Batch]:
        strip = len(start.relative) + 1 if start.relative else 0
        if start.relative:
            self._take(start, "")
        root = self.volume.folder.root
        if self._follows:
            found = self._following(strip).below(start.relative)
        else:
            scanned = self.source.scan(
                SourcePath(root, start.relative), lambda folder: self.selector.enters(folder[strip:]), self._heard
            )
            found = ((entry, SourcePath(root, entry.relative)) for entries in scanned for entry in entries)
        yield from self._drain(found, start.relative)

    def _drain(self, found: Iterator[Found], start: str) -> Iterator[Batch]:
        """Take everything that a walk below `start` finds; a batch whenever one is full."""
        strip = len(start) + 1 if start else 0
        for entry, source in found:
            self._take(entry, entry.relative[strip:] or entry.relative.rpartition("/")[2], source)
            if self._full:
                yield self._batch()

    @property
    def _full(self) -> bool:
        files = BATCH_DOWNLOADS if self.volume.folder.root.startswith(EM_ROOT) else BATCH_FILES
        return len(self._works) + len(self._outcomes) >= files or self._bytes >= BATCH_BYTES

    @property
    def _follows(self) -> bool:
        return self.selection.wishes.links is LinkPolicy.FOLLOW

    def _following(self, strip: int) -> Following:
        def enters(folder: str) -> bool:
            return len(folder) < strip or self.selector.enters(folder[strip:])

        return Following(self.source, self.volume, enters, self._heard)

    def _take(self, entry: Entry, name: str, source: SourcePath | None = None) -> None:
        """Take one entry, called `name` by the patterns of the job; it is at `source` when a link has led there."""
        if entry.kind is EntryKind.FOLDER:
            if self.selector.chooses:
                return
        elif entry.kind is EntryKind.UNREADABLE:
            pass  # Whether it would have been wanted cannot be known of a folder, so it is always told.
        elif not self.selector.wants(name) or not self.selector.fits(entry.size, entry.mtime_ns):
            return
        guest = self.volume.guest(entry.relative)
        if self.folds_case and (other := self._same_but_for_case(entry.relative)):
            message = f"{other} is restored already, and the destination takes the two names for one"
            self._outcomes.append(self._refused(entry, str(guest), Reason.NAME_CLASH, message))
            return
        names = self._names(entry)
        if not names:
            return  # the destination itself
        if self.crossing is not None and (why := self._crossed(entry, names)):
            self._outcomes.append(self._refused(entry, str(guest), Reason.NAME_CLASH, why))
            return
        destination = self.selection.destination
        try:
            target = target_path(destination, names, windows_rules=destination.startswith("\\\\"))
        except PathRefused as error:
            self._outcomes.append(self._refused(entry, str(guest), error.reason, str(error)))
            return
        source = source or SourcePath(self.volume.folder.root, entry.relative)
        self._works.append(Work(entry, source, str(guest), target, self.selection.wishes))
        self._bytes += entry.size

    def _names(self, entry: Entry) -> tuple[str, ...]:
        """The names that lead from the destination to where an entry lands."""
        rest = tuple(name for name in entry.relative[len(self._begun) :].split("/") if name)
        if self._whole and not rest and entry.kind is not EntryKind.FOLDER:
            rest = (entry.relative.rpartition("/")[2],)
        return (*self._landing, *rest)

    def _crossed(self, entry: Entry, names: tuple[str, ...]) -> str:
        """Why an entry cannot land, when a path that the job asks for earlier has one for the same place."""
        if self.crossing is None or entry.kind is EntryKind.FOLDER:
            return ""
        return self.crossing.earlier(self, self._at, entry.relative, names, self._heard)

    def _refused(self, entry: Entry, guest: str, reason: Reason, message: str) -> Outcome:
        return Outcome(
            self.group.id, guest, "", Verdict.REFUSED, entry.size, entry.mtime_ns, reason=reason, message=message
        )

    def _same_but_for_case(self, relative: str) -> str:
        """The earlier sibling with the same name but for letter case, if there is one. The walk gives the children of
        one folder together, so only one folder's names are held."""
        parent, _, name = relative.rpartition("/")
        if self._siblings[0] != parent:
            self._siblings = (parent, {})
        other = self._siblings[1].setdefault(fold(name), name)
        return other if other != name else ""

    def _missing(self, below: tuple[str, ...]) -> Outcome:
        guest = str(self.volume.guest("/".join(below)))
        return not_found(self.group, guest, f"{guest} does not exist in the restore point of {self.group.vm}")

    def _batch(self) -> Batch:
        batch = Batch(self.selection, self.volume, tuple(self._works), tuple(self._outcomes))
        self._works, self._outcomes, self._bytes = [], [], 0
        return batch


def in_walks(starts: Sequence[tuple[str, ...]]) -> list[tuple[tuple[str, ...], ...]]:
    """Which requested paths of a volume are walked together: each by itself, so that one that hangs stops no other,
    unless they are so many that most are single files, which are to share batches and the listing of their folder."""
    if len(starts) <= FEW_STARTS:
        return [(start,) for start in starts]
    by_folder: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for start in starts:
        by_folder.setdefault(start[:-1], []).append(start)
    many = [tuple(inside) for inside in by_folder.values() if len(inside) >= FEW_STARTS]
    few = [start for inside in by_folder.values() if len(inside) < FEW_STARTS for start in inside]
    return [*many, *(tuple(few[at : at + FEW_STARTS]) for at in range(0, len(few), FEW_STARTS))]


def watching_crossings(stages: Sequence[Sequence[Walk]]) -> Sequence[Sequence[Walk]]:
    """The walks of a group, told of each other where two of them may lead to one place."""
    walks = [walk for stage in stages for walk in stage]
    if crosses([walk.selection for walk in walks], sum(len(walk.starts) for walk in walks)):
        crossing = Crossing(walks)
        for walk in walks:
            walk.crossing = crossing
    return stages


def not_found(group: MountGroup, guest_path: str, message: str) -> Outcome:
    """The outcome of a requested path that the restore point does not have."""
    return Outcome(group.id, guest_path, "", Verdict.FAILED, reason=Reason.NOT_FOUND, message=message)
