"""The journal: runs, groups, mounts, sealed sessions and outcomes in one SQLite database.

May touch: `sqlite3`, the state folder. Promises: every write is durable when it returns, a batch is written whole or
not at all, a newer schema is never touched, one process writes at a time. Refuses: `async`, threads, retries, and
tokens in the clear.
"""

from orchestrator.journal.journal import Journal, open_journal

__all__ = ["Journal", "open_journal"]
