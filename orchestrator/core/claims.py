"""What a selection lays claim to below its destination, and whose claims meet.

Letter case does not count here: whether the target tells `FS01` from `fs01` is not known while a plan is made, and
files of two machines in one folder are worse than a plan that asks for another destination.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.core.paths import GuestPath, components, fold, volume_folder

Claim = tuple[str, ...]
"""The names from the root of the file system down to where a requested path lands."""


def claims(destination: str, paths: Iterable[GuestPath]) -> tuple[Claim, ...]:
    """One claim for each path; `*` claims the whole destination."""
    return tuple(tuple(map(fold, (*components(destination), *_landing(path)))) for path in paths)


def _landing(path: GuestPath) -> Claim:
    if path.volume == "*":
        return ()
    folder = volume_folder(path.volume)
    return (folder, *path.parts) if folder else path.parts


def meet(one: Claim, other: Claim) -> bool:
    """Whether one is the other or lies below it, so that both may write the same file."""
    return one[: len(other)] == other[: len(one)]


@dataclass(slots=True)
class _Node:
    claim: Claim
    owners: list[str]
    """The first two different owners: enough to find one that is another."""
    unmet: list[str] = field(default_factory=list)


def rivals(claimed: Iterable[tuple[Claim, str]]) -> dict[tuple[Claim, str], str]:
    """For each claim and owner that meet a claim of another owner: one such owner.

    Sorted, a claim stands right before all that lie below it, so an estate of thousands of machines takes one pass.
    """
    found: dict[tuple[Claim, str], str] = {}
    above: list[_Node] = []
    for claim, owner in sorted(set(claimed)):
        while above and not meet(above[-1].claim, claim):
            above.pop()
        for node in above:
            other = next((one for one in node.owners if one != owner), None)
            if other is None:
                continue
            found.setdefault((claim, owner), other)
            for one in node.unmet:
                if one != owner:
                    found.setdefault((node.claim, one), owner)
            node.unmet = [one for one in node.unmet if one == owner]
        if not (above and above[-1].claim == claim):
            above.append(_Node(claim, []))
        if len(above[-1].owners) < 2:
            above[-1].owners.append(owner)
        if (claim, owner) not in found:
            above[-1].unmet.append(owner)
    return found
