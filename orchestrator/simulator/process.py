"""Enterprise Manager as a process: build or reuse an estate, write what an operator needs, serve until stopped."""

import asyncio
import dataclasses
import json
import shlex
from collections.abc import Callable
from pathlib import Path

from anyio import CancelScope, to_thread

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
    lines: asyncio.Queue[LogEntry] = asyncio.Queue()
    simulator = Simulator(estate, settings, tell=None if log_file is None else lines.put_nowait)
    async with serving(simulator, host, port, strict=False) as server:
        if write_config:
            await to_thread.run_sync(_write_files, estate, settings, server)
        announce(f"Simulated Enterprise Manager at {server.url} (CA: {server.ca_file})")
        if write_config:
            config, job = shlex.quote(str(folder / "config.toml")), shlex.quote(str(folder / "job.toml"))
            announce(f"orchestrator --config {config} plan {job}")
            announce(f"orchestrator --config {config} run {job}")
        try:
            await _keep_log(lines, log_file)
        finally:
            with CancelScope(shield=True):
                await _write_lines(log_file, _waiting(lines))


async def _keep_log(lines: asyncio.Queue[LogEntry], log_file: Path | None) -> None:
    while True:
        await _write_lines(log_file, [await lines.get(), *_waiting(lines)])


def _waiting(lines: asyncio.Queue[LogEntry]) -> list[LogEntry]:
    return [lines.get_nowait() for _ in range(lines.qsize())]


async def _write_lines(log_file: Path | None, entries: list[LogEntry]) -> None:
    if log_file is not None and entries:
        await to_thread.run_sync(_append, log_file, "".join(f"{_as_json(entry)}\n" for entry in entries))


def _append(log_file: Path, text: str) -> None:
    with log_file.open("a", encoding="utf-8") as file:
        file.write(text)


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
