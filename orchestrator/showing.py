"""The status page of a watcher: what it shows and what it may ask for, put together."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import sleep_forever

from orchestrator.config_web import WebSettings
from orchestrator.core.board import HISTORY, Board
from orchestrator.core.events import Notice
from orchestrator.core.report import left_mount
from orchestrator.core.snapshot import Ended, LeftBehind
from orchestrator.engine.ports import LeaseLedger
from orchestrator.engine.serving import Ask
from orchestrator.journal import Journal
from orchestrator.opening import now
from orchestrator.watching import Watch
from orchestrator.web import Sources
from orchestrator.web.listeners import Listeners, open_listeners
from orchestrator.web.server import serving

Metrics = Callable[[str], tuple[bytes, str]]


class StatusPage:
    """Shows a watcher. It listens already, and answers while `serve` runs beside the watcher."""

    def __init__(self, listeners: Listeners, board: Board, watcher: Watch, metrics: Metrics | None) -> None:
        self._listeners = listeners
        self._watcher = watcher
        self._sources = Sources(
            snapshot=lambda: board.snapshot(now()),
            clock=now,
            tell=watcher.hear,
            actions=_Orders(watcher),
            ready=watcher.hindrances,
            metrics=metrics,
            place=socket.gethostname(),
        )

    async def serve(self) -> None:
        """Serve until cancelled, as a companion of the watcher. A page that fails is told of, and ends nothing else."""
        try:
            async with serving(self._listeners, self._sources):
                await sleep_forever()
        except Exception as error:
            self._watcher.hear(Notice(now(), f"the status page has ended, the watcher goes on without it: {error!r}"))


class _Orders:
    """What operators may do, in the words of the watcher."""

    def __init__(self, watcher: Watch) -> None:
        self._watcher = watcher

    async def pause(self, paused: bool) -> None:
        await self._watcher.do(Ask("pause" if paused else "unpause"))

    async def stop_run(self, run: str, now: bool) -> bool:
        return await self._watcher.do(Ask("cancel" if now else "drain", run))

    async def sweep(self) -> str:
        await self._watcher.do(Ask("sweep"))
        return "Mounts that were left are swept as soon as no job runs."


@contextmanager
def opened_page(
    settings: WebSettings,
    journal: Journal,
    watcher: Watch,
    metrics: Metrics | None = None,
    leases: LeaseLedger | None = None,
) -> Iterator[StatusPage]:
    """The page of `watcher`, which is told of every event from now on. Blocks; ConfigInvalid for what cannot be.

    `metrics` is given what the client accepts, and gives the body of /metrics and its content type. `leases` are those
    that are this process's to look after, where the journal has others too.
    """
    with open_listeners(settings) as listeners:
        board = Board(now(), _history(journal), _left(leases or journal), lambda _: watcher.outlook())
        watcher.also_tell(board.add)
        yield StatusPage(listeners, board, watcher, metrics)


def _history(journal: Journal) -> list[Ended]:
    """What earlier processes did, newest first; a run that died has no end."""
    rows = journal.heads()[:HISTORY]
    return [Ended(row.job, row.id, row.started, row.ended, row.exit_code) for row in rows]


def _left(leases: LeaseLedger) -> Iterator[LeftBehind]:
    """At the start every open mount is left: nobody holds it."""
    for row in leases.open_leases():
        mount = left_mount(row)
        yield LeftBehind(row.ended or row.opened, row.run, mount.vm, mount.backup_server, mount.href, mount.cause)
