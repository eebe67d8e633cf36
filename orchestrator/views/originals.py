"""What Enterprise Manager has restored to its original location itself, in words."""

from orchestrator.core.in_place import standing_of
from orchestrator.core.plan import Selection
from orchestrator.core.report import OriginalReport
from orchestrator.views.units import size

SHOWN = 20
"""So many paths are shown one by one; report.json has all of them."""


def original_words(one: OriginalReport) -> str:
    """`restored (keep), 1 file, 12 B`; what EM does not tell is said to be unknown."""
    told = f"{one.result} ({one.standing})"
    if one.files is not None and one.bytes is not None:
        return f"{told}, {one.files} file, {size(one.bytes)}"
    return f"{told}, number and size of its files unknown"


def destination_words(selection: Selection) -> str:
    """Where a selection of a plan that EM restores itself goes, and how."""
    account = f", as {selection.guest_credentials}" if selection.guest_credentials else ""
    return f"its original location, by Enterprise Manager ({standing_of(selection).value}{account})"
