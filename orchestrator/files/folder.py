"""One folder of a destination that the system opens, as what puts files there sees it; `folders` has the two kinds."""

import os
from typing import Protocol

from orchestrator.core.fidelity import Property
from orchestrator.files.rename import Place


class Folder(Protocol):
    """One folder of the destination. A name is always one component. `made` says whether entering it has made it."""

    made: bool

    def current(self) -> bool:
        """Whether this is still the folder that its path names."""
        ...

    def enter(self, name: str, *, make: bool) -> "Folder":
        """The folder `name` in this one, made if it is missing and `make`."""
        ...

    def lacks(self, name: str) -> bool:
        """Whether nothing stood at `name` when this was first asked; False when that is not known. Spares the look at
        each name of a folder that is new or nearly empty; what came later is found when a file is to get the name."""
        ...

    def listed(self, at_most: int) -> dict[str, os.stat_result] | None:
        """What stands in the folder, by name, without following links; None when that is more than `at_most` names."""
        ...

    def forget_names(self) -> None:
        """What `lacks` knows is out of date: it knows nothing any more."""
        ...

    def status(self, name: str) -> os.stat_result:
        """What stands at `name`; links are not followed."""
        ...

    def create(self, name: str, mode: int) -> int:
        """A descriptor for writing a new file, `mode` less the umask. FileExistsError if the name is taken."""
        ...

    def reopen(self, name: str) -> int:
        """A descriptor for reading and writing a file that is there; a link is not followed."""
        ...

    def read(self, name: str) -> int:
        """A descriptor for reading a file that is there; a link is not followed."""
        ...

    def at(self, name: str) -> Place:
        """`name` as a system call takes it that works in two folders at once."""
        ...

    @property
    def itself(self) -> int | str:
        """The folder, for what it is beside its content: a descriptor, or on Windows its path."""
        ...

    def make_link(self, text: str, name: str) -> None:
        """A symbolic link to `text`. FileExistsError if the name is taken."""
        ...

    def link_text(self, name: str) -> str | None:
        """What a symbolic link says; None when `name` is none, or nothing."""
        ...

    def dress_link(
        self, name: str, owner: tuple[int | None, int | None], times: tuple[int, int]
    ) -> frozenset[Property]:
        """Give a link its owner (None: as it is) and its times (accessed, modified); which of the two it took whole.
        The link is not followed."""
        ...

    def make_name(self, other: "Folder", old: str, name: str) -> None:
        """One more name for the file `old` of the folder `other`. FileExistsError if it is taken."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def set_file_times(self, name: str, descriptor: int, mtime_ns: int) -> None:
        """Set the times of a file that is still open."""
        ...

    def rename(self, old: str, new: str, *, replace: bool) -> None:
        """Give a file its final name. FileExistsError when that is taken and not `replace`."""
        ...

    def set_times(self, mtime_ns: int) -> None:
        """Set the times of the folder itself."""
        ...

    def sync(self) -> None:
        """Make renames in this folder survive a power cut."""
        ...
