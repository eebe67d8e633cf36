"""Enterprise Manager as a process: build or reuse an estate, write what an operator needs, serve until stopped."""

import dataclasses
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from anyio import CancelScope, sleep_forever, to_thread

from orchestrator.simulator.box import LogEntry, Simulator
from orchestrator.simulator.estate import Estate
from orchestrator.simulator.populate import EstateSpec, build_estate
from orchestrator.simulator.rendering import render_config, render_job
from orchestrator.simulator.server import Server, serving
from orchestrator.simulator.settings import Settings


async def simulate(
    folder: Path,
    spec: EstateSpec,
    settings: Settings,
    *,
    host: str,
    port: int,
    log_file: Path | None,
    write_config: bool,
    announce: Callable[[str], None],
) -> None:
    """Serve until cancelled. Below `folder`: the estate, and `config.toml`, `job.toml`, `em-password` if wanted.

    `announce` is called with one line at a time: the URL, then the two commands to type. Each request is
    appended to `log_file` as a line of JSON. Raises FileExistsError if the folder holds something else.
    """
    folder = await to_thread.run_sync(folder.absolute)
    estate = await to_thread.run_sync(build_estate, folder, spec)
    # A server that was killed leaves its mounts in the shares; nobody holds them any more.
    await to_thread.run_sync(estate.clear)
    log = None if log_file is None else await to_thread.run_sync(_RequestLog, log_file)
    simulator = Simulator(estate, settings, tell=None if log is None else log.tell)
    try:
        async with serving(simulator, host, port, strict=False) as server:
            await _announce(estate, settings, server, write_config, announce)
            await sleep_forever()
    finally:
        if log is not None:
            with CancelScope(shield=True):
                await to_thread.run_sync(log.close)


async def _announce(
    estate: Estate, settings: Settings, server: Server, write_config: bool, announce: Callable[[str], None]
) -> None:
    if write_config:
        await to_thread.run_sync(_write_files, estate, settings, server)
    announce(f"Simulated Enterprise Manager at {server.url} (CA: {server.ca_file})")
    if write_config:
        config, job = (shlex.quote(str(estate.folder / name)) for name in ("config.toml", "job.toml"))
        announce(f"orchestrator --config {config} plan {job}")
        announce(f"orchestrator --config {config} run {job}")


class _RequestLog:
    """Appends each request as a line of JSON, in a thread of its own: no request waits for the disk, and none that was
    told is lost when the server is stopped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: SimpleQueue[LogEntry | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="request log", daemon=True)
        self._thread.start()

    def tell(self, entry: LogEntry) -> None:
        """Take an entry; never waits."""
        self._entries.put(entry)

    def close(self) -> None:
        """Return when everything that was told is written. Blocks."""
        self._entries.put(None)
        self._thread.join()

    def _write(self) -> None:
        with self._file.open("a", encoding="utf-8", buffering=1) as file:
            while (entry := self._entries.get()) is not None:
                file.write(f"{_as_json(entry)}\n")


def _as_json(entry: LogEntry) -> str:
    return json.dumps({**dataclasses.asdict(entry), "at": entry.at.isoformat()}, ensure_ascii=False)


def _write_files(estate: Estate, settings: Settings, server: Server) -> None:
    folder = estate.folder
    password_file = folder / "em-password"
    password_file.touch(mode=0o600)
    password_file.write_text(settings.password + "\n", "utf-8")
    restored = folder / "restored"
    restored.mkdir(exist_ok=True)
    config = render_config(
        url=server.url,
        username=settings.username,
        password_file=password_file,
        ca_file=server.ca_file,
        shares=estate.shares,
        targets=[restored],
        state=folder / "state",
    )
    (folder / "config.toml").write_text(config, "utf-8")
    (folder / "job.toml").write_text(render_job(estate.machines, to=f"{restored}/{{vm}}"), "utf-8")
