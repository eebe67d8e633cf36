"""One mount group from seat to seat: lease, find, walk, copy, release; again when the session was lost under it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anyio import BrokenResourceError, CapacityLimiter, create_memory_object_stream, create_task_group, current_time
from anyio import from_thread, sleep, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.core.entries import Entry, EntryKind, Outcome
from orchestrator.core.errors import Blast, EmError, MountError, MountLost, NotFound, SessionEnded
from orchestrator.core.events import BytesCopied, FilesLocated, FilesScanned, GroupEnded, GroupStarted
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, Totals
from orchestrator.core.locate import Volume, join_share, roots_for
from orchestrator.core.paths import TargetPath
from orchestrator.core.plan import MountGroup, Selection
from orchestrator.core.select import Selector
from orchestrator.engine.books import Books
from orchestrator.engine.copying import Copier
from orchestrator.engine.leases import Lease, Leases
from orchestrator.engine.locating import Locator, root_names
from orchestrator.engine.proving import Prover
from orchestrator.engine.rooms import Reach, Rooms
from orchestrator.engine.scribe import Outbox, hand_over, totals_of
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop
from orchestrator.engine.walking import Batch, Walk, next_batch, not_found
