"""Road "original": what entries may ask EM to restore to its original location, inside the guest, and where two of them
mean the same files."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.claims import touching
from orchestrator.core.entry import Conflict, Restore
from orchestrator.core.fidelity import Metadata
from orchestrator.core.landings import Doubled
from orchestrator.core.originals import Standing
from orchestrator.core.paths import GuestPath, fold
from orchestrator.core.plan import MountGroup, PlanProblem, Selection
from orchestrator.core.roads import Road


def standing_of(selection: Selection) -> Standing:
    """What becomes of a file that stands where one comes back."""
    if selection.wishes.metadata is Metadata.PERMISSIONS:
        return Standing.PERMISSIONS_ONLY
    return Standing.OVERWRITE if selection.on_conflict is Conflict.OVERWRITE else Standing.KEEP


def allowed_guest(vm: str, allowed: Sequence[str]) -> bool:
    """Whether EM may restore into that machine: it matches a name or glob, whatever the letter case."""
    return any(fnmatchcase(vm.casefold(), glob.casefold()) for glob in allowed)


def in_place_problems(
    number: int, entry: Restore, paths: Iterable[GuestPath], point: RestorePoint, allowed: Sequence[str]
) -> Iterator[PlanProblem]:
    """What keeps an entry from being restored into the machine of `point`."""
    if not allowed_guest(point.vm, allowed):
        named = ", ".join(allowed) or "none"
        text = f"the config lets Enterprise Manager restore into no guest {point.vm!r} (targets.guests: {named})"
        yield PlanProblem(number, "road", f"{text}; name it there, or restore to a folder")
    whole = next((path for path in paths if not path.parts), None)
    if whole is not None:
        text = f"{whole} is a whole volume, which is not restored into a running machine; name folders or files"
        yield PlanProblem(number, "paths", text)
    linux = entry.os is GuestOs.LINUX or any(path.linux for path in paths)
    if linux and entry.metadata is Metadata.PERMISSIONS:
        yield PlanProblem(number, "metadata", "Enterprise Manager restores permissions alone only in Windows guests")


def doubly_asked(groups: Sequence[MountGroup]) -> Doubled:
    """Selections that would have EM restore the same files of a machine twice: the result would depend on which comes
    last. Machines are told apart by their name and backup server."""
    by_machine: dict[tuple[str, str], list[tuple[MountGroup, Selection]]] = {}
    for group in groups:
        if group.road is Road.ORIGINAL:
            machine = group.vm.casefold(), group.point.backup_server.casefold()
            by_machine.setdefault(machine, []).extend((group, one) for one in group.selections)
    found: dict[tuple[str, Selection], PlanProblem] = {}
    by_entry: dict[int, PlanProblem] = {}
    for asked in by_machine.values():
        for place, (group, one) in enumerate(asked):
            for other_group, other in asked[:place]:
                if (other_group.id, other) in found or not touching(_claims(one), _claims(other)):
                    continue
                text = f"entry {other.entry} has Enterprise Manager put the same files of {group.vm} back"
                problem = PlanProblem(one.entry, "paths", f"{text}; take them out of one of the two")
                found[group.id, one] = by_entry.setdefault(one.entry, problem)
                break
    return found


def _claims(selection: Selection) -> list[tuple[str, ...]]:
    return [(fold(path.volume), *map(fold, path.parts)) for path in selection.paths]
