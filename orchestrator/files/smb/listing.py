"""The buffer of a directory query as children. Source: MS-FSCC 2.4.17, FileIdBothDirectoryInformation."""

import struct
from typing import NamedTuple

from orchestrator.files.smb.packets import BadAnswer

_CHILD = struct.Struct("<IIqqqqQQIIIBB24sHQ")
EPOCH = 116_444_736_000_000_000
"""1970 as FILETIME: hundreds of nanoseconds since 1601."""
_LAST_NS = (1 << 63) - 1
"""The latest time that a journal and a file system can hold, in nanoseconds since 1970."""

_FOLDER, _READ_ONLY, _REPARSE_POINT = 0x10, 0x1, 0x400
_NAME_SURROGATE = 0x20000000


class Child(NamedTuple):
    """One name in a folder. Times in nanoseconds since 1970 UTC, `size` in bytes; `tag` is the reparse tag or 0."""

    name: str
    attributes: int
    size: int
    written_ns: int
    newest_ns: int
    identity: int
    tag: int

    @property
    def folder(self) -> bool:
        return bool(self.attributes & _FOLDER)

    @property
    def link(self) -> bool:
        """Whether it stands for another place: symbolic link, junction, volume mount."""
        return bool(self.attributes & _REPARSE_POINT and self.tag & _NAME_SURROGATE)

    @property
    def read_only(self) -> bool:
        return bool(self.attributes & _READ_ONLY)


def is_folder(attributes: int) -> bool:
    return bool(attributes & _FOLDER)


def children(buffer: memoryview) -> list[Child]:
    """Every child in a buffer, `.` and `..` among them. BadAnswer for one that does not fit together."""
    found: list[Child] = []
    at = 0
    while True:
        if at + _CHILD.size > len(buffer):
            raise BadAnswer(f"a listing of {len(buffer)} bytes has an entry at {at}")
        (
            after, _, born, _, written, changed, size, _, attributes, length, extra, _, _, _, _, identity,
        ) = _CHILD.unpack_from(buffer, at)  # fmt: skip
        begin = at + _CHILD.size
        if length % 2 or begin + length > len(buffer) or (after and after < _CHILD.size + length):
            raise BadAnswer(f"a listing has a name of {length} bytes at {at} of {len(buffer)}")
        name = str(buffer[begin : begin + length], "utf-16-le", "surrogatepass")
        tag = extra if attributes & _REPARSE_POINT else 0
        written_ns = nanoseconds(written)
        newest = max(written_ns, nanoseconds(changed), nanoseconds(born))
        found.append(Child(name, attributes, size, written_ns, newest, identity, tag))
        if not after:
            return found
        at += after


def nanoseconds(filetime: int) -> int:
    """A FILETIME in nanoseconds since 1970 UTC, kept within what 64 bits can hold."""
    return max(-_LAST_NS, min(_LAST_NS, (filetime - EPOCH) * 100))
