"""`orchestrator demo`: the main job, end to end, on a simulated Enterprise Manager of its own."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.listening import listening
from orchestrator.cli.speaking import complain, say
from orchestrator.cli.tasks import read_jobs
from orchestrator.config import load_config
from orchestrator.core.errors import ExitCode, OrchestratorError, WordsError
from orchestrator.core.ledger import Totals
from orchestrator.views import report_text, size

MARK = ".orchestrator-demo"
"""A folder with this file in it was made by the demo and may be made anew."""

STOP_WITHIN = 20.0
"""Seconds the simulator gets to end in order."""


class DemoFailed(OrchestratorError):
    """The demo did not do what it should: {what}"""


def demonstrate(
    folder: Annotated[Path, typer.Option("--folder", help="Made anew at every start.")] = Path("demo"),
    machines: Annotated[int, typer.Option("--machines", min=1, help="Machines to restore.")] = 12,
    files: Annotated[int, typer.Option("--files", min=1, help="Files to restore, at least.")] = 5000,
    events: Annotated[Path | None, typer.Option("--events", metavar="FILE", help="Append every event.")] = None,
) -> None:
    """Restore a simulated estate over TLS, verify it, and run the same job again to show that nothing is copied.

    \b
    orchestrator demo
    orchestrator demo --machines 40 --files 20000
    """
    folder = _fresh(folder.absolute())
    say(f"Building {machines} machines with {files:,} files in {folder} ...")
    with _simulator(folder, machines, files):
        first = _run(folder, events)
        say("\nReading every restored file again ...")
        _verify(folder, first.report.run)
        say("\nThe same job once more:")
        second = _run(folder, events)
    report = first.report
    say(f"\nReport:    {report.files['html']}\nFor tools: {report.files['report']}")
    say(f"Checksums: {report.files['manifest']}\nFiles:     {folder / 'restored'}")
    say(
        f"\nTo go on playing:\n  orchestrator simulate --folder {folder} --machines {machines} --files {files}\n"
        f"  orchestrator --config {folder}/config.toml run {folder}/job.toml"
    )
    _judge(first, second, files)


def _judge(first: roof.Finished, second: roof.Finished, files: int) -> None:
    code = roof.exit_code([first, second])
    if code is not ExitCode.OK:
        raise typer.Exit(code)
    if first.report.totals.restored < files:
        raise DemoFailed(what=f"{first.report.totals.restored} files restored, {files} expected")
    if second.report.totals != Totals(skipped=first.report.totals.restored):
        raise DemoFailed(what=f"the second run should have skipped every file: {second.report.totals}")


def _run(folder: Path, events: Path | None) -> roof.Finished:
    jobs = read_jobs([folder / "job.toml"])
    with (
        listening(quiet=False, json_log=False, events_file=events) as listen,
        roof.opened(load_config(folder / "config.toml"), listen) as app,
    ):
        finished = anyio.run(roof.run_jobs, app, jobs, False)[0]
    say(report_text(finished.report))
    if finished.error is not None:
        complain(finished.error)
    return finished


def _verify(folder: Path, run: str) -> None:
    config = load_config(folder / "config.toml")
    with roof.reading(config) as journal:
        found = anyio.run(roof.verify_run, config, journal, journal.run(run), lambda files, count: None)
    if found.differences:
        raise DemoFailed(what=f"{len(found.differences)} restored files differ, first {found.differences[0]}")
    say(f"verified {found.files:,} files, {size(found.bytes)}; 0 differ")


def _fresh(folder: Path) -> Path:
    """An empty folder of ours; a folder that the demo did not make is not touched."""
    try:
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise WordsError(what=f"--folder {folder}: it exists and the demo did not make it; name another")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / MARK).touch()
    except OSError as cause:
        raise WordsError(what=f"--folder {folder}: {cause.strerror}") from cause
    return folder


@contextmanager
def _simulator(folder: Path, machines: int, files: int) -> Iterator[None]:
    """A simulator process for as long as the block lasts."""
    words = ["simulate", "--folder", folder, "--port", "0", "--machines", machines, "--files", files]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "orchestrator", *map(str, words)], stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None or not (line := process.stdout.readline()):
            raise DemoFailed(what="the simulator did not start; its own message stands above")
        say(line)
        for _ in range(2):
            process.stdout.readline()
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
