"""Opening the rooms: every object of the product is built here, once, and closed again in the reverse order."""

import os
import random
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from orchestrator.announcing import Docket, announce_unopened
from orchestrator.artefacts import run_folder
from orchestrator.config import Config, read_password
from orchestrator.config_mount_hosts import BackupServerSettings, mount_hosts
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Event, Notice, RequestAnswered
from orchestrator.core.limits import Limits
from orchestrator.core.mount_hosts import ByMountHost, folded
from orchestrator.core.rates import Bandwidths, rate_of
from orchestrator.engine.beside import Service, in_thread
from orchestrator.engine.hiring import Hiring
from orchestrator.engine.ports import LeaseLedger, Source
from orchestrator.engine.rooms import EngineSettings, Reach, Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop, obeying
from orchestrator.engine.through_em import ThroughEm
from orchestrator.enterprise_manager import Client, Observer, ssl_context
from orchestrator.files import Algorithm, LocalTarget
from orchestrator.journal import Journal, locked, open_journal
from orchestrator.reaching import make_source, make_target
from orchestrator.reading import now as now
from orchestrator.reading import read_journal as read_journal
from orchestrator.reading import reading as reading
from orchestrator.web import ControlSocket, controlled, open_control
from orchestrator.working import PROGRAM, Recipe

if TYPE_CHECKING:
    from orchestrator.files.targets import Targets
    from orchestrator.fleet import Fleet
    from orchestrator.notify import Notifier

Listen = Callable[[Event], None]

PROCESSES_AT_MOST = 4
"""Copying processes when nobody says how many: what takes their outcomes in is one process."""


@dataclass(slots=True)
class App:
    """The rooms, opened. `listen` takes every event; `services` run beside the work, and `docket` knows what of it is
    not done; `must_stop` is asked about once a second."""

    config: Config
    client: Client
    journal: Journal
    source: Source
    target: "LocalTarget | Targets"
    listen: Listen
    watch: SessionWatch
    services: Sequence[Service] = ()
    docket: Docket = field(default_factory=Docket)
    must_stop: Callable[[], bool] | None = None
    control: ControlSocket | None = None
    """There for what runs jobs."""
    fleet: "Fleet | None" = None

    @property
    def leases(self) -> LeaseLedger:
        """The mounts that are this process's to look after, beside those that it makes."""
        return self.journal if self.fleet is None else self.fleet.own_leases()

    @property
    def run_tag(self) -> str:
        """What ends the names of the runs that are begun here, where others begin some at the same time."""
        return self.fleet.home[:4] if self.fleet is not None else ""

    def must_end(self) -> bool:
        """Whether work must end by itself; True once for each reason. Any thread."""
        outdated = self.fleet is not None and self.fleet.must_end()
        return outdated or (self.must_stop is not None and self.must_stop())

    def rooms(self) -> Rooms:
        """Everything the engine is given."""
        config = self.config
        return Rooms(
            catalogue=self.client,
            mounts=self.client,
            browser=self.client,
            session=self.client,
            reviver=self.client,
            source=self.source,
            target=self.target,
            runs=self.journal,
            leases=self.leases,
            outcomes=self.journal,
            answers=self.journal,
            asides=self.journal,
            fidelity=self.journal,
            originals=self.journal if self.fleet is None else self.fleet.own_originals(),
            restorer=self.client,
            emit=self.listen,
            clock=now,
            new_id=new_id,
            em_url=config.enterprise_manager.url,
            settings=engine_settings(config),
            folds_case=self.target.folds_case,
            flush=self.target.flush if config.copying.durable == "batch" else None,
        )


def hiring_of(config: Config, checksum: Algorithm, read_back: bool, sidecar: Path) -> Hiring | None:
    """How copying processes of a run are started; None when there are to be none. `sidecar` is the run's folder."""
    if not _processes(config):
        return None
    recipe = Recipe(tuple(config.targets.allow), checksum, config.copying.durable == "file", read_back, sidecar)
    return Hiring(PROGRAM, recipe)


def _processes(config: Config) -> int:
    wanted = config.copying.processes
    if sys.platform != "linux":  # sockets are handed over by their descriptors
        return 0
    if wanted != "auto":
        return wanted
    cores = len(os.sched_getaffinity(0))
    return min(cores, PROCESSES_AT_MOST) if cores > 1 else 0


def belonging(app: App) -> AbstractAsyncContextManager[None]:
    """A member of its fleet while this is open, where there is one. NameTaken."""
    if app.fleet is None:
        return nullcontext()
    from orchestrator.fleet import belonging as belonging_to

    return belonging_to(app.fleet, app.listen, now, new_id())


def new_id() -> str:
    """32 hex digits that nobody else has."""
    return uuid.uuid4().hex


def engine_settings(config: Config) -> EngineSettings:
    """The engine's slice of the config."""
    limits = config.limits
    default = config.backup_server("*")
    hosts = mount_hosts(config.backup_servers)
    return EngineSettings(
        limits=Limits(
            limits.mounts,
            {server.name.casefold(): server.max_mounts for server in config.backup_servers},
            default.max_mounts if default else BackupServerSettings.model_fields["max_mounts"].default,
            hosts.budgets,
            {server.name.casefold(): server.max_mounts_per_chain for server in config.backup_servers},
            default.max_mounts_per_chain if default else None,
        ),
        reach=lambda name: _reach(config.backup_server(name), hosts),
        copies=limits.copies,
        bandwidths=_bandwidths(config),
        processes=_processes(config),
        mount_timeout=limits.mount_timeout,
        folder_timeout=limits.folder_timeout,
        unmount_timeout=limits.unmount_timeout,
        original_timeout=limits.original_timeout,
        keep_alive=config.enterprise_manager.keep_alive,
        grace=limits.grace,
        poll_first=limits.poll_interval,
        poll_most=max(limits.poll_interval, 10.0),
        stall=limits.stall_timeout,
        probe=limits.probe_timeout,
        reserve=limits.reserve_mib << 20,
        space_wait=limits.space_wait,
        failure_rate=limits.failure_rate,
        failure_floor=limits.failure_floor,
    )


def _bandwidths(config: Config) -> Bandwidths:
    rates = {server.name.casefold(): rate_of(server.bandwidth) for server in config.backup_servers}
    names = tuple(server.name for server in config.backup_servers if server.name != "*")
    return Bandwidths(config.limits.timetable, rates, rates.get("*"), names)


def _reach(server: BackupServerSettings | None, hosts: ByMountHost) -> Reach | None:
    if server is None:
        return None
    shares = server.every_share
    by_id = frozenset(share for share in shares if folded(share) in hosts.by_id)
    return Reach(shares, server.volumes, {share: hosts.host(share) for share in shares}, by_id, server.road)


@contextmanager
def opened(
    config: Config, listen: Listen, jobs: Sequence[str] | None = None, *, watching: bool = False
) -> Iterator[App]:
    """The rooms on one exit stack. Everything that blocks or may be wrong is opened here, before the loop starts.

    With `jobs`, the names of what the command is to run, notifications go out; also when the rooms cannot be opened.
    With `watching` the heartbeat of a watcher does so too, which is what tells that one could not start.
    ConfigInvalid for a password, CA file, address or template that is not there; StateError for the journal.
    """
    if jobs is None:
        with _rooms(config, listen, (), Docket()) as app:
            yield app
        return
    docket, takers = Docket(jobs), [listen]
    telling: list[Service] = []
    beating: list[Service] = []
    if config.notifications or config.ping.wanted:
        notifier = make_notifier(config, listen)
        takers.append(notifier.add)
        telling += notifier.services
        beating += [notifier.heartbeat] if watching and notifier.heartbeat is not None else []
    heard = _each(*takers, docket.add)
    with ExitStack() as stack:
        try:
            app = stack.enter_context(_rooms(config, heard, [*telling, *beating], docket))
        except OrchestratorError as error:
            anyio.run(announce_unopened, telling, heard, now, docket, error)
            raise
        app.control = stack.enter_context(open_control(config.state.folder))  # under the lock
        yield app


@contextmanager
def _rooms(config: Config, listen: Listen, services: Sequence[Service], docket: Docket) -> Iterator[App]:
    with ExitStack() as stack:
        watch = SessionWatch(listen, now)
        client = make_client(config, watch, listen)
        fleet, journal = _journal(config, stack)
        if fleet is not None:
            from orchestrator.fleet import take_over

            fleet.home, fleet.earlier = take_over(config.state.folder)  # under the lock
        _forget_old_stop_file(config.state.folder, listen)  # under the lock: it is not another process's
        through = ThroughEm(client, engine_settings(config).poll_most)
        source = stack.enter_context(closing(make_source(config, through)))
        target = stack.enter_context(closing(make_target(config, source)))
        yield App(config, client, journal, source, target, listen, watch, services, docket, fleet=fleet)


def _journal(config: Config, stack: ExitStack) -> "tuple[Fleet | None, Journal]":
    """The journal of the state folder, or the one that a fleet shares; the folder is ours alone."""
    if config.fleet.dsn is None:
        return None, stack.enter_context(closing(open_journal(config.state.folder)))
    from orchestrator.fleet import opened_fleet  # who is alone pays for no fleet

    stack.enter_context(locked(config.state.folder, now))
    fleet = stack.enter_context(opened_fleet(config))
    return fleet, fleet.journal


def _each(*takers: Listen) -> Listen:
    def listen(event: Event) -> None:
        for take in takers:
            take(event)

    return listen


def make_notifier(config: Config, listen: Listen) -> "Notifier":
    """The notifier of this process. It tells `listen` what it could not deliver. ConfigInvalid."""
    from orchestrator.notify import Means, open_notifier  # a room of its own, for those who want to be told

    means = Means(
        emit=listen,
        clock=now,
        monotonic=time.monotonic,
        random=random.random,
        sleep=anyio.sleep,
        new_id=new_id,
        in_thread=in_thread,
    )
    return open_notifier(
        config.notifications,
        config.ping,
        folder_of=lambda run: str(run_folder(config, run)),
        host=socket.gethostname(),
        environment=os.environ,
        means=means,
    )


def make_client(config: Config, watch: SessionWatch | None = None, listen: Listen | None = None) -> Client:
    """The client of EM; `listen` is told of every request."""
    settings = config.enterprise_manager
    return Client(
        settings,
        read_password(settings),
        ssl=ssl_context(settings),
        clock=now,
        random=random.random,
        sleep=anyio.sleep,
        on_renewed=watch.renewed if watch else None,
        on_request=_telling(listen) if listen else None,
    )


def _telling(listen: Listen) -> Observer:
    def answered(route: str, method: str, status: int | None, seconds: float) -> None:
        listen(RequestAnswered(now(), method, route, status or 0, seconds))

    return answered


@contextmanager
def keeping(config: Config) -> Iterator[Journal]:
    """The journal for a command that changes it and asks EM nothing. StateLocked while a run is going on."""
    with ExitStack() as stack:
        yield _journal(config, stack)[1]


@asynccontextmanager
async def steered(app: App, seats: Seats) -> AsyncIterator[None]:
    """While this is open, the control socket changes the limits of `seats` and pauses their runs."""
    if app.control is None:
        yield
        return
    async with controlled(app.control, seats.controls, lambda text: app.listen(Notice(now(), text))):
        yield


@asynccontextmanager
async def stopped_from_outside(
    listen: Listen, state: Path | None, must_stop: Callable[[], bool] | None = None
) -> AsyncIterator[Stop]:
    """A Stop that SIGINT, SIGTERM, a lost terminal and a file named `stop` in the state folder ask for, and once
    `must_stop` says so. Without `state` no file does: it asks the process that has the lock."""
    stop = Stop(listen, now)
    take_file = partial(_asked_to_stop, state, must_stop) if state is not None else None
    with anyio.open_signal_receiver(*_stop_signals()) as signals:
        async with obeying(stop, signals, take_file):
            yield stop


def _stop_signals() -> list[signal.Signals]:
    """A connection that breaks hangs up on the run, which must not leave its mounts behind; under nohup it may."""
    hang_up = [one for one in signal.Signals if one.name == "SIGHUP" and signal.getsignal(one) is not signal.SIG_IGN]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def _asked_to_stop(state: Path, must_stop: Callable[[], bool] | None) -> bool:
    return _take_stop_file(state) or (must_stop is not None and must_stop())


def _take_stop_file(state: Path) -> bool:
    """Remove `stop` from the state folder; whether it was there. A file that cannot be removed asks only once."""
    try:
        (state / "stop").unlink()
    except OSError:
        return False
    return True


def _forget_old_stop_file(state: Path, listen: Listen) -> None:
    if _take_stop_file(state):
        what = f"{state / 'stop'} was there before this start; it asked an earlier process and is removed"
        listen(Notice(now(), what))
