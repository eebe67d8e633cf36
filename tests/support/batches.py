"""Batches as the walk makes them, of real files."""

from datetime import UTC, datetime
from pathlib import Path

import anyio

from orchestrator.core.entry import Conflict
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath, TargetPath, parse_guest_path
from orchestrator.core.plan import Selection
from orchestrator.engine.copying import Copier
from orchestrator.engine.ports import Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.walking import Batch, Terms, Work
from orchestrator.files import LocalSource
from tests.support.disk import entry_of


def batch_of(share: Path, root: Path, names: list[str], policy: Conflict) -> Batch:
    selection = Selection((parse_guest_path("C:\\"),), (), (), str(root), policy, 1)
    works = [
        Work(entry_of(share / name), SourcePath(str(share), name), f"C:\\{name}", TargetPath(str(root), name))
        for name in names
    ]
    return Batch(selection, Volume("C:", "C:", (), SourcePath(str(share), "")), tuple(works))


def begun() -> Pulse:
    async def made() -> Pulse:
        return Pulse()

    return anyio.run(made)


def copier_to(target: Destination, source: Source | None = None, stopping: bool = False) -> Copier:
    terms = Terms("g0001", "fs01", datetime(2026, 11, 20, tzinfo=UTC), "r1")
    return Copier(source or LocalSource(), target, terms, lambda _: None, lambda: stopping, lambda _: None)
