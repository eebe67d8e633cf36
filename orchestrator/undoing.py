"""The story of `undo`: what a run has done to its destinations is taken back, as far as it can be proved."""

import os
from collections.abc import Callable
from functools import partial

from anyio import CapacityLimiter

from orchestrator.artefacts import checksum_of, run_folder
from orchestrator.config import Config
from orchestrator.core.errors import StateUnusable
from orchestrator.core.fleet_errors import RunInHand
from orchestrator.core.plan import plan_from_json
from orchestrator.core.replaced import UndoReport
from orchestrator.engine.beside import in_thread
from orchestrator.engine.undoing import Undo
from orchestrator.files import write_text_atomically
from orchestrator.journal import Journal
from orchestrator.opening import Listen, now, stopped_from_outside
from orchestrator.reaching import undoing
from orchestrator.views.undo import undo_json


async def undo_run(
    config: Config, journal: Journal, run: str, listen: Listen, tell: Callable[[int, int], None], *, dry: bool
) -> UndoReport:
    """Put back what `run` has replaced, and remove what it has added; with `dry` only say what would be done. Whatever
    is no longer as the run left it stays and is named. RunUnknown, StateError: RunInHand while workers are at it."""
    return await _undo(config, journal, run, listen, tell, dry=dry, discard=False)


async def discard_asides(
    config: Config, journal: Journal, run: str, listen: Listen, tell: Callable[[int, int], None], *, dry: bool
) -> UndoReport:
    """Remove for good what `run` has set aside; with `dry` only say what would be. RunUnknown, StateError."""
    return await _undo(config, journal, run, listen, tell, dry=dry, discard=True)


async def _undo(
    config: Config,
    journal: Journal,
    run: str,
    listen: Listen,
    tell: Callable[[int, int], None],
    *,
    dry: bool,
    discard: bool,
) -> UndoReport:
    row = await in_thread(partial(journal.run, run))
    in_hand = 0 if dry else await in_thread(partial(journal.in_hand, run))
    if in_hand:
        raise RunInHand(run=run, count=in_hand)
    checksum = checksum_of(config, row)
    threads = CapacityLimiter(min(config.limits.copies, 4 * (os.cpu_count() or 1)))
    with undoing(config, checksum, dry=dry) as ground:
        async with stopped_from_outside(listen, None) as stop:
            undo = Undo(plan_from_json(row.plan), journal, ground, stop, now, threads, tell, dry)
            report = await (undo.discard() if discard else undo.run())
    if not dry:
        await in_thread(partial(_write, config, report))
    return report


def _write(config: Config, report: UndoReport) -> None:
    """Keep the report beside that of the run."""
    folder = run_folder(config, report.run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(folder / "undo.json", undo_json(report) + "\n")
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=cause.strerror or cause) from cause
