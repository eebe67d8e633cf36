"""What the log of a simulated Enterprise Manager says of limits: how many mounts there were at once of everything that
carries only so many. A mount counts from the request for it until its disks are off."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.simulator import Machine, Simulator

_POINT = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")

Resource = tuple[str, str, int]
"""Kind, name, and how many mounts it carries."""


@dataclass(frozen=True)
class Carried:
    """The `most` mounts at once of something that carries `limit`; `exceeded` of them were asked for while it was
    full."""

    kind: str
    name: str
    limit: int
    most: int
    exceeded: int


@dataclass(frozen=True)
class Stay:
    """One mount. `until` is None while its disks are on."""

    machine: Machine
    since: datetime
    until: datetime | None


def stays(simulator: Simulator) -> list[Stay]:
    """Every mount there was. AssertionError when log and books do not fit."""
    asked: dict[tuple[str, str], deque[datetime]] = defaultdict(deque)
    for entry in simulator.log:
        if entry.route == "mount_post" and entry.status == 202:
            found = _POINT.search(entry.path.lower())
            assert found, entry.path
            asked[entry.session, found[0]].append(entry.at)
    made = []
    for mount in sorted(simulator.enterprise.desk.mounts, key=lambda one: one.number):
        since = asked[mount.session.label, mount.point.uid].popleft()
        made.append(Stay(mount.machine, since, mount.ended))
    assert not any(asked.values()), "the log has requests for mounts that were never made"
    return made


def carried(simulator: Simulator, resources_of: Callable[[Machine], Iterable[Resource]]) -> list[Carried]:
    """How much everything had to carry, by kind and name."""
    steps: list[tuple[datetime, int, Machine]] = []
    for stay in stays(simulator):
        steps.append((stay.since, 1, stay.machine))
        if stay.until is not None:
            steps.append((stay.until, -1, stay.machine))
    now: Counter[Resource] = Counter()
    most: Counter[Resource] = Counter()
    exceeded: Counter[Resource] = Counter()
    for _, step, machine in sorted(steps, key=lambda one: one[:2]):
        for resource in resources_of(machine):
            now[resource] += step
            most[resource] = max(most[resource], now[resource])
            exceeded[resource] += step > 0 and now[resource] > resource[2]
    return [Carried(*resource, most[resource], exceeded[resource]) for resource in sorted(most)]
