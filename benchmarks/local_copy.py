"""Copying from a local or mounted share, against `cp -a`, `rsync -a` and `rclone copy`, which keep no journal and take
no checksums of their own."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import Event, create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream

from benchmarks.engine import (
    Durable,
    Share,
    books_of,
    config_of,
    forget,
    opened,
    plan_for,
    real_share,
    row_of,
    run_engine,
)
from benchmarks.measuring import Contestant, Rounds, mib, print_table, side_by_side
from benchmarks.places import Places, available_memory, find_rclone
from benchmarks.trees import large_files, small_files
from orchestrator.core.entries import Outcome
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.select import Selector
from orchestrator.engine.controls import RunControl
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.scribe import FoldersDone, Handed
from orchestrator.engine.seats import Seats
from orchestrator.engine.stages import Stages
from orchestrator.engine.stopping import Stop
from orchestrator.engine.walking import Walk

COPIES = 16
PEERS = ("cp -a", "rsync -a", "rclone copy")
THREADS = (1, 2, 4, 8, 16)


@dataclass(slots=True)
class Course:
    """What a stage keeps of a group that has neither a mount nor a past."""

    group: MountGroup
    announced: tuple[int, int] = (0, 0)
    unfinished: list[Outcome] = field(default_factory=list)
    problems: list[Outcome] = field(default_factory=list)


def local_copy(places: Places, quick: bool) -> None:
    """Small and large files, in memory and on a disk; then how many threads are best."""
    for kind, place in places.all():
        _small(place, kind, quick)
        _large(place, kind, quick)
    for kind, place in places.all():
        _threads(place, kind, quick)


def _small(place: Path, kind: str, quick: bool) -> None:
    count = 2_000 if quick else 20_000
    tree = place / "small"
    size = small_files(tree, count, (1 << 10, 64 << 10))
    rounds = _against_peers(tree, place, 3)
    _print(f"{count:,} small files, {mib(size)}, {kind} to {kind}", rounds, count, "files/s")
    forget(tree)


def _large(place: Path, kind: str, quick: bool) -> None:
    size = min((32 if quick else 700) << 20, available_memory() // 12)
    tree = place / "large"
    total = large_files(tree, 2, size)
    rounds = _against_peers(tree, place, 3)
    _print(f"2 files of {mib(size)}, {kind} to {kind}", rounds, total / 1e6, "MB/s")
    forget(tree)


def _print(title: str, rounds: Rounds, amount: float, unit: str) -> None:
    rows = [
        [
            name,
            f"{rounds.median(name):.2f}",
            f"{rounds.busy(name):.2f}",
            f"{amount / rounds.median(name):,.0f}",
            *(rounds.ratio(name, peer) if peer in rounds.seconds else "not installed" for peer in PEERS),
        ]
        for name in rounds.seconds
    ]
    head = ("copy", "s (median)", "processor s", unit, *(f"speed of {peer} = 1" for peer in PEERS))
    print_table(title, head, rows)


def _against_peers(tree: Path, place: Path, rounds: int) -> Rounds:
    share = real_share(tree)
    contestants = [
        Contestant("cp -a", lambda to: _peer(["cp", "-a", f"{tree}/.", str(to)], to)),
        Contestant("our copy path", lambda to: copy_path(share, to, COPIES)),
        Contestant("our whole engine", lambda to: whole_engine(share, to, COPIES)),
    ]
    if shutil.which("rsync"):
        contestants.insert(1, Contestant("rsync -a", lambda to: _peer(["rsync", "-a", f"{tree}/", str(to)], to)))
    if (rclone := find_rclone()) is not None:
        words = [rclone, "copy", "--config", os.devnull, "-q", "--transfers", "16", "--checkers", "16", str(tree)]
        contestants.insert(2, Contestant("rclone copy", lambda to: _peer([*words, str(to)], to)))
    return side_by_side(contestants, place, rounds)


def _threads(place: Path, kind: str, quick: bool) -> None:
    """The whole engine with 1 to 16 copying threads."""
    count, size = (1_000, 32 << 20) if quick else (10_000, 256 << 20)
    rows: list[list[str]] = [[str(number)] for number in THREADS]
    makers: list[tuple[str, Callable[[Path], int]]] = [
        (f"{count:,} small files", lambda tree: small_files(tree, count, (1 << 10, 64 << 10))),
        (f"4 x {mib(size)}", lambda tree: large_files(tree, 4, size)),
    ]
    for _, make in makers:
        tree = place / "threads"
        make(tree)
        share = real_share(tree)
        rounds = side_by_side([_with_threads(share, number) for number in THREADS], place, 3)
        for row, number in zip(rows, THREADS, strict=True):
            row += [f"{rounds.median(str(number)):.2f}", rounds.ratio(str(number), "16")]
        forget(tree)
    head = ["limits.copies"]
    for name, _ in makers:
        head += [f"{name}, s", "speed of 16 = 1"]
    print_table(f"Copying threads, {kind} to {kind}", head, rows)


def _with_threads(share: Share, number: int) -> Contestant:
    return Contestant(str(number), lambda to: whole_engine(share, to, number))


def whole_engine(share: Share, to: Path, copies: int, durable: Durable = "none") -> None:
    """A run with mount, journal, report and manifest."""
    config = config_of(share.folder, to / "target", to / "state", copies, durable)
    report = run_engine(config, share, plan_for(to / "target"))
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")


def copy_path(share: Share, to: Path, copies: int) -> None:
    """Walk, decide, copy, checksum, in threads as the engine does it, without a mount and without rows for files."""
    config = config_of(share.folder, to / "target", to / "state", copies, "none")
    with opened(config, share) as rooms:
        share.show()
        rooms.runs.begin(row_of(plan_for(to / "target")))
        try:
            anyio.run(_stages, rooms, plan_for(to / "target"), share)
        finally:
            share.hide()


async def _stages(rooms: Rooms, plan: Plan, share: Share) -> None:
    group = plan.groups[0]
    root = SourcePath(str(Path(share.folder) / group.vm / "Volume1"), "")
    selection = group.selections[0]
    walk = Walk(rooms.source, group, selection, Selector((), (), ignore_case=True), Volume("C:", "C:", (), root), ((),))
    course = Course(group)
    outbox, inbox = create_memory_object_stream[Handed](rooms.settings.copies * 2)
    async with create_task_group() as tasks:
        tasks.start_soon(_look_through, inbox, course.problems)
        async with outbox:
            stop = Stop(rooms.emit, rooms.clock)
            seats = Seats(rooms.settings, rooms.emit, rooms.clock)
            stages = Stages(rooms, books_of(rooms), plan.run, stop, seats, RunControl(plan))
            try:
                await stages.run([[walk]], course, outbox)
            finally:
                await stages.close()
    if course.problems:
        raise SystemExit(f"not everything was copied: {course.problems[:3]}")


async def _look_through(inbox: MemoryObjectReceiveStream[Handed], problems: list[Outcome]) -> None:
    async with inbox:
        async for handed in inbox:
            if not isinstance(handed, Event | FoldersDone):
                problems += [one for one in handed if one.reason is not None]


def _peer(words: Sequence[str], to: Path) -> None:
    to.mkdir()
    subprocess.run(words, check=True)
