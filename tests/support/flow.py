"""The command line as a process, against a simulated Enterprise Manager over TLS in the test's own process."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

import orchestrator
from orchestrator.simulator import (
    Estate,
    EstateSpec,
    Fault,
    LogEntry,
    Machine,
    Server,
    Settings,
    Simulator,
    build_estate,
    serving,
)
from orchestrator.simulator.faults import FaultScript
from tests.support.warm import WARM, Warm

PASSWORD = "Kranich7-unter-Eis"
PARTIAL = ".orchestrator-partial"
QUICK = Settings(password=PASSWORD, task_seconds=0.02, operation_finished_seconds=0.01)
GLANCE = 0.003
"""Seconds between two looks at something that another process does."""

Process = asyncio.subprocess.Process | Warm

Tree = dict[str, tuple[str, int] | None]
"""Relative path -> (SHA-256, mtime_ns) of a file, None for a folder."""


def tree(folder: Path) -> Tree:
    """Everything below `folder`; empty when it does not exist."""
    found: Tree = {}
    for place, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(f"{place}/{name}", folder)] = None
        for name in files:
            path = f"{place}/{name}"
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[os.path.relpath(path, folder)] = (digest, os.stat(path).st_mtime_ns)
    return found


def files_of(found: Tree) -> Tree:
    """The files of a tree, without its folders."""
    return {path: file for path, file in found.items() if file is not None}


def copies(estate: Estate, machine: Machine, *guest: str, point: int = -1, to: str | None = None) -> Tree:
    """What restoring `guest` paths (`C:`, `D:/Data`, `/srv`; none: everything but reserved partitions) must leave
    below the target, when the job says `to = ".../{vm}"` (or ends in `to`)."""
    chosen = machine.points[point]
    found: Tree = {}
    for path in guest or [volume.root for volume in chosen.volumes if not volume.root.startswith("Volume$")]:
        root, _, below = ("/", "", path.strip("/")) if path.startswith("/") else path.partition("/")
        top = f"{machine.name if to is None else to}/{root.strip(':/')}".strip("/")
        wanted = f"{top}/{below}".strip("/")
        source = tree(estate.content(chosen, root))
        everything = {f"{top}/{name}".strip("/"): file for name, file in source.items()}
        inside = f"{wanted}/".lstrip("/")
        found |= {name: file for name, file in everything.items() if name == wanted or name.startswith(inside)}
        found |= dict.fromkeys(_above(wanted if everything.get(wanted) is None else os.path.dirname(wanted)))
    return found


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1) if path]


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def everything(self) -> str:
        return self.out + self.err


@dataclass
class Command:
    """A process that is running, and the events it appends to a file."""

    process: "Process"
    events_file: Path
    flow: "Flow"

    def events(self) -> list[dict[str, Any]]:
        """Every whole event so far."""
        text = self.events_file.read_text() if self.events_file.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    async def event(self, name: str, **facts: object) -> dict[str, Any]:
        """The first event of that name with these facts, waited for. AssertionError when the process ends first."""
        while True:
            ended = self.process.returncode is not None
            for event in self.events():
                if event["event"] == name and facts.items() <= event.items():
                    return event
            assert not ended, f"the process ended without {name} {facts}:\n{(await self.done()).everything}"
            await anyio.sleep(GLANCE)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until `holds`. AssertionError when the process ends first."""
        while not holds():
            assert self.process.returncode is None, (await self.done()).everything
            await anyio.sleep(GLANCE)

    def signal(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            self.process.send_signal(number)

    async def done(self) -> Done:
        """Its end, waited for."""
        out, err = await self.process.communicate()
        done = Done(self.process.returncode or 0, out.decode(), err.decode())
        self.flow.said.append(done.everything)
        if self.events_file.exists():
            self.flow.said.append(self.events_file.read_text())
        assert "Traceback" not in done.everything, done.everything
        return done


@dataclass
class Flow:
    """One estate, one simulator, one config; `said` is all that the processes have written for people."""

    folder: Path
    simulator: Simulator
    server: Server
    said: list[str] = field(default_factory=list)
    started: list[Command] = field(default_factory=list)

    @property
    def estate(self) -> Estate:
        return self.simulator.estate

    @property
    def target(self) -> Path:
        return self.folder / "restored"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def configure(self, **sections: Any) -> None:
        """Write config.toml; a table given here is laid over the one that fits the simulator."""
        config: dict[str, Any] = {
            "enterprise_manager": {
                "url": self.server.url,
                "username": self.simulator.settings.username,
                "password_env": "EM_PASSWORD",
                "ca_file": str(self.server.ca_file),
                "retry_for": 2,
            },
            "backup_servers": [{"name": name, "shares": [str(at)]} for name, at in self.estate.shares.items()],
            "limits": {"folder_timeout": 5, "unmount_timeout": 10, "mount_timeout": 10, "poll_interval": 0.05},
            # A flush waits for everything that anybody writes to the disk; its own tests are in tests/rooms.
            "copy": {"durable": "none"},
            "targets": {"allow": [str(self.target)]},
            "state": {"folder": "state"},
        }
        for name, section in sections.items():
            known = config.get(name)
            config[name] = {**known, **section} if isinstance(known, dict) else section
            if isinstance(config[name], dict):
                config[name] = {key: value for key, value in config[name].items() if value is not None}
        (self.folder / "config.toml").write_text(toml(config))

    def job(self, *entries: Mapping[str, Any], name: str = "job", **defaults: Any) -> str:
        """Write `<name>.toml`; without entries every machine whole. The name of the file."""
        chosen = entries or [entry_of(machine) for machine in self.estate.machines]
        table = {
            "name": name,
            "defaults": {"to": str(self.target / "{vm}"), **defaults},
            "restore": [{key: value for key, value in one.items() if value is not None} for one in chosen],
        }
        (self.folder / f"{name}.toml").write_text(toml(table))
        return f"{name}.toml"

    async def start(
        self, *words: str, env: Mapping[str, str] | None = None, events: bool = True, cold: bool = False
    ) -> Command:
        """Start `orchestrator <words>` in the flow's folder; `run`, `resume` and `watch` write an events file. `cold`,
        or when the interpreter is told anything, it is an interpreter of its own from its first instruction."""
        events_file = self.folder / f"events-{len(self.started)}.jsonl"
        command = next((word for word in words if word in ("run", "resume", "watch")), None)
        more = ["--events", str(events_file)] if command and events and "--events" not in words else []
        around = {**clean_environment(self.folder), **(env or {})}
        process: Process
        if cold or not WARM or any(name.startswith("PYTHON") for name in env or {}):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "orchestrator", *words, *more, cwd=self.folder, env=around,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        else:
            process = await Warm.start(*words, *more, cwd=self.folder, env=around)
        self.started.append(Command(process, events_file, self))
        return self.started[-1]

    async def run(
        self, *words: str, env: Mapping[str, str] | None = None, events: bool = True, cold: bool = False
    ) -> Done:
        """Run `orchestrator <words>` to its end."""
        return await (await self.start(*words, env=env, events=events, cold=cold)).done()

    def drop(self, content: str | bytes, name: str) -> Path:
        """Drop a job as a careful program does: written under another name and then renamed."""
        incoming = self.folder / "jobs" / "incoming"
        draft = incoming / f".{name}.tmp"
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(draft, incoming / name)
        return incoming / name

    def ended(self, where: str = "done") -> dict[str, str]:
        """The one-line reasons of jobs that have ended, by the name they were dropped under, without its ending."""
        folder = self.folder / "jobs" / where
        found = {}
        for file in folder.glob("*.reason.txt"):
            jobs = [file.with_name(file.name.replace(".reason.txt", ending)) for ending in (".toml", ".json")]
            if any(job.exists() for job in jobs):
                found[file.name.split(".")[0]] = file.read_text()
        return found

    def restored(self) -> Tree:
        return tree(self.target)

    def expected(self, *machines: Machine) -> Tree:
        """What restoring whole machines must leave; without names, all of them."""
        found: Tree = {}
        for machine in machines or self.estate.machines:
            found |= copies(self.estate, machine)
        return found

    def machine(self, name: str) -> Machine:
        return next(one for one in self.estate.machines if one.name == name)

    def requests(self) -> list[LogEntry]:
        return self.simulator.log

    def count(self, route: str) -> int:
        """How often a route was asked for."""
        return sum(1 for entry in self.simulator.log if entry.route == route)

    def lift_faults(self) -> None:
        """From now on nothing goes wrong; every fault so far must have fired."""
        assert self.simulator.unfired() == []
        self.simulator._script = FaultScript(())

    async def settled(self) -> None:
        """Wait until the disks of mounts that were given back are off; the timeout of the test is the deadline."""
        while self.simulator.open_mounts():  # noqa: ASYNC110 - the simulator is watched from outside
            await anyio.sleep(GLANCE)

    def assert_nothing_left(self) -> None:
        """No mount, no session, no folder on a share, no partial file."""
        assert self.simulator.open_mounts() == []
        assert [one.label for one in self.simulator.open_sessions()] == []
        assert [path for path in self.restored() if PARTIAL in path] == []

    def assert_untouched(self) -> None:
        """Nothing was mounted and nothing written."""
        assert self.simulator.mounts_made == 0
        assert self.restored() == {}
        self.assert_nothing_left()

    def report(self) -> Any:
        """report.json of the newest run."""
        newest = max((self.state / "runs").iterdir(), key=lambda one: (one.stat().st_ctime_ns, one.name))
        return json.loads((newest / "report.json").read_text())

    def assert_no_secret_was_told(self) -> None:
        """Neither password nor session is in any output, nor in any file but the configuration's own."""
        sessions = self.simulator.enterprise.sessions.all
        secrets = [PASSWORD, *(one.id for one in sessions), *(one.token for one in sessions)]
        texts = {"output": "\n".join(self.said).encode()}
        texts |= {str(file): file.read_bytes() for file in self.state.rglob("*") if file.is_file()}
        told = [(where, secret) for where, text in texts.items() for secret in secrets if secret.encode() in text]
        assert told == []


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of the tester's own, but the password; the process runs the code that the test has imported."""
    code = str(Path(orchestrator.__file__).parent.parent)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": code,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "EM_PASSWORD": PASSWORD,
    }


def entry_of(machine: Machine, **more: Any) -> dict[str, Any]:
    """A job entry for a whole machine."""
    roots = [volume.root for volume in machine.points[-1].volumes if not volume.root.startswith("Volume$")]
    entry: dict[str, Any] = {"vm": machine.name, "paths": [root if root == "/" else f"{root}\\" for root in roots]}
    if machine.os == "linux":
        entry["os"] = "linux"
    return {**entry, **more}


@asynccontextmanager
async def flow(
    folder: Path, build: Callable[[Path], Estate], *faults: Fault, strict: bool = True, **settings: Any
) -> AsyncIterator[Flow]:
    """A served simulator over the estate that `build` makes, and a config that fits it. At the end every process is
    over, and no secret was told."""
    estate = await anyio.to_thread.run_sync(build, folder / "em")
    simulator = Simulator(estate, replace(QUICK, **settings), faults)
    async with serving(simulator, strict=strict) as server:
        made = Flow(folder, simulator, server)
        made.target.mkdir()
        made.configure()
        try:
            yield made
            made.assert_no_secret_was_told()
        finally:
            for command in made.started:
                if command.process.returncode is None:
                    command.process.kill()
                    await command.process.communicate()


def seeded(machines: int = 12, files: int = 400, **more: Any) -> Callable[[Path], Estate]:
    """Builds a seeded estate with odd names, deep paths, old times and large files."""
    return lambda folder: build_estate(folder, EstateSpec(machines=machines, files=files, **{"points": 2, **more}))


def small(folder: Path) -> Estate:
    """A Windows machine of two restore points and a Linux machine, on one backup server."""
    estate = Estate.empty(folder)
    elder = {"Shares/plan.txt": b"elder plan", "Shares/gone since.txt": b"gone"}
    newest: dict[str, bytes | None] = {
        "Shares/plan.txt": b"newest plan!",
        "Shares/Finance/a.xlsx": b"spreadsheet",
        "Shares/Finance/b.docx": b"document",
        "Shares/Finance/~$b.docx": b"lock",
        "Shares/Finance/Temp/c.xlsx": b"scratch",
        "Shares/empty/": None,
        "top.txt": b"top",
    }
    estate.add_machine(
        "fs01",
        points=[{"C:": elder, "D:": {"Data/d.txt": b"D"}}, {"C:": newest, "D:": {"Data/d.txt": b"D"}}],
        folders={"C:": "Volume2", "D:": "Volume1"},
    )
    estate.add_machine("lx01", os="linux", points=[{"/": {"etc/hosts": b"127.0.0.1", "srv/data/x y.txt": b"x"}}])
    return estate


def toml(table: Mapping[str, Any]) -> str:
    """TOML of tables of tables; proved by reading it again."""
    lines: list[str] = []
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in table.items() if _is_tables(value)}
    lines += [f"{key} = {_value(value)}" for key, value in table.items() if key not in tables and key not in arrays]
    for key, inner in tables.items():
        lines += [f"[{key}]", *(f"{name} = {_value(value)}" for name, value in inner.items())]
    for key, inners in arrays.items():
        for inner in inners:
            lines += [f"[[{key}]]", *(f"{name} = {_value(value)}" for name, value in inner.items())]
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


def _is_tables(value: object) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _value(value: Any) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bool() | int() | float():
            return json.dumps(value)
        case Mapping():
            return "{ " + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
