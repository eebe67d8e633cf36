"""What a run left undone, as a job again: the same format, ready to be run or dropped.

Entries are grouped by machine and reason, each with the reason's cause and next action as a comment. They name the
restore point by its id, so that the same version is restored however long that takes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import tomli_w

from orchestrator.core.entries import Outcome
from orchestrator.core.entry import Compare
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.in_place import standing_of
from orchestrator.core.layout import Layout
from orchestrator.core.naming import RENAME_PATTERN
from orchestrator.core.originals import Standing
from orchestrator.core.paths import GuestPath, PathRefused, parse_guest_path
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.rates import rate_text
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import Road
from orchestrator.core.select import Bounds

NOT_REPEATED = frozenset(
    {
        Reason.LINK_SKIPPED,
        Reason.SPECIAL,
        Reason.NOTHING_MATCHED,
        Reason.NOT_THERE,
        Reason.END_UNKNOWN,
        Reason.PLAN,
    }
)
"""Reasons that another run of the same job cannot cure, or must not try by itself; they are counted in a comment."""


def residual_job(plan: Plan, problems: Iterable[Outcome]) -> str | None:
    """The text of a job file with everything that was refused or failed; None when nothing is worth repeating."""
    groups = {group.id: group for group in plan.groups}
    wanted = _Wanted(groups)
    entries: dict[tuple[str, int, bool, Reason], list[str]] = {}
    left_out: Counter[str] = Counter()
    for outcome in problems:
        found = _entry(outcome, wanted)
        if found is None:
            left_out[outcome.reason.slug if outcome.reason else "unknown"] += 1
        else:
            entries.setdefault(found, []).append(outcome.guest_path)
    if not entries:
        return None
    lines = [f"# What run {plan.run} did not restore. Run it again with: orchestrator run <this file>"]
    lines += [f"# Not repeated here: {count} x {slug}" for slug, count in sorted(left_out.items())]
    top = {"name": _name(plan.job)} | ({} if plan.bandwidth is None else {"bandwidth": rate_text(plan.bandwidth)})
    lines += ["", tomli_w.dumps(top).rstrip()]
    for key in sorted(entries, key=lambda key: (*key[:3], key[3].slug)):
        group, number, requested, reason = key
        one = groups[group]
        lines += ["", f"# {reason.slug}: {reason.cause}. {reason.owner}: {reason.action}"]
        lines.append(
            tomli_w.dumps({"restore": [_table(one, one.selections[number], entries[key], requested)]}).rstrip()
        )
    return "\n".join(lines) + "\n"


class _Wanted:
    """Which selection of a group holds a path; by look-up, since a list of paths may be long."""

    def __init__(self, groups: Mapping[str, MountGroup]) -> None:
        self._groups = groups
        self._keys: dict[str, list[frozenset[tuple[str, ...]]]] = {}

    def find(self, group: str, path: GuestPath) -> tuple[int, bool] | None:
        """(selection, whether it is a path that was asked for); None when there is none."""
        if group not in self._groups:
            return None
        if group not in self._keys:
            selections = self._groups[group].selections
            self._keys[group] = [frozenset(one.key for one in selection.paths) for selection in selections]
        key = path.key
        above = [key[:length] for length in range(len(key) + 1)]
        for number, keys in enumerate(self._keys[group]):
            if not keys.isdisjoint(above):
                return number, key in keys
        return None


def _entry(outcome: Outcome, wanted: _Wanted) -> tuple[str, int, bool, Reason] | None:
    """(group, selection, whether it is a path that was asked for, reason) of one problem; None when a job cannot say
    it, or repeating it is no use."""
    reason = outcome.reason
    if reason is None or reason in NOT_REPEATED or not _is_unicode(outcome.guest_path):
        return None
    try:
        path = parse_guest_path(outcome.guest_path)
    except PathRefused:
        return None
    found = wanted.find(outcome.group, path)
    return None if found is None else (outcome.group, *found, reason)


def _table(group: MountGroup, selection: Selection, paths: list[str], requested: bool) -> dict[str, object]:
    table: dict[str, object] = {
        "vm": group.vm,
        "restore_point": group.point.uid,
        "backup_server": group.point.backup_server,
        "paths": paths,
    }
    if group.os is not None:
        table["os"] = group.os.value
    if selection.road is Road.ORIGINAL:
        return table | _in_place(selection)
    table |= {
        "to": "/".join((selection.destination, *selection.layout.below)),
        "on_conflict": selection.on_conflict.value,
    }
    table |= _layout(selection.layout, tuple(map(parse_guest_path, paths)))
    table |= _wishes(selection.wishes)
    if selection.compare is not Compare.TIMES:
        table["compare"] = selection.compare.value
    if selection.rename_pattern != RENAME_PATTERN:
        table["rename_pattern"] = selection.rename_pattern
    # Patterns are relative to the path that was asked for; what lies below one has already passed them.
    if requested and selection.include:
        table["include"] = list(selection.include)
    if requested and selection.exclude:
        table["exclude"] = list(selection.exclude)
    if requested:
        bounds = {field.name: getattr(selection.bounds, field.name) for field in fields(Bounds)}
        table |= {key: bound for key, bound in bounds.items() if bound is not None}
    return table


def _in_place(selection: Selection) -> dict[str, object]:
    """The keys of what EM restores itself."""
    standing = standing_of(selection)
    how = {"metadata": standing.value} if standing is Standing.PERMISSIONS_ONLY else {"on_conflict": standing.value}
    account = {"guest_credentials": selection.guest_credentials} if selection.guest_credentials else {}
    return {"road": Road.ORIGINAL.value, **how, **account}


def _layout(layout: Layout, paths: Sequence[GuestPath]) -> dict[str, object]:
    """The keys that let `paths` land where the run would have put them. Where the destination holds the name of the
    volume already, the volume has no folder."""
    used = layout.used_by(paths)
    volumes = dict.fromkeys(path.volume for path in paths) if layout.bare and not layout.below else ()
    drives = dict.fromkeys(volumes, "") or dict(used.drives)
    table: dict[str, object] = {"strip": list(map(str, used.strip))} if used.strip else {}
    return table | ({"drives": drives} if drives else {})


def _wishes(wishes: Wishes) -> dict[str, object]:
    """The keys that say what is wanted beside the bytes, as far as it is not the default."""
    table: dict[str, object] = {}
    for key in ("metadata", "owner", "links"):
        wanted = getattr(wishes, key)
        if wanted is not getattr(BASIC, key):
            table[key] = wanted.value
    for key in ("users", "groups"):
        if ids := getattr(wishes, key):
            table[key] = {str(id): account for id, account in ids}
    return table


def _name(job: str) -> str:
    return job if job.endswith("-residual") else f"{job[:55]}-residual"


def _is_unicode(text: str) -> bool:
    return text.isprintable() or not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
