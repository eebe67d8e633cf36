"""A copying process: it does batches for the process that started it, and ends with it.

Each lane is a socket and a thread that takes one batch after the other. The control socket says what cannot wait for
the end of a batch; when it closes, the parent is gone, and the process ends on the spot, wherever its lanes are.
"""

import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import MountLost, StateError
from orchestrator.core.replaced import Aside
from orchestrator.engine.copying import Copier
from orchestrator.engine.parcels import Report, pack_report, unpack_batch
from orchestrator.engine.ports import Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.pulse import Abandoned, Progress
from orchestrator.engine.turns import Turns
from orchestrator.engine.walking import Batch, Terms

REPORT_EVERY = 0.2
"""Seconds between two reports of a batch that takes longer."""
DRAIN, ABANDON = b"d", b"a"
"""What the parent says on the control socket: end between two files; end now (followed by the lane's number)."""
ORPHANED = 3
"""The exit code of a worker whose parent is gone. Nobody is left to read it."""


class Lane:
    """One batch at a time, in a thread of its own."""

    def __init__(self, connection: Connection, source: Source, target: Destination, turns: Turns) -> None:
        self._connection = connection
        self._source, self._target = source, target
        self._turns = turns
        self._sending = threading.Lock()
        self._progress: Progress | None = None
        self._done: list[Outcome] = []
        self._told = 0
        self.draining = False

    def serve(self) -> None:
        """Until the parent closes its end."""
        while True:
            try:
                terms, batch = unpack_batch(self._connection.recv_bytes())
            except (EOFError, OSError):
                return
            self._perform(terms, batch)

    def abandon(self) -> None:
        """The batch of this lane is to end where it is."""
        progress = self._progress
        if progress is not None:
            progress.abandoned = True

    def report(self) -> None:
        """Tell the parent how far the batch is, if there is one."""
        with self._sending:
            progress = self._progress
            if progress is not None and not progress.over:
                self._send(Report(progress.last or time.monotonic(), progress.reached, self._news()))

    def _perform(self, terms: Terms, batch: Batch) -> None:
        progress = Progress()
        with self._sending:
            self._done, self._told, self.draining = [], 0, False
            self._progress = progress
        lost = failure = ""
        copier = Copier(
            self._source, self._target, terms, lambda _: None, lambda: self.draining, _refuse, turns=self._turns
        )
        try:
            copier.perform(batch, self._done, progress)
        except Abandoned:
            pass
        except MountLost as error:
            lost = str(error.facts["cause"])
        except StateError:
            os._exit(ORPHANED)  # the parent does the rest itself, and meets the same
        except Exception:
            failure = traceback.format_exc()
        with self._sending:
            self._progress = None
            made = copier.take_made()
            self._send(Report(time.monotonic(), progress.reached, self._news(), True, lost, failure, made))

    def _news(self) -> Sequence[Outcome]:
        news = self._done[self._told :]
        self._told += len(news)
        return news

    def _send(self, report: Report) -> None:
        try:
            self._connection.send_bytes(pack_report(report))
        except OSError:
            os._exit(ORPHANED)


def _refuse(aside: Aside) -> None:
    raise RuntimeError("only the process that has the journal sets files aside")


def serve(control: socket.socket, lanes: Sequence[int], rooms: Callable[[], tuple[Source, Destination]]) -> None:
    """Serve the lanes, given by descriptor, until the parent closes the control socket. Does not return."""
    source, target = rooms()
    turns = Turns()
    serving = [Lane(Connection(descriptor), source, target, turns) for descriptor in lanes]
    for lane in serving:
        threading.Thread(target=lane.serve, daemon=True).start()
    control.sendall(b"r")  # ready
    control.settimeout(REPORT_EVERY)
    while True:
        try:
            said = control.recv(1)
        except TimeoutError:
            said = b"."
        except OSError:
            said = b""
        if not said:
            os._exit(ORPHANED)  # without a word to anybody: threads in the middle of a file stop being at once
        if said == DRAIN:
            for lane in serving:
                lane.draining = True
        elif said == ABANDON:
            serving[control.recv(1)[0]].abandon()
        for lane in serving:
            lane.report()
