"""Who writes partial files, and under which names.

One process alone gives a partial file a name that depends on the final one alone, so that the leftovers of a killed run
are written over by the next one. Where several machines may come to write the same file, one after the other, each
has names of its own: one that was frozen, and does not know that the file is another's by now, can give a final name
to no copy but its own, and no longer to that once the other has begun.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from orchestrator.files.folder import Folder
from orchestrator.files.probing import PARTIAL_SUFFIX

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

MARK = 12
"""Characters of an author's id in the names of his partial files; ids are hex digits by chance."""


def partial_name(name: str, mark: str = "") -> str:
    """The name a file is staged under: hidden, stable, and short whatever the length of `name`."""
    short = hashlib.blake2b(name.encode(_ENCODING, _ERRORS), digest_size=8).hexdigest()
    return f".{short}{mark}{PARTIAL_SUFFIX}"


def _mark(id: str) -> str:
    return f".{id[:MARK]}" if id else ""


def _anybody() -> None:
    """A process alone may always write."""


class Author:
    """Who writes partial files: `id` is empty for a process alone. `predecessors` are the ids of those who may have
    left partial files of the same files; it may grow. `check` raises when nothing may get its name any more."""

    def __init__(self, id: str = "", predecessors: Sequence[str] = (), check: Callable[[], None] = _anybody) -> None:
        self._mark = _mark(id)
        self._predecessors = predecessors
        self.check = check

    def partial(self, name: str) -> str:
        """What a file that is to be `name` is called until it is whole."""
        return partial_name(name, self._mark)

    def strays(self, name: str) -> list[str]:
        """What those before may have called it. It is removed before it is written anew: then nobody else can give it
        its name."""
        return [partial_name(name, _mark(one)) for one in self._predecessors]

    def begun(self, folder: Folder, name: str) -> str:
        """`partial`, with nothing left of those before."""
        for stray in self.strays(name):
            with suppress(OSError):
                folder.remove(stray)
        return self.partial(name)


ALONE = Author()
