"""The journal in SQLite: what must outlive the process, for one process in one state folder.

May touch: `sqlite3` and the state folder, with blocking calls. Promises: a lease is on the disk when its write
returns; what is restored stays restored; an erased token leaves no byte; whatever fails is a StateError with a plain
cause. Refuses: `async`, threads, retries, logging, and two processes in one state folder.
"""

from orchestrator.journal.journal import open_journal
from orchestrator.journal.lock import is_locked, locked
from orchestrator.ledgers import Journal

__all__ = ["Journal", "is_locked", "locked", "open_journal"]
