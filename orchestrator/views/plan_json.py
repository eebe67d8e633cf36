"""A plan as JSON for programs."""

from collections.abc import Collection
from typing import Any

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.survey import Forecast, Survey
from orchestrator.views.json import dump, whole_second
from orchestrator.views.plan import HostsOf
from orchestrator.views.selected import selected_values
from orchestrator.views.survey import survey_values


def plan_json_view(
    plan: Plan,
    survey: Survey | None = None,
    ahead: Forecast | None = None,
    hosts_of: HostsOf = lambda group: (),
) -> str:
    """The plan for `plan --json`, with what was seen of it and what follows if it was looked at closely; for people
    and their scripts, not for reading back (see core.plan.plan_to_json)."""
    deep = {"deep": survey_values(survey, ahead)} if survey is not None and ahead is not None else {}
    return dump(
        {
            "run": plan.run,
            "job": plan.job,
            "groups": [_planned(group, hosts_of(group)) for group in plan.groups],
            "destinations": list(plan.destinations),
            "problems": [{"entry": one.entry, "key": one.key, "message": one.message} for one in plan.problems],
            "warnings": [{"entry": one.entry, "key": one.key, "message": one.message} for one in plan.warnings],
            **deep,
        },
        indent=2,
    )


def _planned(group: MountGroup, hosts: Collection[str]) -> dict[str, Any]:
    return {
        "group": group.id,
        "vm": group.vm,
        "restore_point": group.point.uid,
        "created": whole_second(group.point.created),
        "backup_server": group.point.backup_server,
        "kind": group.point.kind.value,
        "others": [_other(point) for point in group.others],
        "expected_hosts": list(hosts),
        "os": group.os.value if group.os else None,
        "selections": [_selection(selection) for selection in group.selections],
    }


def _other(point: RestorePoint) -> dict[str, Any]:
    return {
        "restore_point": point.uid,
        "created": whole_second(point.created),
        "backup_server": point.backup_server,
        "kind": point.kind.value,
    }


def _selection(selection: Selection) -> dict[str, Any]:
    return {
        "entry": selection.entry,
        "paths": [str(path) for path in selection.paths],
        "include": list(selection.include),
        "exclude": list(selection.exclude),
        "to": selection.destination,
        "on_conflict": selection.on_conflict.value,
        "compare": selection.compare.value,
        "stage": selection.stage,
        "road": selection.road.value if selection.road else None,
        "guest_credentials": selection.guest_credentials,
        "metadata": selection.wishes.metadata.value,
        "owner": selection.wishes.owner.value,
        "links": selection.wishes.links.value,
        **selected_values(selection),
    }
