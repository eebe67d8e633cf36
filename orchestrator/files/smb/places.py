"""Where destinations by UNC path lie: their share, the allowed folder above them, the folders in them."""

import errno
import os
import re
from abc import ABC
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from orchestrator.core.entries import NOTHING, Found, FoundKind
from orchestrator.core.errors import FileError
from orchestrator.core.paths import PathRefused, TargetPath, check_windows_name, lies_below
from orchestrator.core.reasons import Reason
from orchestrator.files.folders import link_in_path
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.share import Share, join
from orchestrator.files.smb.shared import Shared
from orchestrator.files.smb.shares import Shares


class SmbPlaces(ABC):
    """Finds what is below the UNC folders `_allow`. Methods raise OSError, or FileError for what may not be."""

    _allow: tuple[str, ...]
    _shares: Shares
    _common: Shared
    _made: deque[str]
    """The UNC paths of folders that were made."""

    def _stands_now(self, target: TargetPath) -> Found:
        """What the server itself says of a path, whatever is remembered of it. OSError."""
        above, _, name = target.relative.rpartition("/")
        try:
            folder = self._folder(target.root, above, make=False)
        except FileNotFoundError:
            return NOTHING
        return folder.share.again(lambda live: look(live, folder.at(name)))

    def _standing(self, target: TargetPath) -> tuple[HeldFolder, Found, str]:
        """(its folder, what the server tells of it now, its name) of a file that stands at `target`. OSError."""
        above, name = split(target)
        folder = self._folder(target.root, above, make=False)
        found = self._stands_now(target)
        if found.kind is FoundKind.NOTHING:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        if found.kind is FoundKind.OTHER:
            raise link_in_path(name)
        if found.kind is FoundKind.FOLDER:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return folder, found, name

    def _folder(self, root: str, relative: str, *, make: bool) -> HeldFolder:
        share, allowed, names = self._split_root(root)
        below = tuple(checked(name) for name in relative.split("/")) if relative else ()

        def made(left: int) -> None:
            whole = [*_names(root), *below]
            self._made.append("\\\\" + join(*whole[: len(whole) - left]))

        return self._common.holding.folder(share, allowed, (*names, *below), make=make, made=made)

    def _nearest(self, share: Share, allowed: str, names: tuple[str, ...]) -> str:
        """The nearest existing folder to a destination, as a path below the share; no link below `allowed` is
        followed."""
        for count in range(len(names), -1, -1):
            with suppress(FileNotFoundError):
                return self._common.holding.folder(share, allowed, names[:count], make=False).path
        above = allowed.split("\\")
        while above:
            above.pop()
            path = join(*above)
            if share.again(partial(look, path=path)).kind is not FoundKind.NOTHING:
                return path
        return ""

    def _split_root(self, root: str) -> tuple[Share, str, tuple[str, ...]]:
        """(the share, the longest allowed folder that holds `root` as a path below it, the names from there)."""
        split = self._common.splits.get(root)
        if split is None:
            split = self._common.splits[root] = _split_allowed(root, self._allow)
        unc, count = split
        share, path = self._shares.at(unc)
        names = path.split("\\") if path else []
        # Below a DFS link in `root` there are fewer names than below the allowed folder.
        first = max(0, len(names) - count)
        return share, join(*names[:first]), tuple(names[first:])


def split(path: TargetPath) -> tuple[str, str]:
    """(the folder below the root, the name in it)."""
    above, _, name = path.relative.rpartition("/")
    return above, checked(name)


def checked(name: str) -> str:
    """`name`, if it is one that a share can hold and that stays in its folder."""
    try:
        check_windows_name(name)
    except PathRefused as error:
        raise FileError(reason=error.reason, guest_path=name, what=str(error)) from error
    return name


def _names(path: str) -> list[str]:
    return [name for name in re.split(r"[\\/]", path) if name not in ("", ".")]


def _split_allowed(root: str, allow: Sequence[str]) -> tuple[str, int]:
    """(`root` as a plain UNC path, how many of its names are below the longest allowed folder that holds it).
    FileError when none does, or a name is none that a share can hold."""
    for allowed in sorted(allow, key=len, reverse=True):
        if lies_below(root, [allowed]):
            names = _names(root)
            below = names[len(_names(allowed)) :]
            return "\\\\" + join(*names), len(tuple(map(checked, below)))
    what = f"it is below none of targets.allow ({', '.join(allow)})"
    raise FileError(reason=Reason.OUTSIDE_TARGET, guest_path=root, what=what)
