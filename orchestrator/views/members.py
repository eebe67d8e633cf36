"""A fleet as it stands, for people and for programs: who is there, how fast each site is, and what waits."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.core.fleet import FleetNow, MemberKind, MemberNow, MemberState, SiteNow, sites_now, stuck
from orchestrator.views.units import count, rate, visible

_MEMBER = ("NAME", "WHAT", "SITE", "HOST", "IN HAND", "HEARD OF", "STATE", "VERSION")
_SITE = ("SITE", "WORKERS", "IN HAND", "FILES/S", "SPEED")

_STATES = {
    MemberState.SERVING: "serving",
    MemberState.DRAINING: "draining",
    MemberState.DEAD: "dead: its mounts are being deleted",
    MemberState.GONE: "gone",
}


def fleet_text(fleet: FleetNow) -> str:
    """Tables of members and sites, and what waits; or what to do when nobody is there."""
    parts = []
    if any(one.member.kind is MemberKind.WORKER for one in fleet.members):
        parts.append(_table([_MEMBER, *map(_member_row, fleet.members)]))
    if sites := sites_now(fleet.members):
        parts.append(_table([_SITE, *map(_site_row, sites)]))
    else:
        parts.append("no worker is serving; start one: orchestrator worker --site SITE")
    waiting = sum(one.units for one in fleet.queued)
    lines = [f"{count(waiting, 'machine')} wait{'s' if waiting == 1 else ''} for a worker"] if waiting else []
    for why, number in stuck(fleet.queued, fleet.members).items():
        lines.append(f"nobody can take {number} of them: {visible(why)}")
    lines += _versions(fleet.members)
    return "\n\n".join([*parts, "\n".join(lines)] if lines else parts)


def _member_row(one: MemberNow) -> tuple[str, ...]:
    member = one.member
    worker = member.kind is MemberKind.WORKER
    hand = f"{one.units} of {member.mounts}" if worker else "-"
    site = (member.site or "every") if worker else "-"
    seen = f"{one.silent:.0f} s ago"
    return member.name, member.kind.value, site, member.host, hand, seen, _state(one), member.version


def _site_row(one: SiteNow) -> tuple[str, ...]:
    files, size = one.pace.files_per_second, one.pace.bytes_per_second
    return one.site or "every", str(one.workers), str(one.units), f"{files:,.0f}", rate(size)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(visible(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _versions(members: Sequence[MemberNow]) -> list[str]:
    """Who is to be upgraded is seen at a glance."""
    counted = Counter(one.member.version for one in members)
    if len(counted) < 2:
        return []
    listed = ", ".join(f"{visible(version)} ({number})" for version, number in sorted(counted.items()))
    return [f"{len(counted)} versions side by side: {listed}"]


def _state(one: MemberNow) -> str:
    late = one.state in (MemberState.SERVING, MemberState.DRAINING) and one.silent > one.member.lease
    return "silent: nobody has noticed yet" if late else _STATES[one.state]


def fleet_json(fleet: FleetNow) -> str:
    """`members`, `sites` and `waiting`; seconds and rates as numbers."""
    lines = [{"machines": number, "why": why} for why, number in stuck(fleet.queued, fleet.members).items()]
    return json.dumps(
        {
            "members": [_member_values(one) for one in fleet.members],
            "sites": [_site_values(one) for one in sites_now(fleet.members)],
            "waiting": {"machines": sum(one.units for one in fleet.queued), "stuck": lines},
        },
        indent=2,
    )


def _member_values(one: MemberNow) -> dict[str, Any]:
    return {
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


def _site_values(one: SiteNow) -> dict[str, Any]:
    return {
        "site": one.site,
        "workers": one.workers,
        "in_hand": one.units,
        "files_per_second": round(one.pace.files_per_second, 1),
        "bytes_per_second": round(one.pace.bytes_per_second),
    }
