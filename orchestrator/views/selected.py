"""A selection of a plan: which files, and where each path lands."""

from typing import Any

from orchestrator.core.layout import PLAIN
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import Selection
from orchestrator.core.select import Bounds
from orchestrator.views.units import instant, size

SHOWN = 20
"""Paths of a selection that are shown one by one."""


def path_lines(selection: Selection) -> list[str]:
    """The first paths; with where they land, where that is not told by the destination alone."""
    lines = [_path(selection, path) for path in selection.paths[:SHOWN]]
    more = len(selection.paths) - SHOWN
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def _path(selection: Selection, path: GuestPath) -> str:
    if selection.layout == PLAIN or path.volume == "*":
        return str(path)
    return f"{path}  to {'/'.join((selection.destination.rstrip('/'), *selection.layout.landing(path)))}"


def bound_lines(bounds: Bounds) -> list[str]:
    """By which sizes and times files are chosen."""
    lines = []
    if bounds.larger_than is not None:
        lines.append(f"larger than {size(bounds.larger_than)}")
    if bounds.smaller_than is not None:
        lines.append(f"smaller than {size(bounds.smaller_than)}")
    if bounds.modified_after is not None:
        lines.append(f"changed since {instant(bounds.modified_after)}")
    if bounds.modified_before is not None:
        lines.append(f"changed before {instant(bounds.modified_before)}")
    return lines


def selected_values(selection: Selection) -> dict[str, Any]:
    """Bounds and layout for programs; only what is set."""
    bounds, layout = selection.bounds, selection.layout
    values: dict[str, Any] = {
        "larger_than": bounds.larger_than,
        "smaller_than": bounds.smaller_than,
        "modified_after": bounds.modified_after and bounds.modified_after.isoformat(),
        "modified_before": bounds.modified_before and bounds.modified_before.isoformat(),
        "strip": [str(path) for path in layout.strip],
        "drives": dict(layout.drives),
        "below": "/".join(layout.below),
    }
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}
