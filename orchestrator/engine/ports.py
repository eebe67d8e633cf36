"""What the engine needs from the other rooms, in its own words. `app.py` hands the real things in. What only the
watcher needs is in `ports_watch`.

`async def` ports are EM's; plain `def` ports block and are only ever called in threads. No port has more than
six methods. Every port raises only errors of `core.errors` (and `OSError` subclasses where it says so).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from orchestrator.core.catalog import (
    FlrState,
    GuestOs,
    Listing,
    Mount,
    MountRoot,
    Question,
    RestorePoint,
    ShareListing,
    Task,
)
from orchestrator.core.coming import Coming
from orchestrator.core.counting import Before
from orchestrator.core.entries import Entry, Found, Outcome, Placed
from orchestrator.core.events import Event
from orchestrator.core.fidelity import BASIC, Properties, Wishes
from orchestrator.core.ledger import GroupRow, LeaseRow, RunRow, SessionRow, Totals
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.whereabouts import Answer
from orchestrator.engine.ports_originals import RestoreTasks

Checkpoint = Callable[[int], None]
"""Called in a copying thread with the bytes done since the last call; raises to stop the copy."""

Beat = Callable[[], None]
"""Called in a thread as often as a share or a disk answers, so that slow can be told from hung."""

Emit = Callable[[Event], None]
"""Takes an event on the event loop; must not block."""

Clock = Callable[[], datetime]
"""The time now, UTC."""


class Catalogue(Protocol):
    """EM's restore points."""

    async def find(self, question: Question) -> list[RestorePoint]:
        """Every restore point that answers `question`, all pages, newest first. Renews the session by itself."""
        ...

    async def restore_state(self, point: RestorePoint, since: datetime) -> FlrState:
        """What EM's restore sessions say of file-level restores of that machine begun at or after `since`."""
        ...


class Mounts(Protocol):
    """EM's mounts. `generation` is the session the caller's mount belongs to: when it is no longer the live one,
    every method raises SessionEnded, and a 401 first renews the session once for all callers."""

    async def existing(self, point: RestorePoint, generation: int) -> frozenset[str]:
        """The hrefs of the point's mounts that this session can see; empty when EM answers 404."""
        ...

    async def request(self, point: RestorePoint, os: GuestOs | None, generation: int) -> Task:
        """POST one mount, exactly once. OutcomeUnknown when no usable answer came."""
        ...

    async def task(self, href: str, generation: int) -> Task:
        """The task now. NotFound when EM no longer has it."""
        ...

    async def mount(self, href: str, generation: int) -> Mount:
        """The mount with its roots. NotFound when it is gone."""
        ...

    async def tasks(self, generation: int) -> list[Task]:
        """The tasks of this session that make a mount, finished or not."""
        ...

    async def delete(self, href: str, generation: int) -> Task | None:
        """DELETE once. None when the mount is gone (200, 204, 404), the task to poll when EM answers with one."""
        ...


class Browser(Protocol):
    """EM's own view of a mount's content; `generation` as with Mounts."""

    async def listing(self, root: MountRoot, generation: int) -> Listing:
        """The direct children of a root, all pages."""
        ...


class Session(Protocol):
    """The one logon session of this process."""

    @property
    def generation(self) -> int:
        """Counts logons, from 1; 0 before the first."""
        ...

    async def open(self) -> int:
        """Log on if there is no live session, and return its generation. LogonRefused, EmUnreachable, ..."""
        ...

    async def touch(self) -> None:
        """One cheap request that keeps the session alive; renews it when EM has ended it."""
        ...

    async def close(self) -> None:
        """Log off; a session that EM no longer knows counts as logged off."""
        ...

    def forget(self) -> None:
        """Leave the session as it is, and log on anew at the next `open`."""
        ...

    def sealed(self) -> bytes:
        """The live session's token and href under authenticated encryption, for the journal."""
        ...


class Revived(Protocol):
    """A session of an earlier process, opened from its sealed token."""

    @property
    def mounts(self) -> Mounts:
        """Its mounts; pass generation 0."""
        ...

    @property
    def restores(self) -> RestoreTasks:
        """Its tasks that restore files; pass generation 0."""
        ...

    async def close(self) -> None:
        """Log it off."""
        ...


class Reviver(Protocol):
    """Opens sealed sessions of earlier processes."""

    async def revive(self, sealed: bytes) -> Revived:
        """Raises SessionEnded when EM no longer knows the session, SealBroken when the password has changed."""
        ...


class Source(Protocol):
    """The mount share. Read-only ground: nothing below it is ever written. Methods block, and call `beat` for every
    entry that the share gives."""

    def folders(self, share: str, beat: Beat) -> ShareListing:
        """The folders directly below a share; OSError when it cannot be listed."""
        ...

    def listing(self, folder: SourcePath, beat: Beat) -> Listing:
        """The direct children of a folder; OSError when it cannot be listed."""
        ...

    def look(self, path: SourcePath, beat: Beat) -> Entry | None:
        """The entry at `path`, found without regard to letter case where the guest is Windows; None if none."""
        ...

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]:
        """Everything below `start`, in batches, folders before their content.

        `enters` is asked with each folder's path relative to the volume root. What cannot be read is an
        `UNREADABLE` entry, never an exception; the folder `start` itself is entered whatever its attributes.
        """
        ...

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        """This thread is going to read these files next. A source that is far away asks for them now, and for what
        they are beside their bytes where `properties` says so. Tells how they come."""
        ...

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        """What a folder, a link or a file is beside its bytes; FileError when it cannot be told."""
        ...


class Target(Protocol):
    """Where copies land. Methods block. Refusals are FileError with a reason."""

    def check_root(self, root: str) -> None:
        """Raises FileError when `root` cannot be a destination: a file is there, it is not writable, or a link
        leads out of the allowed folders. Creates nothing."""
        ...

    def look(self, path: TargetPath) -> Found:
        """What stands at `path`; links are not followed."""
        ...

    def place(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Checkpoint,
        wishes: Wishes = BASIC,
    ) -> Placed:
        """Copy one file: staged under a partial name beside it, checksummed, its size checked, its times and what
        `wishes` want set, then renamed. A partial file never survives an exception. FileError, or whatever `check`
        raises."""
        ...

    def make_folder(self, target: TargetPath) -> None:
        """Make a folder and its parents below the root."""
        ...

    def finish_folder(self, target: TargetPath, entry: Entry) -> None:
        """Set a folder's times, after its content."""
        ...

    def free_space(self, root: str) -> int:
        """Bytes free for this account where `root` is or will be."""
        ...


class RunLedger(Protocol):
    """The journal's runs and groups. Methods block."""

    def begin(self, run: RunRow) -> None:
        """Write a new run, or mark an old one as running again; then the refused and failed outcomes of its groups
        that are not done are forgotten, because they are tried again."""
        ...

    def end(self, run: RunRow) -> None:
        """Write how a run ended."""
        ...

    def run(self, run: str) -> RunRow:
        """RunUnknown when there is none."""
        ...

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        ...

    def write_group(self, row: GroupRow) -> None:
        """Insert or update a group."""
        ...

    def groups(self, run: str) -> list[GroupRow]:
        """The groups of a run, by id."""
        ...


class LeaseLedger(Protocol):
    """The journal's mounts and sessions: what EM holds for us. Every write is durable when it returns."""

    def write_lease(self, row: LeaseRow) -> None:
        """Insert or update a lease."""
        ...

    def leases(self, run: str) -> list[LeaseRow]:
        """The leases of a run, oldest first."""
        ...

    def open_leases(self) -> list[LeaseRow]:
        """Every lease of any run that EM may still hold (lifecycle.OPEN_STATES), oldest first."""
        ...

    def write_session(self, row: SessionRow) -> None:
        """Keep a sealed session."""
        ...

    def sessions(self) -> list[SessionRow]:
        """Every sealed session that has not been erased, oldest first."""
        ...

    def erase_session(self, session: str) -> None:
        """Erase a sealed token for good."""
        ...


class AnswerLedger(Protocol):
    """What the journal remembers of where mounts appear. Methods block."""

    def answers(self) -> list[Answer]:
        """Which share has last shown the mounts of each chain."""
        ...

    def write_answer(self, one: Answer) -> None:
        """Insert or update what is known of a chain."""
        ...


class OutcomeLedger(Protocol):
    """The journal's files. Methods block."""

    def record(self, run: str, outcomes: Sequence[Outcome]) -> list[Before]:
        """Write a batch in one transaction; what stood before each. A file that this run restored stays restored, all
        else gives way."""
        ...

    def totals(self, run: str) -> dict[str, Totals]:
        """Totals by group."""
        ...

    def problems(self, run: str, limit: int | None = None) -> list[Outcome]:
        """Refused and failed files, by group and path."""
        ...

    def restored(self, run: str) -> Iterator[Outcome]:
        """Restored files with their checksums, by target path."""
        ...

    def vm_seconds(self) -> dict[str, float]:
        """How long each machine's group took when it last ended well."""
        ...
