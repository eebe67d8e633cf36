"""What a plan would do, file by file, as counts: a mount was listed, its destinations were looked at, and nothing was
copied. And what follows from that: room, time, and how long backup files stay locked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from orchestrator.core.census import Census, Tree, difference
from orchestrator.core.decide import Copy, Decision, Examine, Refuse, Renamed, SetAside
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.windows import Windows

EXAMPLES = 5
"""So many files that would be refused are named for each selection."""


class Fate(Enum):
    """What would become of a file."""

    NEW = "new"
    REPLACE = "replaced"
    ASIDE = "aside"
    RENAME = "renamed"
    COMPARE = "compared"
    SKIP = "skipped"
    REFUSE = "refused"


def fate_of(decision: Decision, found: Found) -> Fate:
    """The fate that a decision means. Where only the content can tell, that has to be compared first."""
    match decision:
        case Examine():
            return Fate.COMPARE
        case Copy():
            return Fate.NEW if found.kind is FoundKind.NOTHING else Fate.REPLACE
        case SetAside():
            return Fate.ASIDE
        case Renamed():
            return Fate.RENAME
        case Refuse():
            return Fate.REFUSE
        case _:
            return Fate.SKIP


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one selection of a group, the `number`th. `needed` are bytes that would be written, `freed`
    those of the files that they would replace; `refusals` are the first that would be refused, each with why."""

    group: str
    number: int
    destination: str
    tree: Tree
    fates: tuple[tuple[str, int], ...]
    needed: int
    freed: int
    refusals: tuple[str, ...]

    def count(self, fate: Fate) -> int:
        return dict(self.fates).get(fate.value, 0)


@dataclass(frozen=True, slots=True)
class Survey:
    """All looks of a plan, by group; `problems` are failed mounts, and paths that are not there, in plain words."""

    looks: tuple[Look, ...]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts one selection while its mount is listed."""

    census: Census = field(default_factory=Census)
    fates: dict[str, int] = field(default_factory=dict)
    needed: int = 0
    freed: int = 0
    refusals: list[str] = field(default_factory=list)

    def add(self, guest: str, entry: Entry, decision: Decision, found: Found) -> None:
        """One entry, and what stands where it belongs."""
        self.census.add(guest.replace("\\", "/").lstrip("/"), entry)
        if entry.kind is EntryKind.FOLDER:
            return
        fate = fate_of(decision, found)
        if isinstance(decision, Refuse):
            self.refuse(guest, decision.reason.cause)
            return
        self.fates[fate.value] = self.fates.get(fate.value, 0) + 1
        if fate is not Fate.SKIP:
            self.needed += entry.size
        if fate in (Fate.REPLACE, Fate.COMPARE):
            self.freed += found.size

    def refuse(self, guest: str, cause: str) -> None:
        """A file that would be refused."""
        self.fates[Fate.REFUSE.value] = self.fates.get(Fate.REFUSE.value, 0) + 1
        if len(self.refusals) < EXAMPLES:
            self.refusals.append(f"{guest}: {cause}")

    def look(self, group: MountGroup, number: int) -> Look:
        selection = group.selections[number]
        fates = tuple(sorted(self.fates.items()))
        return Look(
            group.id, number, selection.destination, self.census.tree(), fates, self.needed, self.freed,
            tuple(self.refusals),
        )  # fmt: skip


def surveys_differ(plan: Plan, then: Survey, now: Survey) -> list[str]:
    """How the files of the restore points differ from those that were listed when the plan was made."""
    machines = {group.id: group.vm for group in plan.groups}
    trees = {(one.group, one.number): one.tree for one in now.looks}
    told = []
    for one in then.looks:
        tree = trees.get((one.group, one.number))
        text = "could not be listed again" if tree is None else difference(one.tree, tree)
        if text:
            told.append(f"the files of {machines.get(one.group, one.group)}: {text}")
    return told + [problem for problem in now.problems if problem not in then.problems]


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs took: how many, since when, files and bytes that they dealt with; `seconds` of whole runs, and
    `mounted` seconds of their mount groups."""

    runs: int = 0
    since: datetime | None = None
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    mounted: float = 0.0


def expected(files: int, size: int, past: Past, seconds: float) -> float | None:
    """Seconds that so many files and bytes take, when `past` took `seconds`: by what is slower, files or bytes. None
    when nothing is known."""
    if not past.files or not seconds:
        return None
    return max(files * seconds / past.files, size * seconds / past.bytes if past.bytes else 0.0)


@dataclass(frozen=True, slots=True)
class Lock:
    """How long a backup file would be locked for its machines, mounted one after the other; None when that cannot be
    told. `file` is empty when EM does not name it."""

    server: str
    file: str
    machines: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Room:
    """Room below one folder: bytes that would be written there less those that are replaced, bytes free (None when that
    cannot be told), and what has to stay free."""

    folder: str
    needed: int
    free: int | None
    reserve: int

    @property
    def fits(self) -> bool:
        return self.free is None or self.needed + self.reserve <= self.free


@dataclass(frozen=True, slots=True)
class Forecast:
    """What follows from a survey at the moment `at`. `seconds` that the run will take, None when nothing is known.
    `window` is when the next backup window opens, or `at` itself while one is open; None when none is configured."""

    at: datetime
    past: Past
    seconds: float | None
    locks: tuple[Lock, ...]
    rooms: tuple[Room, ...]
    window: datetime | None = None
    closes: datetime | None = None

    @property
    def lock_minutes(self) -> float | None:
        """The sum over all backup files; None when nothing is known."""
        known = [one.seconds for one in self.locks if one.seconds is not None]
        return sum(known) / 60 if known else None

    @property
    def collides(self) -> bool:
        """Whether a run that begins now would hold backup files in a backup window, as far as that can be told."""
        if self.window is None:
            return False
        return self.window <= self.at + timedelta(seconds=self.seconds or 0.0)


def forecast(
    plan: Plan, survey: Survey, past: Past, rooms: Iterable[Room], windows: Windows | None, at: datetime
) -> Forecast:
    """What follows from a survey. Without `windows` none is configured."""
    size, files = sum(one.needed for one in survey.looks), sum(one.tree.files for one in survey.looks)
    opens = windows.next_open(at) if windows else None
    closes = windows.next_close(at) if windows and opens == at else None
    whole = expected(files, size, past, past.seconds)
    return Forecast(at, past, whole, _locks(plan, survey.looks, past), tuple(rooms), opens, closes)


def _locks(plan: Plan, looks: Sequence[Look], past: Past) -> tuple[Lock, ...]:
    """One for each backup file, the longest first; where EM names none, for each restore point."""
    found: dict[tuple[str, str], Lock] = {}
    for group in plan.groups:
        point, seconds = group.point, _locked(group, looks, past)
        key = (point.backup_server, point.backup_file or point.uid)
        known = found.get(key, Lock(point.backup_server, point.backup_file, (), 0.0))
        both = None if seconds is None or known.seconds is None else known.seconds + seconds
        found[key] = replace(known, machines=tuple(dict.fromkeys((*known.machines, point.vm))), seconds=both)
    return tuple(sorted(found.values(), key=lambda one: (-(one.seconds or 0.0), one.server, one.file)))


def _locked(group: MountGroup, looks: Sequence[Look], past: Past) -> float | None:
    own = [one for one in looks if one.group == group.id]
    return expected(sum(one.tree.files for one in own), sum(one.needed for one in own), past, past.mounted)


def wanted_room(looks: Iterable[Look]) -> Mapping[str, int]:
    """Bytes that each destination has to take, less those of the files that are replaced."""
    found: dict[str, int] = {}
    for one in looks:
        found[one.destination] = found.get(one.destination, 0) + max(0, one.needed - one.freed)
    return found
