"""A night in which somebody follows the runbook: a terminal, a service, and an Enterprise Manager that may be away.

The page speaks of a host with `/etc/orchestrator`, `/var/lib/orchestrator`, `/restore` and `/mnt/vbr01`. Here these lie
below a temporary folder, and every name is turned into the other's on its way in and out.
"""

import asyncio
import re
import shutil
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from orchestrator.simulator import Estate, Fault
from tests.support.flow import GLANCE, PASSWORD, Flow, clean_environment, flow
from tests.support.runbook import Chapter, Happens, Saved, Typed, canonical, shows
from tests.support.warm import CLIENT, Warm, server

EM = "em.example.com:9398"
WATCH = {"settle": 0.05, "poll": 0.1, "retry_after": 0.2}
QUICKLY = {"folder_timeout": 10, "unmount_timeout": 10, "mount_timeout": 10, "poll_interval": 0.05, "grace": 1}

STAND_IN = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\n' "{name} $*" >&3
while IFS= read -r line <&3; do
    case $line in
    "exit "*) exit "${{line#exit }}" ;;
    *) printf '%s\\n' "$line" ;;
    esac
done
"""
"""systemctl and journalctl of the page: they ask the test, which keeps the service."""

SUDO = """#!/bin/bash
[ "$1" = -u ] && shift 2
exec "$@"
"""

ASKS = """#!/bin/bash
IFS= read -r answer
printf %s "$answer"
"""

CURL = """#!{python} -ISE
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[-1])
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""
"""Where there is no curl."""

# A terminal keeps its variables from one block of commands to the next.
TERMINAL = """set -ea
. "$HOME/.terminal"
trap 'export -p > "$HOME/.terminal"' EXIT
"""


class Gate:
    """The way to the simulator, which can be shut: then nobody listens, as when a service is down."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Listen, always at the same port."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Nobody listens any more, and what was open is broken."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, further = await asyncio.open_connection("127.0.0.1", self._behind)
        self._open |= {writer, further}
        try:
            await asyncio.gather(_pump(reader, further), _pump(there, writer))
        finally:
            self._open -= {writer, further}
            writer.transport.abort()
            further.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


class Service:
    """The unit `orchestrator` as systemd would keep it: `orchestrator watch`, its log, and what became of it."""

    def __init__(self, night: "Night") -> None:
        self._night = night
        self._process: Warm | None = None
        self.log = night.home / ".log"
        self.log.touch()
        self._read = 0

    @property
    def state(self) -> str:
        """What `systemctl is-active` says."""
        if self._process is None:
            return "inactive"
        code = self._process.returncode
        return "active" if code is None else "inactive" if code == 0 else "failed"

    async def start(self) -> bool:
        """Start it; whether it came to be ready."""
        begun = self.log.stat().st_size
        with self.log.open("ab") as log:
            config = str(self._night.em.folder / "config.toml")
            self._process = await Warm.start(
                "--config", config, "watch", cwd="/", env=self._night.environment(), stdout=log, stderr=log
            )
        while b"watching " not in self.log.read_bytes()[begun:]:
            if self._process.returncode is not None:
                return False
            await anyio.sleep(GLANCE)
        return True

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait for that."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def told(self, text: str) -> None:
        """Wait until the log has `text` in a line that nobody has waited for yet."""
        while (found := self.log.read_text("utf-8").find(text, self._read)) < 0:
            assert self.state == "active", f"the service ended without {text!r}:\n{self.log.read_text()}"
            await anyio.sleep(GLANCE)
        self._read = found + len(text)

    async def asked(self, words: list[str]) -> tuple[str, int]:
        """What systemctl or journalctl prints, and its exit code."""
        match words:
            case ["systemctl", "is-active", "orchestrator"]:
                return self.state, 0 if self.state == "active" else 3
            case ["systemctl", "start" | "restart" as verb, "orchestrator"]:
                if verb == "restart":
                    await self.stop()
                if self.state != "active" and not await self.start():
                    return "Job for orchestrator.service failed because the control process exited with error code.", 1
                return "", 0
            case ["systemctl", "stop", "orchestrator"]:
                await self.stop()
                return "", 0
            case ["journalctl", "-t", "orchestrator", "-o", "cat", "-n", number]:
                return "\n".join(self.log.read_text("utf-8").splitlines()[-int(number) :]), 0
        return f"the stand-in for systemd does not know: {' '.join(words)}", 1


@dataclass
class Night:
    """One world. `now` has what may happen in it besides what the reader does, by name."""

    em: Flow
    gate: Gate
    home: Path
    bin: Path
    now: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)
    """Variables of every process."""
    config: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Further addresses: on the page, and here."""
    stack: ExitStack = field(default_factory=ExitStack)
    """What is undone at the end."""

    def __post_init__(self) -> None:
        self.service = Service(self)
        self.more["ORCHESTRATOR_CONFIG"] = str(self.em.folder / "config.toml")
        self.now |= {"em-down": self.gate.shut, "em-up": self.gate.open}
        self.configure()

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Write the config; tables given here are laid over what stood there."""
        base: dict[str, Any] = {
            "enterprise_manager": {"url": f"https://127.0.0.1:{self.gate.port}", "retry_for": 0.3},
            "limits": QUICKLY,
            "watch": WATCH,
        }
        for name, section in [*base.items(), *self.config.items(), *sections.items()]:
            known = base.get(name, {})
            base[name] = {**known, **section} if isinstance(section, Mapping) else section
        self.config = base
        self.em.configure(**base)

    def forget(self, section: str, key: str) -> None:
        """Write the config without one key."""
        del self.config[section][key]
        self.configure()

    def environment(self) -> dict[str, str]:
        """What a process of this host finds around itself."""
        clean = clean_environment(self.home)
        return {**clean, "PATH": f"{self.bin}:{clean['PATH']}", "PYTHONDONTWRITEBYTECODE": "1", **self.more}

    def patch(self, code: str) -> None:
        """Python that every process of this host runs before anything else."""
        patch = self.home / ".patch.py"
        with patch.open("a", encoding="utf-8") as file:
            file.write(f"{textwrap.dedent(code)}\n")
        self.more["PATCH"] = str(patch)

    def port(self, told: str) -> int:
        """A port that is free; `told` is the address that it stands for on the page."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = int(taken.getsockname()[1])
        self.addresses[told] = f"127.0.0.1:{port}"
        return port

    # --- names ---

    @property
    def _places(self) -> list[tuple[str, str]]:
        """(name on the page, name here); the longest names first."""
        shares = [(f"/mnt/{name}", str(at)) for name, at in self.em.estate.shares.items()]
        shares += [(f"/mnt/{name}", str(one.share)) for name, one in self.em.estate.mount_hosts.items()]
        folder = str(self.em.folder)
        return [
            *shares,
            ("/restore", str(self.em.target)),
            ("/etc/orchestrator", f"{folder}/etc"),
            ("/var/lib/orchestrator", folder),
            (EM, f"127.0.0.1:{self.gate.port}"),
            *self.addresses.items(),
            ("~", str(self.home)),
        ]

    def here(self, text: str) -> str:
        """Words of the page as they are meant here."""
        text = text.replace("/etc/orchestrator/config.toml", str(self.em.folder / "config.toml"))
        for told, real in self._places[:-1]:
            text = re.sub(rf"(?<![\w.-]){re.escape(told)}(?![\w-])", lambda _, to=real: to, text)
        return re.sub(r"\bRUN\b", self._newest_run(), text)

    def there(self, text: str) -> str:
        """What is shown here in the words of the page."""
        text = text.replace(str(self.em.folder / "config.toml"), "/etc/orchestrator/config.toml")
        for told, real in self._places:
            text = text.replace(real, told)
        return text

    # --- the reader ---

    async def read(self, chapter: Chapter) -> list[str]:
        """Do what a chapter says. What was not as it says, one text each."""
        wrong: list[str] = []
        running: list[tuple[Typed, asyncio.subprocess.Process]] = []

        async def ended() -> None:
            for step, process in running:
                wrong.extend(await self._seen(step, process))
            running.clear()

        self.now["it has ended"] = ended
        for step in chapter.steps:
            match step:
                case Saved():
                    (self.home / step.name).write_text(self.here(step.text) + "\n")
                case Happens(what=what):
                    await self._happens(what)
                case Typed() if step.executed:
                    process = await self._type(step)
                    if step.runs_on:
                        running.append((step, process))
                    else:
                        wrong += await self._seen(step, process)
        await ended()
        return wrong

    async def _happens(self, what: str) -> None:
        if what.startswith("log: "):
            await self.service.told(self.here(what.removeprefix("log: ")))
        else:
            await self.now[what]()

    async def _type(self, step: Typed) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", TERMINAL + self.here(step.text), cwd=self.home, env=self.environment(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(f"{PASSWORD}\n".encode())  # for a command that asks for it
        process.stdin.close()
        return process

    def _newest_run(self) -> str:
        runs = self.em.state / "runs"
        found = sorted(runs.iterdir(), key=lambda one: one.stat().st_ctime_ns) if runs.is_dir() else []
        return found[-1].name if found else ""

    async def _seen(self, step: Typed, process: asyncio.subprocess.Process) -> list[str]:
        output, _ = await process.communicate()
        text = output.decode()
        self.em.said.append(text)
        actual = self.there(text)
        wrong = []
        if process.returncode != step.code:
            wrong.append(f"exit code {process.returncode}, not {step.code}")
        if not shows(step.seen, actual):
            wrong.append(f"shown:\n{actual}\nthe page says:\n{step.seen}\ncompared:\n{canonical(actual)}")
        return [f"line {step.line}: {step.text}\n" + "\n".join(wrong)] if wrong else []


@asynccontextmanager
async def night(folder: Path, build: Callable[[Path], Estate], *faults: Fault, **settings: Any) -> AsyncIterator[Night]:
    """A night over an estate. At its end nothing of it runs any more."""
    home, commands = folder / "home", folder / "bin"
    for one in (home, commands, folder / "host" / "etc"):
        one.mkdir(parents=True)
    (home / ".terminal").touch()
    async with flow(folder / "host", build, *faults, strict=False, **settings) as em:
        gate = Gate(int(em.server.url.rpartition(":")[2]))
        await gate.open()
        made = Night(em, gate, home, commands)
        async with await asyncio.start_server(_answering(made.service), "127.0.0.1", 0) as desk:
            port = desk.sockets[0].getsockname()[1]
            scripts = {name: STAND_IN.format(port=port, name=name) for name in ("systemctl", "journalctl")}
            if shutil.which("curl") is None:
                scripts["curl"] = CURL.format(python=sys.executable)
            scripts |= {
                "systemd-ask-password": ASKS,
                "sudo": SUDO,
                "orchestrator": CLIENT.format(python=sys.executable, socket=server()),
            }
            for name, script in scripts.items():
                (commands / name).write_text(script)
                (commands / name).chmod(0o755)
            try:
                with made.stack:
                    yield made
            finally:
                await made.service.stop(signal.SIGKILL)
                await gate.shut()


def _answering(service: Service) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text, code = await service.asked((await reader.readline()).decode().split())
        writer.write(f"{text}\nexit {code}\n".encode() if text else f"exit {code}\n".encode())
        await writer.drain()
        writer.close()

    return answer
