"""Putting on a file or folder what it is beside its bytes, as far as this system and its file system can.

The only place that does. On Windows only the times are put on; the rest is left for the sidecar.

The order is that of chown(2), which takes away capabilities and the bits that make a program run as its owner: owner,
then extended attributes and ACLs, then the mode, then the times.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from orchestrator.core.fidelity import ACCESS_ACL, ACL_XATTRS, Properties, Property, Wishes
from orchestrator.files.owners import AS_IT_IS, wanted_owner
from orchestrator.files.system import WINDOWS

RUNS_AS_OWNER = stat.S_ISUID | stat.S_ISGID
"""Bits that give a program the rights of its owner: they are only set when the owner is the one of the backup, and the
content was written just now. Size and time, which is all that is known of another, anybody can give to a file."""

CAPABILITY = "security.capability"
"""The attribute that gives a program some of the rights of root (capabilities(7)); it is set as those bits are."""

PLAIN_ATTRIBUTES = 0x10 | 0x20 | 0x80 | 0x200 | 0x400
"""FILE_ATTRIBUTE_DIRECTORY, ARCHIVE, NORMAL, SPARSE_FILE and REPARSE_POINT say nothing that a copy could lose."""


def dress(
    opened: int | str, has: Properties, wishes: Wishes, *, ours: bool, whole: bool
) -> tuple[frozenset[Property], frozenset[Property]]:
    """(put on, left over) of what `has` holds and `wishes` want. `opened` is a descriptor, or on Windows a path; `ours`
    is a file that was written just now and has no name yet: no other gets rights of its owner that it has not. `whole`
    says that `has` is all that the source told: ACLs that are not in it are taken off.

    OSError only when the file itself cannot be looked at; what a file system does not take is left over.
    """
    asked = frozenset(one for one in _present(has) if wishes.wants(one))
    if WINDOWS:
        done = _times(opened, has) if Property.TIMES in asked else frozenset()
        return done, asked - done
    failed: set[Property] = set()
    trusted = ours or _stands(opened, has, wishes)
    if Property.OWNER in asked and not _own(opened, has, wishes):
        failed.add(Property.OWNER)
    if Property.XATTRS in asked and not _xattrs(opened, has.plain_xattrs.items(), ours=ours):
        failed.add(Property.XATTRS)
    if Property.ACL in asked and not _xattrs(opened, has.acls.items()):
        failed.add(Property.ACL)
    if Property.MODE in asked:
        if whole:
            _without_acls(opened, has)
        owned = trusted and Property.OWNER in asked - failed
        if not _mode(opened, has, owned=owned, ours=ours):
            failed.add(Property.MODE)
    if Property.TIMES in asked:
        failed |= {Property.TIMES} - _times(opened, has)
    left = failed | (asked & _FOREIGN)
    return asked - left, frozenset(left)


_FOREIGN = frozenset({Property.CREATED, Property.ATTRIBUTES, Property.STREAMS, Property.DESCRIPTOR, Property.AUDIT})
"""What only file systems of Windows hold."""


def _present(has: Properties) -> Iterable[Property]:
    if has.mode is not None:
        yield Property.MODE
    if has.uid is not None:
        yield Property.OWNER
    if has.modified_ns is not None:
        yield Property.TIMES
    if has.created_ns is not None:
        yield Property.CREATED
    if has.plain_xattrs:
        yield Property.XATTRS
    if has.acls:
        yield Property.ACL
    if (has.attributes or 0) & ~PLAIN_ATTRIBUTES:
        yield Property.ATTRIBUTES
    if has.streams:
        yield Property.STREAMS
    if has.descriptor is not None:
        yield Property.DESCRIPTOR


def _stands(opened: int | str, has: Properties, wishes: Wishes) -> bool:
    """Whether a file has the owner and mode already that it should have, so that it is given nothing."""
    status = os.stat(opened)
    return stat.S_IMODE(status.st_mode) == has.mode and _is_owned(status, *(wanted_owner(has, wishes) or (None, None)))


def _own(opened: int | str, has: Properties, wishes: Wishes) -> bool:
    """Whether the file now has the owner it should have. Who is not root may still give it to a group of theirs."""
    wanted = wanted_owner(has, wishes)
    if wanted is None:
        return True
    user, group = wanted
    status = os.stat(opened)
    for uid, gid in ((user, group), (None, group)):
        if _is_owned(status, uid, gid):
            break
        with suppress(OSError):
            os.chown(opened, AS_IT_IS if uid is None else uid, AS_IT_IS if gid is None else gid)
            status = os.stat(opened)
            break
    return user is not None and group is not None and _is_owned(status, user, group)


def _is_owned(status: os.stat_result, user: int | None, group: int | None) -> bool:
    return user in (None, status.st_uid) and group in (None, status.st_gid)


def _xattrs(opened: int | str, xattrs: Iterable[tuple[str, bytes]], *, ours: bool = True) -> bool:
    """Whether all of them were taken; those that are, stay."""
    taken = True
    for name, value in xattrs:
        try:
            if ours or name != CAPABILITY:
                os.setxattr(opened, name, value)
            elif os.getxattr(opened, name) != value:
                taken = False
        except (OSError, AttributeError):  # no such call on this system
            taken = False
    return taken


def _without_acls(opened: int | str, has: Properties) -> None:
    """Take off the ACLs that the backup does not have: a new file may have got some from its folder."""
    if not hasattr(os, "removexattr"):
        return
    for name in ACL_XATTRS.difference(has.xattrs):
        with suppress(OSError):
            os.removexattr(opened, name)


def _has_another_acl(opened: int | str, has: Properties) -> bool:
    try:
        return os.getxattr(opened, ACCESS_ACL) != has.xattrs.get(ACCESS_ACL)
    except (OSError, AttributeError):  # it has none
        return False


def _mode(opened: int | str, has: Properties, *, owned: bool, ours: bool) -> bool:
    wanted = has.mode or 0
    status = os.stat(opened)
    may_run = owned and (ours or stat.S_IMODE(status.st_mode) == wanted)
    if not may_run and not stat.S_ISDIR(status.st_mode):
        wanted &= ~RUNS_AS_OWNER
    if _has_another_acl(opened, has):
        wanted &= ~stat.S_IRWXG | status.st_mode  # there these bits are the most that it gives to anybody (acl(5))
    if stat.S_IMODE(status.st_mode) != wanted:
        with suppress(OSError):
            os.chmod(opened, wanted)
            status = os.stat(opened)
    return stat.S_IMODE(status.st_mode) == has.mode


def _times(opened: int | str, has: Properties) -> frozenset[Property]:
    """TIMES when the file system holds them to the nanosecond."""
    modified = has.modified_ns or 0
    accessed = modified if has.accessed_ns is None else has.accessed_ns
    try:
        os.utime(opened, ns=(accessed, modified))
        status = os.stat(opened)
    except OSError:
        return frozenset()
    exact = status.st_mtime_ns == modified and status.st_atime_ns == accessed
    return frozenset({Property.TIMES}) if exact else frozenset()


def dress_link(
    path: str, owner: tuple[int | None, int | None], times: tuple[int, int], folder: int | None = None
) -> frozenset[Property]:
    """Give a symbolic link its owner (None: as it is) and its times (accessed, modified), without following it; which
    of the two it took whole. `path` is below the descriptor `folder`, when there is one."""
    taken: set[Property] = set()
    user, group = (AS_IT_IS if one is None else one for one in owner)
    with suppress(OSError, NotImplementedError, AttributeError):  # Windows
        os.chown(path, user, group, dir_fd=folder, follow_symlinks=False)
        if AS_IT_IS not in (user, group):
            taken.add(Property.OWNER)
    with suppress(OSError, NotImplementedError):
        os.utime(path, ns=times, dir_fd=folder, follow_symlinks=False)
        taken.add(Property.TIMES)
    return frozenset(taken)
