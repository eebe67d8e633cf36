"""NTSTATUS values as OSError: the only place that knows them. Source: MS-ERREF 2.3.1."""

import errno
import os

OK = 0
PENDING = 0x00000103
NO_MORE_FILES = 0x80000006
END_OF_FILE = 0xC0000011
NO_SUCH_FILE = 0xC000000F

_ERRNO = {
    0xC0000022: (errno.EACCES, "access denied"),
    0xC0000061: (errno.EACCES, "the account lacks a privilege"),
    0xC0000034: (errno.ENOENT, "No such file or directory"),
    0xC000003A: (errno.ENOENT, "No such file or directory"),
    NO_SUCH_FILE: (errno.ENOENT, "No such file or directory"),
    0xC0000033: (errno.ENOENT, "the server takes the name for invalid"),
    0xC0000056: (errno.ENOENT, "the file is being deleted"),
    0xC0000103: (errno.ENOTDIR, "not a folder"),
    0xC00000BA: (errno.EISDIR, "a folder"),
    0xC0000043: (errno.EBUSY, "another program holds the file"),
    0xC0000054: (errno.EBUSY, "another program has locked a part of the file"),
    0xC0000106: (errno.ENAMETOOLONG, "the name is too long for the server"),
    0x8000002D: (errno.ELOOP, "a symbolic link is on the way"),
    0xC0000280: (errno.ELOOP, "a symbolic link leads in a circle"),
    0xC00000CC: (errno.ENOENT, "the server has no such share"),
    0xC00000C9: (errno.ENOTCONN, "the share has been taken away"),
    0xC0000203: (errno.ENOTCONN, "the server has ended the session"),
    0xC000035C: (errno.ENOTCONN, "the server has ended the session for want of a fresh ticket"),
    0xC0000205: (errno.EIO, "the server is short of resources"),
    0xC000009A: (errno.EIO, "the server is short of resources"),
    0xC000009C: (errno.EIO, "the server's disk cannot read it"),
    0xC0000185: (errno.EIO, "the server's disk failed"),
    0xC000026E: (errno.EIO, "the volume is no longer mounted at the server"),
    0xC0000102: (errno.EIO, "the file is corrupt at the server"),
    0xC0000906: (errno.EACCES, "an antivirus program at the server refuses the file"),
}

SESSION_GONE = frozenset({0xC0000203, 0xC000035C, 0xC00000C9})
"""The session or the share's connection has ended at the server; a new logon may help."""


class StatusError(OSError):
    """A refusal of the server."""

    def __init__(self, status: int, path: str) -> None:
        number, words = _ERRNO.get(status, (errno.EIO, os.strerror(errno.EIO)))
        super().__init__(number, f"{words} (NTSTATUS 0x{status:08X})", path)
        self.status = status
