"""NTSTATUS values as OSError: the only place that knows them. Source: MS-ERREF 2.3.1."""

import errno
import os

OK = 0
PENDING = 0x00000103
NO_MORE_FILES = 0x80000006
END_OF_FILE = 0xC0000011
NO_SUCH_FILE = 0xC000000F
BUFFER_OVERFLOW = 0x80000005
ACCESS_DENIED = 0xC0000022
NAME_INVALID = 0xC0000033
NAME_TAKEN = 0xC0000035
NO_SUCH_NAME, NO_SUCH_PATH = 0xC0000034, 0xC000003A
SHARING_VIOLATION = 0xC0000043
BUFFER_TOO_SMALL = 0xC0000023
PRIVILEGE_MISSING = 0xC0000061
REFUSED = frozenset({ACCESS_DENIED, PRIVILEGE_MISSING})
"""The account lacks a right or a privilege."""
NO_SUCH_SHARE = 0xC00000CC
CANNOT_DELETE = 0xC0000121
NOT_A_LINK = 0xC0000275

_ERRNO = {
    ACCESS_DENIED: (errno.EACCES, "access denied"),
    PRIVILEGE_MISSING: (errno.EACCES, "the account lacks a privilege"),
    NO_SUCH_NAME: (errno.ENOENT, "No such file or directory"),
    NO_SUCH_PATH: (errno.ENOENT, "No such file or directory"),
    NO_SUCH_FILE: (errno.ENOENT, "No such file or directory"),
    NAME_INVALID: (errno.ENOENT, "the server takes the name for invalid"),
    0xC0000056: (errno.ENOENT, "the file is being deleted"),
    0xC0000103: (errno.ENOTDIR, "not a folder"),
    0xC00000BA: (errno.EISDIR, "a folder"),
    SHARING_VIOLATION: (errno.EBUSY, "another program holds the file"),
    0xC0000054: (errno.EBUSY, "another program has locked a part of the file"),
    0xC0000106: (errno.ENAMETOOLONG, "the name is too long for the server"),
    0x8000002D: (errno.ELOOP, "a symbolic link is on the way"),
    0xC0000280: (errno.ELOOP, "a symbolic link leads in a circle"),
    NO_SUCH_SHARE: (errno.ENOENT, "the server has no such share"),
    0xC0000257: (errno.ELOOP, "a link of a DFS namespace"),
    0xC00000C9: (errno.ENOTCONN, "the share has been taken away"),
    0xC0000203: (errno.ENOTCONN, "the server has ended the session"),
    0xC000035C: (errno.ENOTCONN, "the server has ended the session for want of a fresh ticket"),
    0xC0000205: (errno.EIO, "the server is short of resources"),
    0xC000009A: (errno.EIO, "the server is short of resources"),
    0xC000009C: (errno.EIO, "the server's disk cannot read it"),
    0xC0000185: (errno.EIO, "the server's disk failed"),
    0xC000026E: (errno.EIO, "the volume is no longer mounted at the server"),
    0xC0000102: (errno.EIO, "the file is corrupt at the server"),
    NAME_TAKEN: (errno.EEXIST, "File exists"),
    0xC0000101: (errno.ENOTEMPTY, "the folder is not empty"),
    0xC00000D4: (errno.EXDEV, "the folder is on another volume"),
    CANNOT_DELETE: (errno.EACCES, "the server does not let it be replaced or removed"),
    0xC00000A2: (errno.EROFS, "the share is read-only"),
    0xC000007F: (errno.ENOSPC, "the share is full"),
    0xC0000044: (errno.EDQUOT, "the account's quota is used up"),
    0xC0000904: (errno.EFBIG, "the file is larger than the server takes"),
    0xC0000906: (errno.EACCES, "an antivirus program at the server refuses the file"),
    NOT_A_LINK: (errno.EINVAL, "it is no link"),
    0xC0000279: (
        errno.EIO,
        "the server lacks what reads it: deduplication, or the storage of its content",
    ),
}

SESSION_GONE = frozenset({0xC0000203, 0xC000035C, 0xC00000C9})
"""The session or the share's connection has ended at the server; a new logon may help."""


_CLOUD = range(0xC000CF00, 0xC000D000)
"""What a server says of a placeholder whose content it would have to fetch."""


class StatusError(OSError):
    """A refusal of the server."""

    status: int

    def __new__(cls, status: int, path: str) -> "StatusError":
        # For classes of one's own Python does not choose by the number.
        number, words = _ERRNO.get(status, (errno.EIO, os.strerror(errno.EIO)))
        if status in _CLOUD:
            words = "the content is in the cloud, and not in the backup"
        kind = _MissingError if cls is StatusError and number == errno.ENOENT else cls
        made = super().__new__(kind, number, f"{words} (NTSTATUS 0x{status:08X})", path)
        made.status = status
        return made


class _MissingError(StatusError, FileNotFoundError):
    """What is asked for is not there."""
