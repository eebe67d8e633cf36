"""What must outlive the process: runs, what Enterprise Manager holds for us, what became of each file, dropped jobs.

The ledgers say what is written and read by named queries; a room with a database says how. May touch: the store that
is handed in, with blocking calls. Promises: nothing here depends on which database that is. Refuses: `sqlite3`,
`psycopg`, files, the clock, `async`, threads.
"""

from orchestrator.ledgers.journal import Journal
from orchestrator.ledgers.queries import parse, resource
from orchestrator.ledgers.rows import Parameters, Stored, from_group, from_lease, from_session, iso_time, zoned
from orchestrator.ledgers.store import Batch, Store

__all__ = [
    "Batch",
    "Journal",
    "Parameters",
    "Store",
    "Stored",
    "from_group",
    "from_lease",
    "from_session",
    "iso_time",
    "parse",
    "resource",
    "zoned",
]
