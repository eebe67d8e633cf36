"""Names that are no copies: symbolic links with the text of the backup's, and further names of one file.

Neither is ever made through a link, and a name that is there is replaced in one step: what is made stands under the
partial name of its own first.
"""

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.core.fidelity import Properties, Property, Wishes
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.folder import Folder
from orchestrator.files.owners import wanted_owner

LINKS_UNKNOWN = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system says that has no links (symlink(2): EPERM)."""


@contextmanager
def forgetting(folder: Folder) -> Iterator[None]:
    """When a name is taken that the folder took for free, the next look at it sees what is there."""
    try:
        yield
    except FileExistsError:
        folder.forget_names()
        raise


def make_link(
    folder: Folder, name: str, has: Properties, replace: bool, wishes: Wishes, author: Author = ALONE
) -> tuple[frozenset[Property], frozenset[Property]]:
    """(put on, left over). The link is left over where the file system has none, or does not take its owner and times.
    OSError; FileExistsError when the name is taken and not to be replaced."""
    text = has.link_to
    if not text:
        raise OSError(errno.EIO, "the text of the link could not be read", name)
    partial = author.begun(folder, name)
    asked = _asked(has, wishes)
    if has.link_is_foreign:
        return frozenset(), asked | {Property.LINK}
    try:
        _made(folder, text, partial)
    except OSError as error:
        if error.errno in LINKS_UNKNOWN:
            return frozenset(), asked | {Property.LINK}
        raise
    try:
        taken = folder.dress_link(partial, _owner(has, wishes), _times(has)) if asked else frozenset[Property]()
        author.check()
        folder.rename(partial, name, replace=replace)
    except BaseException:
        with suppress(OSError):
            folder.remove(partial)
        raise
    return (taken & asked) | {Property.LINK}, asked - taken


def name_again(other: Folder, first: str, folder: Folder, name: str, replace: bool, author: Author = ALONE) -> None:
    """Give the file `first` of the folder `other` the name `name` in `folder` too. OSError."""
    if not stat.S_ISREG(other.status(first).st_mode):
        raise OSError(errno.ELOOP, "no plain file to link to", first)
    partial = author.begun(folder, name)
    with suppress(FileNotFoundError):
        folder.remove(partial)
    folder.make_name(other, first, partial)
    try:
        author.check()
        folder.rename(partial, name, replace=replace)
    finally:
        # A rename of one name of a file to another one of the same file does nothing (rename(2)).
        with suppress(OSError):
            folder.remove(partial)


def _made(folder: Folder, text: str, partial: str) -> None:
    try:
        folder.make_link(text, partial)
    except FileExistsError:
        folder.remove(partial)
        folder.make_link(text, partial)


def _asked(has: Properties, wishes: Wishes) -> frozenset[Property]:
    """What is wanted of a link besides its text, as far as the source tells it."""
    told = {Property.OWNER: has.uid, Property.TIMES: has.modified_ns}
    return frozenset(one for one, value in told.items() if value is not None and wishes.wants(one))


def _owner(has: Properties, wishes: Wishes) -> tuple[int | None, int | None]:
    return wanted_owner(has, wishes) or (None, None)


def _times(has: Properties) -> tuple[int, int]:
    modified = has.modified_ns or 0
    return (modified if has.accessed_ns is None else has.accessed_ns), modified
