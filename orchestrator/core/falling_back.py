"""A group that turns to the next restore point of its fall-back order, and where it stood when a run goes on."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from orchestrator.core.group_events import OtherPointTaken
from orchestrator.core.ledger import LeaseRow
from orchestrator.core.plan import MountGroup, Plan


def turned_to_next(group: MountGroup, steps: int = 1) -> MountGroup:
    """`group` with the next of its restore points, or one further on. It must have so many."""
    order = (group.point, *group.others)
    return replace(group, point=order[steps], others=order[steps + 1 :], instead_of=(*group.instead_of, *order[:steps]))


def turning(at: datetime, run: str, group: MountGroup, again: MountGroup, message: str) -> OtherPointTaken:
    """The event that tells that `group` goes on as `again`, and why."""
    point = again.point
    return OtherPointTaken(
        at=at,
        run=run,
        group=group.id,
        vm=group.vm,
        backup_server=point.backup_server,
        restore_point=point.uid,
        created=point.created,
        source=point.kind.value,
        instead_of=group.point.uid,
        message=message,
    )


def as_taken(group: MountGroup, leases: Iterable[LeaseRow]) -> MountGroup:
    """`group` with the restore point that was mounted last, where one was: what a run has begun to restore from, it
    restores from, and reports. `leases` are those of the run, the oldest first."""
    mounted = [lease.point.uid for lease in leases if lease.group == group.id and lease.mount_href]
    order = [point.uid for point in (group.point, *group.others)]
    return turned_to_next(group, order.index(mounted[-1])) if mounted and mounted[-1] in order[1:] else group


def plan_as_taken(plan: Plan, leases: Iterable[LeaseRow]) -> Plan:
    """`plan` with the restore points that were mounted."""
    by_group: dict[str, list[LeaseRow]] = {}
    for lease in leases:
        by_group.setdefault(lease.group, []).append(lease)
    return replace(plan, groups=tuple(as_taken(group, by_group.get(group.id, ())) for group in plan.groups))
