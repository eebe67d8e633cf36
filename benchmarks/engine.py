"""The real engine over the real journal and files, with an Enterprise Manager that is only a few lines long.

It answers at once, so that what is measured is ours: a mount makes the folder of the machine appear on the share, and
a DELETE takes it away.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import anyio

from benchmarks.places import remove
from orchestrator.artefacts import write_artefacts
from orchestrator.config import Config
from orchestrator.core.catalog import (
    FlrState,
    GuestOs,
    Listing,
    Mount,
    MountRoot,
    Question,
    RestorePoint,
    Task,
    TaskPhase,
)
from orchestrator.core.entry import Conflict
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.originals import InPlace
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup, Plan, Selection, plan_to_json
from orchestrator.core.report import Report
from orchestrator.core.tally import Tally
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Revived, Source
from orchestrator.engine.restore import run_job
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop
from orchestrator.files import LocalSource, LocalTarget
from orchestrator.files.targets import Targets
from orchestrator.journal import open_journal
from orchestrator.opening import engine_settings, hiring_of, now

VM = "fs01"
POINT = RestorePoint(
    "point-1", VM, datetime(2026, 11, 20, 2, tzinfo=UTC), "vbr01", "/points/1/mounts", "/points/1/mounts"
)
Durable = Literal["none", "batch", "file"]


@dataclass
class QuickManager:
    """Every port of Enterprise Manager. `show` and `hide` put the machine's folder on the share and take it away."""

    show: Callable[[], None]
    hide: Callable[[], None]
    generation: int = 1
    _mounts: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def find(self, question: Question) -> list[RestorePoint]:
        return [POINT]

    async def restore_state(self, point: RestorePoint, since: datetime) -> FlrState:
        return FlrState.STOPPED

    async def existing(self, point: RestorePoint, generation: int) -> frozenset[str]:
        return frozenset(self._mounts)

    async def request(self, point: RestorePoint, os: GuestOs | None, generation: int) -> Task:
        href = f"/mounts/{next(self._numbers)}"
        self._mounts.add(href)
        await anyio.to_thread.run_sync(self.show)
        return Task(f"/tasks{href}", TaskPhase.FINISHED, True, "", (href,))

    async def task(self, href: str, generation: int) -> Task:
        return Task(href, TaskPhase.FINISHED, True)

    async def tasks(self, generation: int) -> list[Task]:
        return []

    async def restore_tasks(self, generation: int) -> list[Task]:
        return []

    async def forget_task(self, href: str, generation: int) -> None:
        return None

    async def restore_in_place(self, href: str, name: str, how: InPlace, generation: int) -> Task:
        raise NotImplementedError

    async def mount(self, href: str, generation: int) -> Mount:
        return Mount(href, (MountRoot("C:", f"{href}/C:"),))

    async def delete(self, href: str, generation: int) -> Task | None:
        self._mounts.discard(href)
        await anyio.to_thread.run_sync(self.hide)
        return None

    async def listing(self, root: MountRoot, generation: int) -> Listing:
        return {}

    async def open(self) -> int:
        return self.generation

    async def touch(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def forget(self) -> None:
        return None

    def sealed(self) -> bytes:
        return b"sealed"

    async def revive(self, sealed: bytes) -> Revived:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Share:
    """A share and how a mount is shown on it."""

    folder: Path | str
    source: Source
    show: Callable[[], None]
    hide: Callable[[], None]


def real_share(tree: Path) -> Share:
    """A share on which a mount shows the files of `tree`, which stays where it is."""
    share = tree.with_name(f"{tree.name}.share")
    hidden = tree.with_name(f"{tree.name}.hidden")
    share.mkdir(exist_ok=True)
    if not hidden.exists():
        hidden.mkdir()
        (hidden / "Volume1").symlink_to(tree, target_is_directory=True)
    return Share(share, LocalSource(), lambda: _move(hidden, share / VM), lambda: _move(share / VM, hidden))


def forget(tree: Path) -> None:
    """Remove a tree with its share."""
    for folder in (tree, tree.with_name(f"{tree.name}.share"), tree.with_name(f"{tree.name}.hidden")):
        remove(folder)


def _move(old: Path, new: Path) -> None:
    old.rename(new)


def config_of(
    share: Path | str,
    target: Path | str,
    state: Path,
    copies: int,
    durable: Durable,
    accounts: Sequence[object] = (),
    processes: int | Literal["auto"] = "auto",
) -> Config:
    """As an operator would write it."""
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "NOT_READ"},
            "backup_servers": [{"name": "*", "shares": [str(share)], "volumes": {"C:": "Volume1"}}],
            "shares": accounts,
            "limits": {"copies": copies, "poll_interval": 0.01},
            "targets": {"allow": [str(target)]},
            "copy": {"durable": durable, "processes": processes},
            "state": {"folder": state},
        }
    )


def plan_for(target: Path | str, include: tuple[str, ...] = (), wishes: Wishes = BASIC) -> Plan:
    """The whole of C:, or what `include` chooses of it."""
    selection = Selection((GuestPath("C:"),), include, (), str(target), Conflict.SKIP, 1, wishes=wishes)
    return Plan("run-1", "bench", (MountGroup("group-1", POINT, None, (selection,)),))


@contextmanager
def opened(config: Config, share: Share, target: LocalTarget | Targets | None = None) -> Iterator[Rooms]:
    """The rooms of a run, without Enterprise Manager."""
    durable = config.copying.durable
    place = target or LocalTarget(config.targets.allow, config.copying.checksum, durable=durable == "file")
    em = QuickManager(share.show, share.hide)
    numbers = itertools.count()
    if not config.targets.allow[0].startswith("\\\\"):
        Path(config.targets.allow[0]).mkdir(parents=True, exist_ok=True)
    with closing(open_journal(config.state.folder)) as journal, closing(place):
        yield Rooms(
            catalogue=em, mounts=em, browser=em, session=em, reviver=em,
            source=share.source, target=place, runs=journal, leases=journal, outcomes=journal, fidelity=journal,
            asides=journal, answers=journal, originals=journal, restorer=em,
            emit=Tally().add, clock=now, new_id=lambda: f"id-{next(numbers)}",
            em_url=config.enterprise_manager.url, settings=engine_settings(config),
            flush=place.flush if durable == "batch" else None,
            hiring=hiring_of(config, "blake3", False, config.state.folder),
        )  # fmt: skip


def run_engine(config: Config, share: Share, plan: Plan, target: LocalTarget | Targets | None = None) -> Report:
    """One whole run with its report and manifest."""
    with opened(config, share, target) as rooms:
        anyio.run(_run, rooms, plan)
        with closing(open_journal(config.state.folder, read_only=True)) as journal:
            return write_artefacts(journal, config, plan.run)


def books_of(rooms: Rooms) -> Books:
    """The way to the journal."""
    return Books(rooms.leases, rooms.session, rooms.em_url, rooms.new_id, rooms.clock)


def row_of(plan: Plan) -> RunRow:
    """What the journal says of a run that is going on."""
    return RunRow(plan.run, plan.job, RunState.RUNNING, now(), plan_to_json(plan))


async def _run(rooms: Rooms, plan: Plan) -> None:
    row = row_of(plan)
    books = books_of(rooms)
    stop = Stop(rooms.emit, rooms.clock)
    ending = await run_job(plan, row, rooms, books, stop, SessionWatch(rooms.emit, rooms.clock))
    if ending.error is not None:
        raise ending.error
