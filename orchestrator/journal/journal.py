"""Opening the journal of a state folder."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.journal.lock import StateLock
from orchestrator.journal.store import Store
from orchestrator.journal.translate import Translating
from orchestrator.ledgers import Journal


def _now() -> datetime:
    return datetime.now(UTC)


def open_journal(folder: Path, *, read_only: bool = False, clock: Callable[[], datetime] = _now) -> Journal:
    """The journal of a state folder, made if it is not there: the folder for the owner alone, the file likewise.

    With `read_only` nothing is made or locked, so it can be read while a run writes it. Otherwise this process alone
    has it until `close`; `clock` dates that for the message to others. StateLocked, StateUnusable, SchemaUnknown.
    """
    if read_only:
        return Journal(Store(folder, read_only=True), None)
    with Translating(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = StateLock(folder, clock)
    try:
        return Journal(Store(folder, read_only=False), lock.release)
    except BaseException:
        lock.release()
        raise
