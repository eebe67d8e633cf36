"""One life of the orchestrator in a box: the real rooms over a simulated Enterprise Manager, stopped where a test says.

A `House` is what outlives a process: EM, the mount shares, the target folder, the state folder. `live` is a process: it
opens fresh rooms on the state folder as `orchestrator run` and `orchestrator resume` do, and hands them to the roof
behind proxies that count every event and every call of a port. A `Fate` says where the process is stopped, and how:

- polite (`cancel`, `drain`): somebody asks the run to stop;
- rude (`kill`): from that moment on every call of every port raises `Killed`, so that no clean-up can act, as after
  SIGKILL. A file that was being copied leaves half of itself under its partial name, the journal is taken as it lies
  on the disk, and nobody logs off.
"""

import asyncio
import functools
import gc
import inspect
import shutil
import threading
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import anyio

from orchestrator import app as roof
from orchestrator.config import Config
from orchestrator.core import health
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import StoppedEarly, WordsError
from orchestrator.core.events import Event, FilesDone, GroupStarted, MountLeft, MountOpened, RunStarted, Stopping
from orchestrator.core.job import Job
from orchestrator.core.ledger import Totals
from orchestrator.core.paths import safe_component
from orchestrator.core.report import Report
from orchestrator.core.tally import Tally
from orchestrator.engine import leases, toll
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop
from orchestrator.enterprise_manager import Client, seal, ssl_context
from orchestrator.files import Algorithm, LocalSource, LocalTarget, Sidecar
from orchestrator.files.authors import partial_name
from orchestrator.files.probing import PARTIAL_SUFFIX
from orchestrator.journal import open_journal
from orchestrator.metrics import Metrics
from orchestrator.simulator import Estate, Fault, Server, Settings, Simulator, serving
from tests.support.exposed import exposed

QUICK = Settings(task_seconds=0.001, operation_finished_seconds=0.0)
PASSWORD = "restore"
MIB = 1 << 20
SALT = b"a salt for tests"


LIMITS: Mapping[str, Any] = {
    "mount_timeout": 5,
    "folder_timeout": 2,
    "unmount_timeout": 5,
    "grace": 5,
    "space_wait": 1,
    "reserve_mib": 1,
}


class Killed(BaseException):
    """The process is gone. No `except Exception` may see it."""


# --- where and how a process ends -----------------------------------------------------------------------------------


@dataclass
class Fate:
    """Stops a process as `how` says ("": never): at event number `event`, or before or after port call number `call`.

    Both count from 1. `events` and `calls` keep the names of what happened, so that a test can say where it was.
    """

    how: str = ""
    event: int = 0
    call: int = 0
    after: bool = False
    events: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    seen: list[Event] = field(default_factory=list)
    listen: Callable[[Event], None] | None = None
    dead: bool = False
    struck: str = ""
    stop: Stop | None = None
    loop: asyncio.AbstractEventLoop | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: Event) -> None:
        """The engine's `emit`."""
        self.live()
        self.seen.append(event)
        if self.listen is not None:
            self.listen(event)
        if isinstance(event, Stopping):
            return
        self.events.append(type(event).__name__)
        if self.how and len(self.events) == self.event:
            self._strike(f"at event {self.event}, {self.events[-1]}")

    def begin(self, name: str) -> int:
        """A port is called; its number."""
        with self._lock:
            self.live()
            self.calls.append(name)
            number = len(self.calls)
        if self.how and number == self.call and not self.after:
            self._strike(f"before call {number}, {name}")
        return number

    def end(self, number: int) -> None:
        """The call is through."""
        self.done.add(self.calls[number - 1])
        self.live()
        if self.how and number == self.call and self.after:
            self._strike(f"after call {number}, {self.calls[number - 1]}")

    def ended(self, name: str) -> bool:
        """Whether a call of that name ever came through."""
        return name in self.done

    def live(self) -> None:
        if self.dead:
            raise Killed(self.struck)

    def _strike(self, where: str) -> None:
        self.struck = where
        if self.how == "kill":
            self.dead = True
            raise Killed(where)
        if self.stop is None:
            return  # nothing that obeys signals is there yet
        ask = self.stop.cancel if self.how == "cancel" else self.stop.drain
        if threading.current_thread() is threading.main_thread():
            ask()
        elif self.loop is not None:
            self.loop.call_soon_threadsafe(ask)


class Port:
    """Stands in front of a room and lets the fate see every call. Properties pass, unless the process is dead."""

    def __init__(self, real: Any, name: str, fate: Fate) -> None:
        self._real, self._name, self._fate = real, name, fate

    def __getattr__(self, name: str) -> Any:
        self._fate.live()
        found = getattr(self._real, name)
        if name == "mounts":  # those of a revived session
            return Port(found, f"{self._name}.mounts", self._fate)
        if not callable(found):
            return found
        called = f"{self._name}.{name}"
        if inspect.iscoroutinefunction(found):
            return functools.partial(self._asked, called, found)
        return functools.partial(self._done, called, found)

    async def _asked(self, called: str, function: Callable[..., Any], *arguments: Any) -> Any:
        number = self._fate.begin(called)
        result = await function(*arguments)
        self._fate.end(number)
        return Port(result, "revived", self._fate) if called.endswith(".revive") else result

    def _done(self, called: str, function: Callable[..., Any], *arguments: Any) -> Any:
        number = self._fate.begin(called)
        result = function(*arguments)
        self._fate.end(number)
        return self._drawn(result) if inspect.isgenerator(result) else result

    def _drawn(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._fate.live()
            yield item

    async def __aenter__(self) -> "Port":
        await self._real.__aenter__()
        return self

    async def __aexit__(self, *how: Any) -> None:
        """Connections are dropped in each case; that is no word to EM."""
        await self._real.__aexit__(*how)


class TargetPort(Port):
    """A file whose copying was cut short by death stays as half a partial file: no clean-up acts after a SIGKILL."""

    def __init__(self, target: LocalTarget, wrap: "Wrap", fate: Fate) -> None:
        super().__init__(wrap("target", target), "target", fate)
        self._target, self._wrap = target, wrap

    def hashing(self, checksum: Algorithm, sidecar: Sidecar | None = None, *, read_back: bool = False) -> "TargetPort":
        return TargetPort(self._target.hashing(checksum, sidecar, read_back=read_back), self._wrap, self._fate)

    def place(
        self, source: Any, entry: Any, target: Any, replace: bool, check: Callable[[int], None], *more: Any
    ) -> Any:
        number = self._fate.begin("target.place")

        def checked(count: int) -> None:
            self._fate.live()
            check(count)

        try:
            result = self._real.place(source, entry, target, replace, checked, *more)
        except Killed:
            above, _, name = target.relative.rpartition("/")
            half = Path(source.root, source.relative).read_bytes()[: entry.size // 2]
            Path(target.root, above, partial_name(name)).write_bytes(half)
            raise
        self._fate.end(number)
        return result


# --- what outlives a process ----------------------------------------------------------------------------------------


@dataclass
class Time:
    """The client's clock for pauses between attempts: sleeping is short, but the clock believes it was not."""

    skipped: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await anyio.sleep(min(seconds, 1.0) * 0.002)

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped


@dataclass
class House:
    """EM, shares, target and state folder, and the job that is run in it."""

    simulator: Simulator
    server: Server
    folder: Path
    job: Job
    wanted: Mapping[Path, Path]
    folders: tuple[Path, ...]
    limits: Mapping[str, Any]
    keep_alive: float = 240.0
    copy: Mapping[str, Any] = field(default_factory=lambda: {"durable": "none"})
    state: Path = Path()
    states: int = 0
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.state = self.folder / "state-0"

    @property
    def target(self) -> Path:
        return self.folder / "target"

    def config(self) -> Config:
        """As an operator would write it."""
        return Config.model_validate(
            {
                "enterprise_manager": {
                    "url": self.server.url,
                    "username": self.simulator.settings.username,
                    "password_env": "NOT_READ",
                    "ca_file": self.server.ca_file,
                    "keep_alive": self.keep_alive,
                    "request_timeout": 10,
                },
                "backup_servers": [
                    {"name": name, "shares": [str(share)]} for name, share in self.simulator.estate.shares.items()
                ],
                "limits": {**LIMITS, **self.limits},
                # A flush waits for everything that anybody writes to the disk; its own tests are in tests/rooms.
                "copy": dict(self.copy),
                "targets": {"allow": [str(self.target)]},
                "state": {"folder": self.state},
            }
        )

    def new_state(self, *, copy: bool = False) -> None:
        """From now on another state folder: an empty one, or what the dead process left on the disk."""
        old, self.states = self.state, self.states + 1
        self.state = self.folder / f"state-{self.states}"
        if copy and old.exists():
            shutil.copytree(old, self.state)

    def visible(self) -> list[Path]:
        """Files under final names."""
        return [path for path in self._files() if not path.name.endswith(PARTIAL_SUFFIX)]

    def partial(self) -> list[Path]:
        """Files under partial names."""
        return [path for path in self._files() if path.name.endswith(PARTIAL_SUFFIX)]

    def wrong(self) -> list[str]:
        """Files under final names that are not their source, byte for byte and to the nanosecond."""
        return [f"{path}: {difference}" for path in self.visible() if (difference := self._difference(path))]

    def missing(self) -> list[Path]:
        """What was wanted and is not there, folders too."""
        return [path for path in (*self.wanted, *self.folders) if not path.exists()]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.target.rglob("*") if path.is_file() or path.is_symlink())

    def _difference(self, path: Path) -> str:
        source = self.wanted.get(path)
        if source is None:
            return "nobody asked for it"
        ours, theirs = path.read_bytes(), source.read_bytes()
        if ours != theirs:
            return f"{len(ours)} bytes that differ from the source's {len(theirs)}"
        if path.stat().st_mtime_ns != source.stat().st_mtime_ns:
            return "another time of change"
        return ""


def build_estate(folder: Path) -> Estate:
    """Three machines, 17 files: empty, read-only, unicode, 3 MiB, deep, odd names, an empty folder. Blocking."""
    estate = Estate.empty(folder, ("vbr01", "vbr02"))
    deep = "/".join(f"level {number}" for number in range(1, 13))
    estate.add_machine(
        "fs01",
        points=[
            {
                "C:": {
                    "Windows/not wanted.dll": b"MZ",
                    "Shares/a #1;x.txt": b"one",
                    "Shares/Ünï/b+c 100%.txt": b"two" * 7000,
                    "Shares/empty.bin": b"",
                    "Shares/empty folder/": None,
                    "Shares/big.bin": bytes(range(256)) * (3 * MIB // 256),
                    "Shares/read only.txt": b"do not touch",
                    f"Shares/{deep}/deep.txt": b"deep",
                },
                "D:": {"Data/日本語.txt": b"d" * 100_000, "Data/x.txt": b"x", "Data/.hidden": b"h"},
            }
        ],
        folders={"C:": "Volume2", "D:": "Volume1"},
    )
    estate.add_machine(
        "app 1",
        os="linux",
        points=[{"/": {"etc/hosts": b"localhost", "srv/data/x y": b"x", "srv/data/Z": b"z", "srv/data/z": b"Z"}}],
    )
    files = {f"{number}/Akte {number}.docx": b"%d" % number * 3000 for number in range(4)}
    estate.add_machine("Büro-Ablage", backup_server="vbr02", points=[{"C:": {**files, "top.txt": b"t"}}])
    for machine in estate.machines:
        for volume in machine.points[-1].volumes:
            for path in estate.content(machine.points[-1], volume.root).rglob("read only*"):
                path.chmod(0o444)
    return estate


WANTED: Mapping[str, Mapping[str, str]] = {
    "fs01": {"C:\\Shares": "C:", "D:\\": "D:"},
    "app 1": {"/srv": "/"},
    "Büro-Ablage": {"*": "C:"},
}
"""What the job asks of each machine, and of which root that is."""


def job_of(estate: Estate, target: Path, wanted: Mapping[str, Mapping[str, str]] = WANTED) -> Job:
    """The job that asks for `wanted`."""
    entries = [
        {"vm": machine.name, "paths": list(wanted[machine.name]), "os": machine.os}
        for machine in estate.machines
        if machine.name in wanted
    ]
    return Job.model_validate({"name": "chaos", "defaults": {"to": f"{target}/{{vm}}"}, "restore": entries})


def copies_of(
    estate: Estate, target: Path, wanted: Mapping[str, Mapping[str, str]] = WANTED
) -> tuple[dict[Path, Path], tuple[Path, ...]]:
    """(target -> source of every file that is wanted, the target folders)."""
    found: dict[Path, Path] = {}
    folders: list[Path] = []
    for machine in estate.machines:
        for path, root in wanted.get(machine.name, {}).items():
            content = estate.content(machine.points[-1], root)
            home = target / safe_component(machine.name) / root.strip(":/")
            below = "" if path == "*" else path.removeprefix(root).replace("\\", "/").strip("/")
            for source in sorted((content / below).rglob("*")):
                copy = home / source.relative_to(content)
                if source.is_dir():
                    folders.append(copy)
                else:
                    found[copy] = source
    return found, tuple(folders)


@asynccontextmanager
async def house(
    estate: Estate,
    folder: Path,
    *faults: Fault,
    strict: bool = True,
    wanted: Mapping[str, Mapping[str, str]] = WANTED,
    limits: Mapping[str, Any] | None = None,
    keep_alive: float = 240.0,
    **settings: Any,
) -> AsyncIterator[House]:
    """A served simulator over `estate`, and everything beside it below `folder`."""
    asyncio.get_running_loop().set_exception_handler(_quiet_about_death)
    folder.mkdir(parents=True, exist_ok=True)
    simulator = Simulator(estate, replace(QUICK, **settings), faults)
    target = folder / "target"
    target.mkdir()
    copies, folders = copies_of(estate, target, wanted)
    with hurried():
        async with serving(simulator, strict=strict) as server:
            job = job_of(estate, target, wanted)
            yield House(simulator, server, folder, job, copies, folders, limits or {}, keep_alive)


def _quiet_about_death(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A death that strikes in a callback is raised in the thread that asked for it; the loop need not shout."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


@contextmanager
def hurried() -> Iterator[None]:
    """What waits for a real backup server waits less here. No behaviour changes, only durations and a progress step."""
    real_sleep = anyio.sleep

    async def nap(seconds: float) -> None:
        await real_sleep(min(seconds, 0.02))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(leases, "SETTLE", 0.1))
        stack.enter_context(mock.patch.object(leases, "sleep", nap))
        stack.enter_context(mock.patch.object(toll, "REPORT_BYTES", MIB))
        stack.enter_context(mock.patch.object(seal, "_derive", _derived))
        if health.PAUSE == _LONG_PAUSE:  # else the test has its own
            stack.enter_context(mock.patch.object(health, "PAUSE", 0.02))
        yield


_LONG_PAUSE = health.PAUSE
_derived = functools.lru_cache(seal._derive)
"""Deriving takes 50 ms and every process here has the same password."""


@functools.lru_cache
def _trust(ca_file: Path) -> Any:
    from orchestrator.config import EnterpriseManagerSettings

    return ssl_context(EnterpriseManagerSettings(url="https://em", username="x", password_env="X", ca_file=ca_file))


# --- a process --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class BoxedApp(roof.App):
    """The roof's rooms, each behind a proxy, with quick polling."""

    fate: Fate = field(default_factory=Fate)
    open_rooms: Sequence[Any] = ()

    def rooms(self) -> Rooms:
        rooms = roof.App(**{one.name: getattr(self, one.name) for one in fields(roof.App)}).rooms()
        settings = replace(rooms.settings, poll_first=0.002, poll_most=0.02)
        return replace(rooms, settings=settings)


Wrap = Callable[[str, Any], Any]
"""Puts something of a test's own in front of a room, given its name (client, source, target)."""


def boot(house: House, fate: Fate, wrap: Wrap) -> BoxedApp:
    """Fresh rooms on the state folder. Blocks, as it does before the event loop of a real process."""
    config = house.config()
    watch = SessionWatch(fate.emit, roof.now)
    client = Client(
        config.enterprise_manager,
        PASSWORD,
        ssl=_trust(house.server.ca_file),
        clock=roof.now,
        random=lambda: 0.5,
        sleep=house.time.sleep,
        monotonic=house.time.monotonic,
        on_renewed=watch.renewed,
        entropy=lambda count: SALT[:count] if count == len(SALT) else time.time_ns().to_bytes(count, "big"),
    )
    journal = open_journal(config.state.folder)
    target = LocalTarget(config.targets.allow, config.copying.checksum)
    return BoxedApp(
        config=config,
        client=Port(wrap("client", client), "client", fate),  # type: ignore[arg-type]
        journal=Port(journal, "journal", fate),  # type: ignore[arg-type]
        target=TargetPort(target, wrap, fate),  # type: ignore[arg-type]
        listen=fate.emit,
        watch=watch,
        fate=fate,
        source=Port(wrap("source", LocalSource()), "source", fate),  # type: ignore[arg-type]
        open_rooms=(journal, target),
    )


def shut(house: House, app: BoxedApp) -> None:
    """Close the rooms; a dead process leaves the state folder as it lies on the disk. Blocks."""
    if app.fate.dead:
        house.new_state(copy=True)
    for room in app.open_rooms:
        room.close()


Ended = list[roof.Finished] | None
"""What a process printed; None when it was killed."""


async def live(
    house: House,
    fate: Fate | None = None,
    *,
    resume: bool = False,
    run: str | None = None,
    wrap: Wrap = lambda name, room: room,
) -> Ended:
    """One process from start to end: `orchestrator run`, or `orchestrator resume` (of `run`, if it is named), which is
    `run` when there is nothing to be resumed."""
    fate = fate or Fate()
    app = await anyio.to_thread.run_sync(boot, house, fate, wrap)
    try:
        with mock.patch.object(roof, "stopped_from_outside", _obeying(fate)):
            ended = await _story(house, app, resume, run)
            demand_events_agree(fate, ended)
            return ended
    except BaseExceptionGroup as group:
        if group.split(Killed)[0] is None:
            raise
    except Killed:
        pass
    finally:
        await anyio.to_thread.run_sync(shut, house, app)
    _bury()
    return None


async def _story(house: House, app: BoxedApp, resume: bool, run: str | None) -> Ended:
    if resume:
        try:
            return [await roof.resume_run(app, run)]
        except WordsError:
            pass  # killed before the run began or after it ended
    return await roof.run_jobs(app, [roof.NamedJob(house.job, "chaos.toml", b"# chaos")], False)


def _bury() -> None:
    """What a dead process never closed is not told: a real one takes it along."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _obeying(fate: Fate) -> Callable[[roof.Listen, Path], Any]:
    """In place of the signals: the fate asks the stop itself."""

    @asynccontextmanager
    async def stopped(listen: roof.Listen, *_: Any) -> AsyncIterator[Stop]:
        fate.stop, fate.loop = Stop(listen, roof.now), asyncio.get_running_loop()
        yield fate.stop

    return stopped


# --- demands ----------------------------------------------------------------------------------------------------------


def report_of(ended: Ended) -> Report:
    """The report of a process that was not killed."""
    assert ended is not None, "the process was killed"
    assert len(ended) == 1
    assert ended[0].error is None, ended[0].error
    return ended[0].report


def demand_events_agree(fate: Fate, ended: Sequence[roof.Finished]) -> None:
    """Whoever folds the events of a process knows what the reports of its runs say, every number of it."""
    for one in ended:
        of_run = [event for event in fate.seen if getattr(event, "run", "") == one.report.run]
        told = sum((event.totals for event in of_run if isinstance(event, FilesDone)), Totals())
        assert told == one.report.totals, "the events do not add up to the report"
        tally = Tally()
        for event in of_run:
            tally.add(event)
        assert tally.totals == one.report.totals
        for group in one.report.groups:
            of_group = (event.totals for event in of_run if isinstance(event, FilesDone) and event.group == group.group)
            assert sum(of_group, Totals()) == group.totals, group.vm
        demand_metrics_agree(of_run, one.report)


def demand_metrics_agree(of_run: Sequence[Event], report: Report) -> None:
    """What is scraped after a run is what its report says: the counters less what other processes had settled before,
    the gauges of the last run as they are."""
    metrics, begun, earlier = Metrics("1", roof.now()), set[str](), Totals()
    for event in of_run:
        metrics.add(event)
        if isinstance(event, GroupStarted):
            begun.add(event.group)
        elif isinstance(event, FilesDone) and event.group not in begun:
            earlier = earlier + event.totals
    scraped, ours = exposed(metrics), report.totals - earlier
    for verdict in Verdict:
        kept = scraped.sum("files_total", verdict=verdict.value)
        kept -= scraped.sum("files_taken_back_total", verdict=verdict.value)
        assert kept == getattr(ours, verdict.value), verdict
        assert scraped.sum("last_run_files", verdict=verdict.value) == getattr(report.totals, verdict.value)
    assert scraped.sum("restored_bytes_total") == ours.bytes
    assert scraped.sum("last_run_restored_bytes") == report.totals.bytes
    assert scraped.by("last_run_problems", "reason") == report.problems_by_reason
    assert scraped.by("last_run_groups", "state") == Counter(group.state for group in report.groups)
    mounts = {"opened": report.mounts_opened, "deleted": report.mounts_deleted, "left": len(report.mounts_left)}
    assert scraped.by("last_run_mounts", "state") == {state: number for state, number in mounts.items() if number}
    assert scraped.sum("last_run_sessions") == report.sessions
    assert scraped.sum("last_run_remounts") == report.remounts
    assert scraped.sum("last_run_exit_code") == report.exit_code
    if any(isinstance(event, RunStarted) and not event.resumed for event in of_run):
        assert scraped.by("file_problems_total", "reason") == report.problems_by_reason
        assert scraped.sum("mounts_opened_total") == report.mounts_opened
        seen = {event.href for event in of_run if isinstance(event, MountOpened)}
        unseen = sum(isinstance(event, MountLeft) and event.href not in seen for event in of_run)
        gone = sum(scraped.sum(f"mounts_{how}_total") for how in ("deleted", "lost", "left_behind"))
        assert gone - unseen == report.mounts_opened


def demand_whole_files(house: House) -> None:
    """Nothing visible is half done or somebody else's."""
    assert house.wrong() == []


def demand_nothing_held(house: House) -> None:
    """EM holds no mount and no session of ours."""
    assert house.simulator.open_mounts() == []
    assert house.simulator.open_sessions() == []


def demand_everything_restored(house: House, ended: Ended, strays: int = 0) -> None:
    """Exit code 0, every file equal, nothing left over, nothing held at EM but `strays`: empty sessions that nobody
    could have known of."""
    report = report_of(ended)
    assert (report.exit_code, report.problems, report.mounts_left) == (0, (), ())
    assert house.missing() == []
    assert house.wrong() == []
    assert house.partial() == []
    assert house.simulator.open_mounts() == []
    assert len(house.simulator.open_sessions()) <= strays


async def demand_nothing_more_to_do(house: House, strays: int = 0) -> None:
    """A further run that knows nothing of the earlier ones copies nothing: the disk alone proves what is done."""
    house.new_state()
    ended = await live(house)
    demand_everything_restored(house, ended, strays)
    assert report_of(ended).totals == Totals(skipped=len(house.wanted))


async def stopped_and_resumed(house: House, fate: Fate) -> None:
    """The whole story of one stop, with every demand."""
    try:
        ended = await live(house, fate)
    except StoppedEarly:
        assert fate.how != "kill"
        assert house.visible() == []
        ended = None
    demand_whole_files(house)
    if fate.how != "kill":
        demand_nothing_held(house)
    if ended is not None:
        report = report_of(ended)
        assert report.mounts_left == ()
        assert report.exit_code in (0, 6)
        assert report.exit_code == 6 or not house.missing()
    again = await live(house, resume=True)
    # A process that dies before its first mount has told nobody of its logon; EM ends such a session when it is idle.
    strays = int(fate.dead and not fate.ended("journal.write_session"))
    demand_everything_restored(house, again, strays)
    if fate.how != "kill":  # what was done before an orderly stop is in the journal, every file of it
        assert report_of(again).totals.skipped in (0, len(house.wanted))
    await demand_nothing_more_to_do(house, strays)
