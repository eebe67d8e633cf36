"""The main job end to end: a simulated Enterprise Manager over TLS, in this process; then the same job once more."""

import time
from pathlib import Path

import anyio
from anyio import Event, create_task_group, to_thread

from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.app import App, Finished, NamedJob, opened, run_jobs
from orchestrator.cli.tasks import read_jobs
from orchestrator.config import load_config
from orchestrator.core.ledger import Totals
from orchestrator.core.tally import Tally
from orchestrator.simulator import EstateSpec, Settings, build_estate, simulate

MACHINES = 12
TASK_SECONDS = 0.2
"""How long the simulator takes for a mount; a real backup server takes 10 to 60 seconds."""


def end_to_end(places: Places, quick: bool) -> None:
    """Files per second of the first run, and of the second, which finds everything at its place."""
    spec = EstateSpec(machines=MACHINES, files=2_000 if quick else 20_000, points=1)
    rows = []
    for kind, place in places.all():
        folder = place / "end-to-end"
        build_estate(folder, spec)
        first, again = anyio.run(_two_runs, spec, folder)
        rows.append(_row(f"first run, {kind}", first[0].restored, first[1]))
        rows.append(_row(f"again, {kind}", again[0].skipped, again[1]))
    head = ("end to end", "files", "s", "files/s")
    print_table(f"{MACHINES} machines over TLS, a mount takes {TASK_SECONDS} s", head, rows)


def _row(name: str, files: int, seconds: float) -> list[str]:
    return [name, f"{files:,}", f"{seconds:.2f}", f"{files / seconds:,.0f}"]


async def _two_runs(spec: EstateSpec, folder: Path) -> list[tuple[Totals, float]]:
    ready = Event()

    def announce(line: str) -> None:
        if line.endswith("job.toml"):
            ready.set()

    async def serve() -> None:
        settings = Settings(task_seconds=TASK_SECONDS)
        await simulate(
            folder, spec, settings, host="127.0.0.1", port=0, log_file=None, write_config=True, announce=announce
        )

    async with create_task_group() as tasks:
        tasks.start_soon(serve)
        await ready.wait()
        jobs = await to_thread.run_sync(read_jobs, [folder / "job.toml"])
        found = [await _one_run(folder, jobs) for _ in range(2)]
        tasks.cancel_scope.cancel()
    return found


async def _one_run(folder: Path, jobs: list[NamedJob]) -> tuple[Totals, float]:
    """From the first request to the written report."""
    begun = time.perf_counter()
    config = load_config(folder / "config.toml")
    with opened(config, Tally().add) as app:
        report = (await _run(app, jobs)).report
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")
    return report.totals, time.perf_counter() - begun


async def _run(app: App, jobs: list[NamedJob]) -> Finished:
    return (await run_jobs(app, jobs, keep_going=False))[0]
