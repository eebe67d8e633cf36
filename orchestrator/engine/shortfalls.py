"""Outcomes of what was asked for and is not in the mount."""

from collections.abc import Mapping, Sequence

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup
from orchestrator.core.reasons import Reason
from orchestrator.core.select import Selector
from orchestrator.engine.lettering import LETTERS_LOST, lost_letters
from orchestrator.engine.walking import not_found

PATHS_SHOWN = 5
"""Paths that are named one by one in the message of a pattern; a list may have thousands."""


def no_volume(group: MountGroup, path: GuestPath, names: Sequence[str]) -> Outcome:
    """The outcome of a path for which the mount has no volume; `names` are those that it has."""
    there = f"it has {', '.join(names)}" if names else "EM shows no volume of it"
    hint = ' For a Linux guest say os = "linux".' if path.linux else ""
    if names and lost_letters(group, names):
        hint = f" {LETTERS_LOST}, or ask for every volume: *."
    return not_found(group, str(path), f"{group.vm} has no volume for {path}; {there}.{hint}")


def unmatched(group: MountGroup, path: GuestPath, root: str, message: str) -> Outcome:
    """The outcome of a path whose volume was not found on the share."""
    shown = f"{root}\\" if path.volume == "*" else str(path)
    return Outcome(group.id, shown, "", Verdict.FAILED, reason=Reason.MOUNT_FAILED, message=message)


def unmatched_patterns(group: MountGroup, selectors: Mapping[int, Selector]) -> list[Outcome]:
    """Include patterns that chose nothing: more likely a slip than a wish."""
    outcomes = []
    for number, selection in enumerate(group.selections):
        for pattern in selectors[number].unmatched:
            more = len(selection.paths) - PATHS_SHOWN
            where = ", ".join(map(str, selection.paths[:PATHS_SHOWN])) + (f" and {more:,} more" if more > 0 else "")
            message = (
                f"restore[{selection.entry}].include: {pattern!r} matched no file below {where}; check the pattern"
            )
            name = f"{where} ({pattern})"
            outcomes.append(Outcome(group.id, name, "", Verdict.FAILED, reason=Reason.NOTHING_MATCHED, message=message))
    return outcomes
