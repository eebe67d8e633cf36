"""`orchestrator verify` and `orchestrator bag`: what a run restored is proved, and packed with its proof."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.bagging import bag_run
from orchestrator.cli.counting import counting
from orchestrator.cli.speaking import Globals, say
from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import RunRow, Totals
from orchestrator.engine.verifying import Difference
from orchestrator.journal import Journal
from orchestrator.views import size, visible

Run = Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `orchestrator status` shows it.")]


def verify(context: typer.Context, run: Run) -> None:
    """Read every restored file of a run again and compare it with the checksum taken while copying.

    \b
    orchestrator verify incident-4711-20261123T031500Z
    """
    options: Globals = context.obj
    config = options.config()
    with roof.reading(config) as journal:
        row = journal.run(run)
        with counting("verified", sys.stderr, options.quiet, _whole(journal, row)) as count:
            found = anyio.run(roof.verify_run, config, journal, row, count)
    compared = "size" if row.checksum == "none" else "content"
    if options.json:
        say(json.dumps(asdict(found) | {"compared": compared}, indent=2))
    else:
        _say_differences(found.differences)
        say(f"verified {found.files} files, {size(found.bytes)}; {len(found.differences)} differ")
        if compared == "size":
            say('This run took no checksums (verify = "none"): every file could be read, and its size was compared.')
    if found.differences:
        raise typer.Exit(ExitCode.PARTIAL)


def bag(
    context: typer.Context,
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the bag will stand; not there yet.")],
    link: Annotated[
        bool, typer.Option("--link", help="Hard links instead of copies; on the same volume only.")
    ] = False,
) -> None:
    """Pack what a run restored as a BagIt bag (RFC 8493), which anybody's tool can prove later.

    \b
    orchestrator bag incident-4711-20261123T031500Z /restore/handover-4711
    orchestrator bag --link incident-4711-20261123T031500Z /restore/handover-4711

    Every file is proved on the way. One that is not what was restored stays out, and is told. The bag has its own
    SHA-256 checksums, the report and the job. FOLDER must lie below targets.allow. With --link a file that is changed
    where it was restored changes in the bag too, and then the bag says so.
    """
    options: Globals = context.obj
    config = options.config()
    with roof.reading(config) as journal:
        row = journal.run(run)
        with counting("packed", sys.stderr, options.quiet, _whole(journal, row)) as count:
            found, files = bag_run(config, journal, row, folder.absolute(), link, count)
    if options.json:
        say(json.dumps(asdict(found) | {"bag": str(folder.absolute()), "packed": files}, indent=2))
    else:
        _say_differences(found.differences)
        say(f"packed {files:,} files, {size(found.bytes)} into {visible(str(folder.absolute()))}")
        if found.differences:
            say(f"{len(found.differences):,} files are not what was restored, and are not in the bag")
    if found.differences:
        raise typer.Exit(ExitCode.PARTIAL)


def _whole(journal: Journal, run: RunRow) -> tuple[int, int]:
    """Files and bytes that a run has restored."""
    totals = sum(journal.totals(run.id).values(), Totals())
    return totals.restored, totals.bytes


def _say_differences(differences: Sequence[Difference]) -> None:
    for one in differences:
        say(f"differs: {visible(one.target_path)}: {visible(one.message)}")
