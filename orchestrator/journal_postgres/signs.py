"""Signs that the members of a fleet give each other, at the end of a transaction; see `unit_queue.Waker`."""

from collections.abc import Iterable
from typing import Any

import psycopg

from orchestrator.core.fleet import MemberKind
from orchestrator.journal_postgres.access import Access
from orchestrator.unit_queue import CHANNEL, Waker

TOLD = "orchestrator_told"
"""Where submitters are told that there is news of a run. Channels belong to a database, not to a schema; a sign for
another fleet in it costs one look."""


def open_signs(access: Access, kind: MemberKind) -> Waker:
    """What a member is to hear, over a connection of its own that is made when somebody waits: a worker that units wait
    or a place is free, and a submitter that there is news, with the run that it is of."""
    channel = CHANNEL if kind is MemberKind.WORKER else TOLD
    return Waker(lambda: psycopg.connect("", autocommit=True, **access.parameters), channel)


def give_sign(cursor: psycopg.Cursor[Any], runs: Iterable[str]) -> None:
    """There is news of these runs."""
    for run in sorted(set(runs)):
        cursor.execute("SELECT pg_notify(%s, %s)", [TOLD, run])
