"""Drive letters that EM does not show: a Linux mount host cannot tell them, and every volume has an id for a name.

A letter is taken to be the one volume that holds all that is asked for below it. A volume has one letter and a letter
one volume; what contradicts that, or is held by none or by several, is not guessed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from orchestrator.core.errors import MountStalled
from orchestrator.core.events import Notice
from orchestrator.core.locate import Volume
from orchestrator.core.paths import GuestPath, SourcePath
from orchestrator.core.plan import MountGroup
from orchestrator.engine.calls import Calls
from orchestrator.engine.matching import Located
from orchestrator.engine.requests import Request, requests_of
from orchestrator.engine.rooms import Rooms

LETTERS_LOST = (
    "EM shows no drive letters, as with a Linux mount host, and what is asked for on this one is not on exactly one "
    "volume. Name a folder that only one volume has"
)
"""Why a letter is not guessed, and what helps; more may follow, or a full stop."""


def lost_letters(group: MountGroup, names: Sequence[str]) -> dict[str, list[GuestPath]]:
    """What is asked for below drive letters, by letter, when the roots `names` of a mount have none. Nothing where
    whole volumes are asked for by `*`, which needs no letters."""
    paths = list(dict.fromkeys(path for one in group.selections for path in one.paths))
    if not group.windows or not names or any(re.fullmatch(r"[A-Za-z]:", name) for name in names):
        return {}
    if any(path.volume == "*" for path in paths):
        return {}
    lost: dict[str, list[GuestPath]] = {}
    for path in paths:
        if re.fullmatch(r"[A-Za-z]:", path.volume):
            lost.setdefault(path.volume.upper(), []).append(path)
    return lost


async def find_letters(
    rooms: Rooms,
    calls: Calls,
    group: MountGroup,
    lost: Mapping[str, Sequence[GuestPath]],
    located: Located,
    names: Sequence[str],
) -> list[Request]:
    """The requests of `group`, with the letters that could be told among the roots `names`; their volumes are added to
    what is `located`, and each is told. Raises MountStalled."""
    found: dict[str, Volume] = {}
    for letter, paths in lost.items():
        below = ["/".join(path.parts) for path in paths if path.parts]
        holding = [one for one in located.volumes if below and await _holds(rooms, calls, group.vm, one, below)]
        if len(holding) == 1:
            found[letter] = holding[0]
    roots = [one.root for one in found.values()]
    sure = {letter: one for letter, one in found.items() if roots.count(one.root) == 1}
    for letter, one in sure.items():
        told = f"{group.vm}: EM shows no drive letters; {letter} is taken to be the volume {one.root}"
        rooms.emit(Notice(rooms.clock(), f"{told}, which alone holds what is asked for on {letter}"))
        located.volumes.append(replace(one, root=letter, volume=letter, prefix=()))
    requests, _ = requests_of(group, [*names, *sure])
    return requests


async def _holds(rooms: Rooms, calls: Calls, vm: str, volume: Volume, below: Sequence[str]) -> bool:
    """Whether a volume holds everything that is asked for below a letter."""
    root = volume.folder.root
    for relative in below:
        try:
            look = partial(rooms.source.look, SourcePath(root, relative))
            if await calls.run(root, look) is None:
                return False
        except TimeoutError as error:
            raise MountStalled(vm=vm, cause=f"{root}: {error.strerror}") from error
    return True
