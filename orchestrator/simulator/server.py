"""Serving a simulator over TLS for as long as a `with` block lasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from anyio import CancelScope, current_time, to_thread

from orchestrator.simulator.box import Simulator
from orchestrator.simulator.certificate import identity_in

_SHUTDOWN_SECONDS = 0.05
_CLEAN_UP_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """Where it listens, and how a client proves that it is this one."""

    url: str
    ca_file: Path
    fingerprint_sha256: str


@asynccontextmanager
async def serving(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, strict: bool = True
) -> AsyncIterator[Server]:
    """Serve; port 0 takes a free one. At the end hangs are released and the shares cleared, while the books
    (`open_mounts`, `log`) stay as they were.

    Raises AssertionError at the end, unless another exception is in flight, for bugs of the simulator, and if
    `strict` for faults that never fired.
    """
    identity = await to_thread.run_sync(
        identity_in, simulator.estate.folder / "tls", simulator.settings.certificate_days
    )
    context = await to_thread.run_sync(identity.context)
    if simulator.settings.stale_folders:
        await to_thread.run_sync(simulator.estate.put_stale_folders)
    runner = web.ServerRunner(web.Server(simulator.handle), shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        bound = runner.addresses[0][1]
        shown = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 - compared, not bound
        yield Server(f"https://{shown}:{bound}", identity.ca_file, identity.fingerprint_sha256)
    finally:
        with CancelScope(shield=True, deadline=current_time() + _CLEAN_UP_SECONDS):
            await _stop(simulator, runner)
    _check(simulator, strict=strict)  # not reached while another exception is in flight


async def _stop(simulator: Simulator, runner: web.ServerRunner) -> None:
    simulator.stopping.set()
    await runner.cleanup()
    await simulator.enterprise.desk.close()
    await simulator.enterprise.background.stop()


def _check(simulator: Simulator, *, strict: bool) -> None:
    bugs = [repr(bug) for bug in (*simulator.bugs, *simulator.enterprise.background.errors)]
    if bugs:
        raise AssertionError(f"The simulator itself failed: {'; '.join(bugs)}")
    if strict and simulator.unfired():
        raise AssertionError(f"Faults that never fired: {simulator.unfired()}")
