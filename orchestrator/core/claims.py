"""What a selection lays claim to below its destination, and whose claims meet.

Letter case does not count here: whether the target tells `FS01` from `fs01` is not known while a plan is made, and
files of two machines in one folder are worse than a plan that asks for another destination.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import ascii_uppercase

from orchestrator.core.layout import PLAIN, Layout
from orchestrator.core.paths import GuestPath, components, fold

Claim = tuple[str, ...]
"""The names from the root of the file system down to where a requested path lands."""


_LIKELY = (GuestPath("/"), *(GuestPath(f"{letter}:") for letter in ascii_uppercase))


def claims(destination: str, paths: Iterable[GuestPath], layout: Layout = PLAIN) -> tuple[Claim, ...]:
    """One claim for each path. `*` claims the whole destination or, where that names the volume, a place for each
    volume that a guest is likely to have."""
    root = root_of(destination)
    return tuple((*root, *map(fold, layout.landing(one))) for path in paths for one in volumes_of(path, layout))


def root_of(destination: str) -> Claim:
    """The destination as a claim. Every claim of what lands there begins with it."""
    return tuple(map(fold, components(destination)))


def volumes_of(path: GuestPath, layout: Layout) -> tuple[GuestPath, ...]:
    """`path`, or for `*` the volumes that lie apart from each other by the name of the volume in the destination."""
    return _LIKELY if path.volume == "*" and layout.below else (path,)


def meet(one: Claim, other: Claim) -> bool:
    """Whether one is the other or lies below it, so that both may write the same file."""
    return one[: len(other)] == other[: len(one)]


def touching(ones: Iterable[Claim], others: Iterable[Claim]) -> bool:
    """Whether any of `ones` meets any of `others`."""
    ones, others = set(ones), set(others)
    return _reaches(ones, others) or _reaches(others, ones)


def _reaches(above: set[Claim], below: set[Claim]) -> bool:
    """Whether one of `below` is or lies below one of `above`."""
    return any(one[:length] in above for one in below for length in range(len(one) + 1))


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
