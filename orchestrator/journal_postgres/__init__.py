"""The journal in PostgreSQL: what must outlive the processes of a fleet, and is shared by them.

May touch: `psycopg`, the network, one connection with blocking calls. Promises: what is written is committed exactly
once when its write returns, also when the connection is lost meanwhile; a server that restarts is waited for; whatever
fails is a StateError with a plain cause and without a password. Refuses: `async`, threads, logging, a schema that is
newer than it knows, a server older than 14. A token that is erased stays in the server's files for a while, sealed.
"""

from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.fence import Fence
from orchestrator.journal_postgres.journal import Guard, SharedJournal, open_journal
from orchestrator.journal_postgres.signs import open_signs
from orchestrator.journal_postgres.units import Units, open_units
from orchestrator.journal_postgres.upgrading import upgrade

__all__ = [
    "Access",
    "Fence",
    "Guard",
    "SharedJournal",
    "Units",
    "open_journal",
    "open_signs",
    "open_units",
    "upgrade",
]
