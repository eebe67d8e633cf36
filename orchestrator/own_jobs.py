"""What a journal has of one watcher: in a fleet it has that of others too."""

import hashlib
import socket
from pathlib import Path

from orchestrator.config import Config
from orchestrator.engine.chosen_drops import ChosenDrops
from orchestrator.journal import Journal


def own_jobs(config: Config, journal: Journal) -> Journal | ChosenDrops:
    """The dropped jobs, schedules and pause of the watcher of this state folder."""
    if config.fleet.dsn is None:
        return journal
    return ChosenDrops(journal, journal, journal, tag_of(config.state.folder))


def tag_of(state: Path) -> str:
    """What the claims of this watcher begin with: always the same for one state folder, never that of another."""
    return hashlib.sha256(f"{socket.gethostname()} {state.resolve()}".encode()).hexdigest()[:6]
