"""What must outlive the process: runs, what Enterprise Manager holds for us, what became of each file, dropped jobs.

May touch: `sqlite3` and the state folder, with blocking calls. Promises: a lease is on the disk when its write
returns; what is restored stays restored; an erased token leaves no byte; whatever fails is a StateError with a plain
cause. Refuses: `async`, threads, retries, logging, and two processes in one state folder.
"""

from orchestrator.journal.journal import Journal, open_journal
from orchestrator.journal.lock import is_locked

__all__ = ["Journal", "is_locked", "open_journal"]
