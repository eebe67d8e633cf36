"""The story of `bag`: what a run restored is proved once more, and packed so that others can prove it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio

import orchestrator
from orchestrator.artefacts import checksum_of, read_report, run_folder
from orchestrator.config import Config
from orchestrator.config_shares import BY_SYSTEM
from orchestrator.core.entries import has_content
from orchestrator.core.errors import WordsError
from orchestrator.core.ledger import RunRow
from orchestrator.core.plan import plan_from_json
from orchestrator.engine.verifying import Verified, verify
from orchestrator.files import free_space
from orchestrator.files.bag import making_bag
from orchestrator.journal import Journal
from orchestrator.opening import now
from orchestrator.reaching import make_source
from orchestrator.views import size


def bag_run(
    config: Config, journal: Journal, run: RunRow, folder: Path, link: bool, tell: Callable[[int, int], None]
) -> tuple[Verified, int]:
    """Make a bag of what `run` restored at `folder`, of hard links with `link`: what was found, and the number of files
    in it. `tell` gets (files, bytes) as they are packed. WordsError when the bag cannot stand there. Blocks."""
    destinations = plan_from_json(run.plan).destinations
    if not destinations or not any(one.restored for one in journal.totals(run.id).values()):
        raise WordsError(what=f"run {run.id} has restored nothing that could be packed")
    away = [one for one in destinations if one.startswith("\\\\") and not BY_SYSTEM]
    if away and link:
        raise WordsError(what=f"{away[0]} is on another machine, where a bag has no links to; leave out --link")
    if away and not config.shares:
        raise WordsError(what=f"{away[0]} cannot be read: the config has no table [[shares]] for it")
    report = read_report(journal, config, run.id)
    if not link and report.totals.bytes > (free := free_space(str(folder))):
        raise WordsError(
            what=f"{folder}: {size(report.totals.bytes)} are to be packed, and {size(free)} are free there"
        )
    algorithm = checksum_of(config, run)
    with (
        closing(make_source(config)) as source,
        making_bag(folder, config.targets.allow, destinations, algorithm, link=link, away=source) as bag,
    ):
        found = anyio.run(verify, filter(has_content, journal.restored(run.id)), bag.take, config.limits.copies, tell)
        for one in found.differences:
            bag.leave_out(one.target_path)
        info = {
            "Bag-Software-Agent": f"orchestrator {orchestrator.__version__}",
            "Bagging-Date": f"{now():%Y-%m-%d}",
            "External-Identifier": run.id,
            "External-Description": f"Files restored by job {run.job} on {run.started:%Y-%m-%d}; "
            f"{report.totals.restored} restored, {len(found.differences)} of them left out of this bag",
        }
        kept = {name: run_folder(config, run.id) / name for name in ("report.json", "report.html", "job.toml")}
        return found, bag.finish(folder, info, {name: file for name, file in kept.items() if file.is_file()})
