"""The story of `prune`: old runs leave the disk, first their folders and then their rows."""

from collections.abc import Callable
from datetime import datetime

from orchestrator.artefacts import remove_artefacts
from orchestrator.config import Config
from orchestrator.core.errors import StateError
from orchestrator.core.ledger import RunRow
from orchestrator.core.retention import Pruned, prunable
from orchestrator.journal import Journal


def prune(
    config: Config, journal: Journal, before: datetime, *, dry: bool, gone: Callable[[RunRow], None] | None = None
) -> Pruned:
    """Forget the runs and the claims of dropped jobs that ended before a time; with `dry` only say which. `gone` hears
    of each run as soon as it is removed.

    A run whose folder cannot be removed is left in the journal, so that it is tried again. StateError when the journal
    fails. Blocks.
    """
    runs = journal.heads()
    holders = journal.holders()
    in_use = {lease.run for lease in journal.open_leases()} | {drop.run for drop in journal.unfinished_drops()}
    removed: list[RunRow] = []
    left: dict[str, str] = {}
    held = {run.id for run in prunable(runs, in_use, before)} & holders
    for run in prunable(runs, in_use | holders, before):
        try:
            if not dry:
                remove_artefacts(config, run.id)
                journal.forget_run(run.id)
                if gone is not None:
                    gone(run)
            removed.append(run)
        except StateError as error:
            left[run.id] = str(error)
    claims = journal.old_drops(before, [run.id for run in removed])
    if not dry:
        journal.forget_drops(claims)
    note = _compacted(journal) if not dry and (removed or claims) else ""
    note = "\n".join(filter(None, (note, *map(_held, sorted(held)))))
    return Pruned(tuple(removed), len(claims), len(runs) - len(removed), dry, left, note)


def _held(run: str) -> str:
    return f"kept: {run} holds files that were set aside; `orchestrator undo {run} --discard` removes them for good"


def _compacted(journal: Journal) -> str:
    """Nothing, or why the file keeps its size; what was removed is removed all the same."""
    try:
        journal.compact()
    except StateError as error:
        return f"journal.db keeps its size for now, the room in it is used again: {error}"
    return ""
