"""What a file is beside its bytes, as this system tells it: mode, owner, times, extended attributes, links.

The only place that reads them. On Windows, attributes and the time of creation are told; owner, descriptor and
streams are not read by the system's own functions here.
"""

import errno
import os
import stat

from orchestrator.core.fidelity import ACL_XATTRS, Properties, Property
from orchestrator.core.paths import SourcePath
from orchestrator.files.holes import may_have_holes
from orchestrator.files.system import READ_FILE, WINDOWS, is_link, open_path, system_path

XATTRS_AT_MOST = 1 << 20
"""Bytes of the extended attributes of one file that are kept in memory; what is beyond counts as lost."""

UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY})
"""What a file system says that does not have a property at all."""

_GONE = frozenset({errno.ENODATA}) if hasattr(errno, "ENODATA") else frozenset[int]()


def read_properties(opened: int | str) -> Properties:
    """What an open file or folder is; or, by its path, a link or what cannot be opened, without following. OSError."""
    status = os.fstat(opened) if isinstance(opened, int) else os.lstat(opened)
    xattrs, unread = _xattrs(opened)
    linked = is_link(status)
    return Properties(
        mode=None if WINDOWS else stat.S_IMODE(status.st_mode),
        uid=None if WINDOWS else status.st_uid,
        gid=None if WINDOWS else status.st_gid,
        modified_ns=status.st_mtime_ns,
        accessed_ns=status.st_atime_ns,
        created_ns=getattr(status, "st_birthtime_ns", None),
        changed_ns=None if WINDOWS else status.st_ctime_ns,
        attributes=getattr(status, "st_file_attributes", None),
        xattrs=xattrs,
        link_to=os.readlink(opened) if linked and isinstance(opened, str) else None,
        identity=(status.st_dev, status.st_ino) if status.st_ino else None,
        links=status.st_nlink,
        sparse=may_have_holes(status),
        unread=unread,
    )


def properties_at(path: SourcePath) -> Properties:
    """What a folder, file or link of a share is; a link is not followed. OSError."""
    place = system_path(path.root, path.relative)
    if WINDOWS or stat.S_ISLNK(os.lstat(place).st_mode):
        return read_properties(place)
    descriptor = open_path(place, READ_FILE)
    try:
        return read_properties(descriptor)
    finally:
        os.close(descriptor)


def _xattrs(opened: int | str) -> tuple[dict[str, bytes], frozenset[Property]]:
    """The extended attributes, and whose reading was refused. Only Linux has them where Python can reach them."""
    if not hasattr(os, "listxattr"):
        return {}, frozenset()
    follow = isinstance(opened, int)
    try:
        names = os.listxattr(opened, follow_symlinks=follow)
    except OSError as error:
        return {}, frozenset() if error.errno in UNSUPPORTED else frozenset({Property.XATTRS, Property.ACL})
    found: dict[str, bytes] = {}
    unread: set[Property] = set()
    room = XATTRS_AT_MOST
    for name in names:
        try:
            value = os.getxattr(opened, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _GONE:
                unread.add(Property.ACL if name in ACL_XATTRS else Property.XATTRS)
            continue
        room -= len(name) + len(value)
        if room < 0:
            unread.add(Property.XATTRS)
            break
        found[name] = value
    return found, frozenset(unread)
