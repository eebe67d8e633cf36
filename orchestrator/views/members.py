"""The members of a fleet, for people and for programs."""

import json
from collections.abc import Sequence

from orchestrator.core.fleet import MemberKind, MemberNow, MemberState
from orchestrator.views.units import visible

_STATES = {
    MemberState.SERVING: "serving",
    MemberState.DRAINING: "draining",
    MemberState.DEAD: "dead: its mounts are being deleted",
    MemberState.GONE: "gone",
}


def members_text(members: Sequence[MemberNow]) -> str:
    """A table, or what to do when nobody is there."""
    if not any(one.member.kind is MemberKind.WORKER for one in members):
        return "no worker is serving; start one: orchestrator worker --site SITE"
    rows = [("NAME", "WHAT", "SITE", "HOST", "IN HAND", "HEARD OF", "STATE", "VERSION")]
    for one in members:
        member = one.member
        worker = member.kind is MemberKind.WORKER
        hand = f"{one.units} of {member.mounts}" if worker else "-"
        rows.append(
            (
                member.name, member.kind.value, member.site or "every" if worker else "-", member.host, hand,
                f"{one.silent:.0f} s ago", _state(one), member.version,
            )
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(visible(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _state(one: MemberNow) -> str:
    late = one.state in (MemberState.SERVING, MemberState.DRAINING) and one.silent > one.member.lease
    return "silent: nobody has noticed yet" if late else _STATES[one.state]


def members_json(members: Sequence[MemberNow]) -> str:
    """A list; seconds as numbers."""
    return json.dumps(
        [
            {
                "id": one.member.id,
                "name": one.member.name,
                "kind": one.member.kind.value,
                "site": one.member.site,
                "host": one.member.host,
                "mounts": one.member.mounts,
                "in_hand": one.units,
                "state": one.state.value,
                "silent_seconds": round(one.silent, 1),
                "lease_seconds": one.member.lease,
                "version": one.member.version,
            }
            for one in members
        ],
        indent=2,
    )
