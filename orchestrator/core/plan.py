"""What a run will do: an ordered list of mount groups, one per restore point. Values, and what is left of them when
something cannot be had."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.entry import Compare, Conflict, Verify
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.layout import PLAIN, Layout
from orchestrator.core.naming import RENAME_PATTERN
from orchestrator.core.paths import GuestPath
from orchestrator.core.rates import Rate
from orchestrator.core.roads import Road
from orchestrator.core.select import BOUNDLESS, Bounds


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take out of one mount and where to put it. `stage` orders selections that overlap."""

    paths: tuple[GuestPath, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    destination: str
    """Empty for what EM restores to its original location."""
    on_conflict: Conflict
    entry: int
    """The job entry it comes from, counted from 1."""
    stage: int = 0
    wishes: Wishes = BASIC
    compare: Compare = Compare.TIMES
    rename_pattern: str = RENAME_PATTERN
    bounds: Bounds = BOUNDLESS
    layout: Layout = PLAIN
    road: Road | None = None
    """None: as the config says of the backup server. The same for all selections of a group."""
    guest_credentials: str = ""
    """As whom EM logs on to the guest, for road ORIGINAL: the name of a table of the config. Empty: as EM knows it."""


@dataclass(frozen=True, slots=True)
class MountGroup:
    """Everything wanted of one restore point: one mount, one unit of work. Describable by values alone."""

    id: str
    point: RestorePoint
    os: GuestOs | None
    selections: tuple[Selection, ...]
    weight: float = 0.0
    """Expected length in seconds or, without history, in volumes and folders; only the order counts."""
    others: tuple[RestorePoint, ...] = ()
    """What is mounted when `point` cannot be, in this order."""
    instead_of: tuple[RestorePoint, ...] = ()
    """What was to be mounted before `point`, and could not be."""

    @property
    def vm(self) -> str:
        return self.point.vm

    @property
    def road(self) -> Road | None:
        return self.selections[0].road

    @property
    def destinations(self) -> tuple[str, ...]:
        """The folders that its copies go to."""
        return tuple(dict.fromkeys(one.destination for one in self.selections if one.destination))

    @property
    def windows(self) -> bool:
        return self.os is not GuestOs.LINUX


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why one job entry cannot be planned: the key, and a message that says what to do."""

    entry: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"restore[{self.entry}].{self.key}: {self.message}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `problems` are entries that it will not do, `warnings` what it does although something looks
    wrong. `scratch` is the folder in which a drill puts its
    copies, and which it removes at its end; empty when the run is no drill."""

    run: str
    job: str
    groups: tuple[MountGroup, ...]
    problems: tuple[PlanProblem, ...] = field(default=())
    scratch: str = ""
    verify: Verify = Verify.STREAM
    bandwidth: Rate = None
    """Most bytes a second that the run reads."""
    warnings: tuple[PlanProblem, ...] = ()

    @property
    def destinations(self) -> tuple[str, ...]:
        """The folders that copies go to; what goes back to where it was has none."""
        return tuple(sorted({one for group in self.groups for one in group.destinations}))


def dropping(groups: Iterable[MountGroup], bad: Callable[[MountGroup, Selection], bool]) -> list[MountGroup]:
    """The groups without their bad selections, and without groups that have none left."""
    kept = [
        replace(group, selections=tuple(one for one in group.selections if not bad(group, one))) for group in groups
    ]
    return [group for group in kept if group.selections]


def without(plan: Plan, destinations: Mapping[str, str], backup_servers: Mapping[str, str]) -> Plan:
    """`plan` without what cannot be used; both map a name to the message that says why it cannot."""
    problems = list(plan.problems)
    for group in plan.groups:
        for one in group.selections:
            if one.destination in destinations:
                problems.append(PlanProblem(one.entry, "to", destinations[one.destination]))
            if group.point.backup_server in backup_servers:
                problems.append(PlanProblem(one.entry, "vm", backup_servers[group.point.backup_server]))

    def bad(group: MountGroup, one: Selection) -> bool:
        return one.destination in destinations or group.point.backup_server in backup_servers

    return replace(plan, groups=tuple(dropping(plan.groups, bad)), problems=tuple(dict.fromkeys(problems)))


def refusing(plan: Plan, wrong: Callable[[Wishes], Sequence[str]]) -> Plan:
    """`plan` without what wishes for something that cannot be had here; `wrong` says why, in plain words."""
    told = {wishes: wrong(wishes) for wishes in {one.wishes for group in plan.groups for one in group.selections}}
    problems = [
        PlanProblem(one.entry, "owner", text)
        for group in plan.groups
        for one in group.selections
        for text in told[one.wishes]
    ]
    groups = tuple(dropping(plan.groups, lambda _, one: bool(told[one.wishes])))
    return replace(plan, groups=groups, problems=tuple(dict.fromkeys((*plan.problems, *problems))))


def comparing(plan: Plan, compare: Compare) -> Plan:
    """`plan`, with all of it compared in one way."""

    def compared(group: MountGroup) -> MountGroup:
        return replace(group, selections=tuple(replace(one, compare=compare) for one in group.selections))

    return replace(plan, groups=tuple(map(compared, plan.groups)))


_CODEC = TypeAdapter(Plan)


def plan_to_json(plan: Plan) -> str:
    """The plan as JSON; `plan_from_json` gives the same plan back."""
    return _CODEC.dump_json(plan).decode()


def plan_from_json(text: str) -> Plan:
    """The plan in `text`; ValueError when it is none."""
    return _CODEC.validate_python(json.loads(text))  # `validate_json` keeps up to 16,384 strings for ever
