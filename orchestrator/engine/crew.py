"""Copying processes: batches of small files are done in them, because threads of one interpreter take turns.

For each batch that another process does, a thread here waits and tells of it as if it did it itself; so a batch stalls,
is given up and is handed over like any other. A process that dies takes nothing along: what is left of its batches is
done here, and another is started in its place. Source: os(7) of the standard library; the processes end when their
control socket closes, which it does when this process ends in whatever way.
"""

import math
import pickle
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from orchestrator.core.entries import EntryKind, Outcome
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import MountLost
from orchestrator.core.fidelity import Metadata
from orchestrator.core.roads import EM_ROOT
from orchestrator.engine.copying import Copier
from orchestrator.engine.hiring import Hiring
from orchestrator.engine.parcels import Report, pack_batch, unpack_report
from orchestrator.engine.pulse import Abandoned, Progress
from orchestrator.engine.walking import Batch
from orchestrator.engine.worker import ABANDON, DRAIN

AFTER_FILES = 2_000
"""Files that a run copies before it starts processes: fewer are done before they are ready."""
SMALL = 1 << 20
"""Bytes. Larger files are copied in this process, which tells of their bytes and can go on inside them."""
LANES = 2
"""Batches that a process has at once: while one is on its way to or from it, it does the other."""
REPLACED_AT_MOST = 4
"""Processes that are started for others that died; then something is wrong with the machine."""
LOOK_EVERY = 0.1
ANSWER_WITHIN = 4.0
"""Seconds that an abandoned batch gets to end in its process, which is killed then."""
LEAVE_WITHIN = 2.0

_KINDS = frozenset({EntryKind.FILE, EntryKind.FOLDER})
_SIMPLE = frozenset({Conflict.SKIP, Conflict.OVERWRITE, Conflict.NEWER})


class _Gone(Exception):
    """A process died or could not be started."""


class _Worker:
    """One process. It has `lanes` once it is ready."""

    def __init__(self, hiring: Hiring) -> None:
        pairs = [socket.socketpair() for _ in range(1 + LANES)]
        self.control, *ours = [pair[0] for pair in pairs]
        try:
            self._process = _started(hiring.module, [pair[1] for pair in pairs])
        except OSError:
            for one in (self.control, *ours):
                one.close()
            raise
        self.lanes = [_Lane(self, number, Connection(one.detach())) for number, one in enumerate(ours)]
        recipe = pickle.dumps(hiring.recipe)
        with suppress(OSError):  # it has died already, which `ready` tells
            self.control.sendall(len(recipe).to_bytes(4, "big") + recipe)
        self.control.setblocking(False)

    @property
    def id(self) -> int:
        return self._process.pid

    def ready(self) -> bool:
        """Whether it can be given batches; _Gone when it never will."""
        try:
            said = self.control.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            said = b""
        if not said:
            raise _Gone
        return True

    def tell(self, word: bytes) -> None:
        with suppress(OSError):
            self.control.send(word)

    def kill(self) -> None:
        """End it now. Its lanes find out by themselves."""
        self._process.kill()

    def leave(self, until: float) -> None:
        """Let it end, by force when `until` has come."""
        for lane in self.lanes:
            lane.connection.close()
        self.control.close()
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # it hangs in the kernel, and ends when that lets it go
                self._process.wait(LEAVE_WITHIN)


def _started(module: str, theirs: Sequence[socket.socket]) -> "subprocess.Popen[bytes]":
    """A process that runs `module` and has the sockets `theirs`, which are closed here."""
    numbers = [one.fileno() for one in theirs]
    words = [sys.executable, "-P", "-m", module, *map(str, numbers)]
    null = subprocess.DEVNULL
    try:
        return subprocess.Popen(words, pass_fds=numbers, stdin=null, stdout=null, stderr=null)  # noqa: S603 - our own
    finally:
        for one in theirs:
            one.close()


@dataclass(slots=True, eq=False)
class _Lane:
    """One place in a process."""

    worker: _Worker
    number: int
    connection: Connection

    def reports(self, progress: Progress, copier: Copier) -> "list[Report]":
        """The next report, or none after a while. Tells the process when it is to end. _Gone."""
        try:
            if self.connection.poll(LOOK_EVERY):
                return [unpack_report(self.connection.recv_bytes())]
        except (EOFError, OSError) as error:
            raise _Gone from error
        if progress.abandoned:
            self.worker.tell(ABANDON + bytes([self.number]))
        elif copier.stopping:
            self.worker.tell(DRAIN)
        return []


class Crew:
    """The copying processes of one run. `places` counts those that all runs may have; each is given back at the end.
    Methods block, and may be called in many threads at once."""

    def __init__(self, hiring: Hiring | None, places: threading.Semaphore) -> None:
        self._hiring = hiring
        self._places = places
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._coming: list[_Worker] = []
        self._free: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
        self._replaced = 0
        self._files = 0
        self._closed = False

    @property
    def processes(self) -> list[int]:
        """The process ids of those that are ready."""
        return [worker.id for worker in self._workers]

    def perform(self, copier: Copier, batch: Batch, done: list[Outcome], pulse: Progress) -> None:
        """As `Copier.perform`, which does it when no process can."""
        try:
            lane = self._lane(copier, batch, pulse)
            if lane is None:
                return copier.perform(batch, done, pulse)
            done.extend(batch.outcomes)
            reached = self._by(lane, copier, batch, done, pulse)
            if reached is not None:
                copier.perform(replace(batch, works=batch.works[reached:], outcomes=()), done, pulse)
        finally:
            pulse.over = True

    def close(self) -> None:
        """Let every process end."""
        with self._lock:
            self._closed = True
            workers = [*self._workers, *self._coming]
            self._workers, self._coming = [], []
        until = time.monotonic() + LEAVE_WITHIN
        for worker in workers:
            worker.leave(until)
            self._places.release()

    def _by(self, lane: _Lane, copier: Copier, batch: Batch, done: list[Outcome], pulse: Progress) -> int | None:
        """Have a batch done. None when it is done, else how many of its entries are: its process died, or ended it
        early by a word that was for the batch before."""
        patience, begun = math.inf, len(done)
        pulse.beat()
        try:
            lane.connection.send_bytes(pack_batch(copier.terms, batch))
            while True:
                if pulse.abandoned and patience == math.inf:
                    patience = time.monotonic() + ANSWER_WITHIN
                if time.monotonic() > patience:
                    raise _Gone
                for report in lane.reports(pulse, copier):
                    pulse.last, pulse.reached = report.last, report.reached
                    done.extend(report.outcomes)
                    if report.over:
                        self._free.put(lane)
                        copier.note_made(report.made)
                        self._raise(report, copier, pulse)
                        copier.pay(done[begun:], pulse)
                        short = report.reached < len(batch.works) and not copier.stopping
                        return report.reached if short else None
        except (_Gone, OSError):
            self._replace(lane.worker)
            if pulse.abandoned:
                raise Abandoned from None
            return pulse.reached

    def _raise(self, report: Report, copier: Copier, pulse: Progress) -> None:
        if report.lost:
            raise MountLost(vm=copier.terms.vm, cause=report.lost)
        if report.failure:
            raise RuntimeError(f"in a copying process:\n{report.failure}")
        if pulse.abandoned:
            raise Abandoned

    def _lane(self, copier: Copier, batch: Batch, pulse: Progress) -> _Lane | None:
        """A free place for `batch`, waited for; None when it is to be done here."""
        if self._hiring is None or copier.stopping or not _suits(batch) or copier.stays_here(batch.bytes):
            return None
        with self._lock:
            self._files += len(batch.works)
            if self._files < AFTER_FILES or self._closed:
                return None
            self._hire(self._hiring)
            self._welcome()
        while self._workers:
            if pulse.abandoned:
                raise Abandoned
            with suppress(queue.Empty):
                lane = self._free.get(timeout=LOOK_EVERY)
                if lane.worker in self._workers:
                    return lane
        return None

    def _hire(self, hiring: Hiring) -> None:
        while self._replaced <= REPLACED_AT_MOST and self._places.acquire(blocking=False):
            try:
                self._coming.append(_Worker(hiring))
            except OSError:  # too many processes, or too little memory: threads do it as well
                self._places.release()
                self._replaced = REPLACED_AT_MOST + 1

    def _welcome(self) -> None:
        """Take those into service that are ready."""
        for worker in list(self._coming):
            try:
                if not worker.ready():
                    continue
                self._workers.append(worker)
                for lane in worker.lanes:
                    self._free.put(lane)
            except _Gone:
                self._dismiss(worker)
            self._coming.remove(worker)

    def _replace(self, worker: _Worker) -> None:
        """A process is lost: its place is free for another."""
        worker.kill()
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
                self._dismiss(worker)

    def _dismiss(self, worker: _Worker) -> None:
        self._replaced += 1
        worker.kill()
        worker.leave(time.monotonic() + LEAVE_WITHIN)
        self._places.release()


def _suits(batch: Batch) -> bool:
    """Whether another process can do a batch: small files, and folders for them, on disks that both can open, without
    what looks beyond the file itself."""
    return (
        batch.selection.on_conflict in _SIMPLE
        and not batch.selection.destination.startswith("\\\\")
        and not batch.volume.folder.root.startswith(("\\\\", EM_ROOT))
        and all(
            work.entry.size < SMALL
            and work.entry.kind in (EntryKind.FILE, EntryKind.FOLDER)
            # Its other names may be met in another process.
            and (work.entry.identity is None or work.wishes.metadata is not Metadata.FULL)
            for work in batch.works
        )
    )
