"""What a worker of the fleet may still write: looked at in the transaction of each of its writes."""

from collections.abc import Collection, Mapping
from typing import Any

from orchestrator.core.fleet import Member
from orchestrator.core.fleet_errors import MemberDead, SeatTaken, UnitLost
from orchestrator.core.ledger import LeaseRow
from orchestrator.journal_postgres.queries import FLEET as QUERIES
from orchestrator.journal_postgres.store import Cursor


class Fence:
    """Looks before each write of a worker whether the worker lives, and has the units that are written for under the
    lease numbers of `held`, by run and group; or clears up after him who had them."""

    def __init__(self, member: Member, held: Mapping[tuple[str, str], int], place: str) -> None:
        self._member = member
        self._held = held
        self._place = place

    def check(self, cursor: Cursor, run: str, groups: Collection[str]) -> None:
        """MemberDead or UnitLost. The transaction that this is part of keeps the answer true until its end."""
        self._alive(cursor)
        if not groups:
            return
        me = self._member.id
        for group, vm, number, owner, heir in _rows(cursor, "whose", run=run, groups=list(groups)):
            own = owner == me and self._held.get((run, group)) == number
            if not own and heir != me:
                raise UnitLost(folder=self._place, vm=vm, number=self._held.get((run, group), 0))

    def lease(self, cursor: Cursor, row: LeaseRow) -> None:
        """A mount is written about by who has asked for it, also when its unit is over or another's by now; and by who
        clears up after him. A new one is for a unit of one's own, and takes its seats: SeatTaken when there is none."""
        known = _rows(cursor, "may_end", lease=row.id, member=self._member.id)
        if not known:
            self.check(cursor, row.run, {row.group})
            self._take_seats(cursor, row)
            return
        self._alive(cursor)
        if not known[0][0]:
            raise UnitLost(folder=self._place, vm=row.point.vm, number=self._held.get((row.run, row.group), 0))

    def _alive(self, cursor: Cursor) -> None:
        if not _rows(cursor, "alive", member=self._member.id):
            raise MemberDead(seconds=self._member.lease)

    def _take_seats(self, cursor: Cursor, row: LeaseRow) -> None:
        _ask(cursor, "one_at_a_time")
        for (seat,) in _rows(cursor, "overfull", run=row.run, group=row.group):
            raise SeatTaken(vm=row.point.vm, resource=seat)
        _ask(cursor, "served", run=row.run, group=row.group)


def _ask(cursor: Cursor, query: str, **parameters: Any) -> None:
    cursor.execute(QUERIES[query], parameters)


def _rows(cursor: Cursor, query: str, **parameters: Any) -> list[Any]:
    return cursor.execute(QUERIES[query], parameters).fetchall()
