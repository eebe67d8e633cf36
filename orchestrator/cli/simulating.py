"""`orchestrator simulate`: Enterprise Manager in a box, for trying things out and for tests."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator.cli.speaking import say
from orchestrator.core.errors import WordsError


def serve_simulator(
    folder: Annotated[Path, typer.Option("--folder", help="Where the estate, config.toml and job.toml go.")] = Path(
        "simulated"
    ),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 9398,
    machines: Annotated[int, typer.Option("--machines", min=1, help="Machines in the estate.")] = 12,
    files: Annotated[int, typer.Option("--files", min=1, help="Files in the newest restore points, together.")] = 5000,
    servers: Annotated[int, typer.Option("--backup-servers", min=1, help="Backup servers.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same estate.")] = 1,
    task_seconds: Annotated[float, typer.Option("--task-seconds", min=0, help="How long a mount takes.")] = 0.5,
    idle_timeout: Annotated[float, typer.Option("--idle-timeout", min=0.1, help="Idle limit of a session.")] = 900.0,
    log: Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Append every request as a line.")] = None,
) -> None:
    """Serve a simulated Enterprise Manager over TLS, with real folders, until Ctrl-C.

    \b
    orchestrator simulate --folder /tmp/em
    orchestrator --config /tmp/em/config.toml run /tmp/em/job.toml
    """
    # Here, because no other command needs an Enterprise Manager, and it takes its memory for as long as they live.
    from orchestrator.simulator import EstateSpec, Settings, simulate

    spec = EstateSpec(seed=seed, backup_servers=servers, machines=machines, files=files)
    settings = Settings(task_seconds=task_seconds, idle_timeout=idle_timeout)

    async def serve() -> None:
        _cancel_on_signals()
        with suppress(asyncio.CancelledError):
            await simulate(
                folder, spec, settings, host=host, port=port, log_file=log, write_config=True, announce=_announce
            )

    try:
        anyio.run(serve)
    except OSError as cause:
        raise WordsError(what=f"the simulator cannot be served from {folder} on {host}:{port}: {cause}") from cause


def _cancel_on_signals() -> None:
    """Ctrl-C and a service manager's SIGTERM both end the simulator in order."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows has no handlers of the loop; Ctrl-C works there as it is
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _announce(line: str) -> None:
    """One line on stdout at once: whoever started this process waits for it."""
    say(line)
    sys.stdout.flush()
