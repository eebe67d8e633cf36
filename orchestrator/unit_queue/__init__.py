"""Hands the units of the fleet out: which waits, who gets the next, and a sign when there is one.

May touch: `pgqueuer`'s tables and queries, by the caller's connection and inside the caller's transaction, with
blocking calls. Promises: a unit is never handed to two, also when workers die in the middle of taking it; one that was
handed out waits again only when somebody says so, because its mounts go first. Refuses: pgqueuer's own worker loop and
heartbeats, threads, `async`, connections of its own but those of the `Waker`; and it decides no limits.
"""

from orchestrator.unit_queue.blocking import CHANNEL
from orchestrator.unit_queue.queue import Deferred, UnitQueue
from orchestrator.unit_queue.tables import prepare
from orchestrator.unit_queue.waker import ANYTHING, Waker

__all__ = ["ANYTHING", "CHANNEL", "Deferred", "UnitQueue", "Waker", "prepare"]
