"""What a server tells of an open file or of a file system, as values. Source: MS-FSCC 2.4.2, 2.4.6 and 2.5.4."""

import struct
from typing import NamedTuple

from orchestrator.files.smb.conversation import Answer
from orchestrator.files.smb.listing import EPOCH, nanoseconds
from orchestrator.files.smb.packets import SAME_FILE, BadAnswer, Request, output, query_info, set_info
from orchestrator.files.smb.queries import set_basic
from orchestrator.files.smb.status import BUFFER_OVERFLOW, OK, StatusError

_ALL = struct.Struct("<QQQQIIQQIBBHQ")
_TAG = struct.Struct("<II")
_ROOM = struct.Struct("<QQQII")

_FILE, _FILE_SYSTEM = 1, 2
_RENAME, _LINK, _DISPOSITION, _ALL_INFORMATION, _END_OF_FILE, _ATTRIBUTE_TAG = 10, 11, 13, 18, 20, 35
_FULL_SIZE = 7
_SURROGATE, _REPARSE_POINT = 0x20000000, 0x400
_ALL_LENGTH = 4096
"""Bytes: the facts, and the name behind them, which nobody wants; what does not fit of it is cut off."""


class Facts(NamedTuple):
    """An open file: `size` in bytes, `written` as FILETIME, `identity` unique on its volume."""

    size: int
    written: int
    attributes: int
    identity: int

    def is_same_file(self, other: "Facts") -> bool:
        """Whether both are of one file that is full. Some servers have no identities, and tell 0."""
        return (self.identity, self.size, self.written) == (other.identity, other.size, other.written)


def ask_facts(handle: bytes = SAME_FILE) -> Request:
    return query_info(_FILE, _ALL_INFORMATION, _ALL_LENGTH, handle)


def facts(answer: Answer, name: str) -> Facts:
    """What `ask_facts` brought. StatusError, BadAnswer."""
    if answer.status not in (OK, BUFFER_OVERFLOW):
        raise StatusError(answer.status, name)
    told = _unpack(_ALL, output(answer.message, "QUERY_INFO"))
    return Facts(told[7], told[2], told[4], told[12])


def ask_tag(handle: bytes = SAME_FILE) -> Request:
    return query_info(_FILE, _ATTRIBUTE_TAG, _TAG.size, handle)


def leads_away(answer: Answer, name: str) -> bool:
    """Whether `ask_tag` was answered by a symbolic link, a junction or a mounted volume. StatusError, BadAnswer."""
    if answer.status != OK:
        raise StatusError(answer.status, name)
    attributes, tag = _unpack(_TAG, output(answer.message, "QUERY_INFO"))
    return bool(attributes & _REPARSE_POINT and tag & _SURROGATE)


def ask_room(handle: bytes = SAME_FILE) -> Request:
    return query_info(_FILE_SYSTEM, _FULL_SIZE, _ROOM.size, handle)


def room(answer: Answer, name: str) -> int:
    """Bytes free for the account, from the answer to `ask_room`. StatusError, BadAnswer."""
    if answer.status != OK:
        raise StatusError(answer.status, name)
    _, free, _, sectors, size = _unpack(_ROOM, output(answer.message, "QUERY_INFO"))
    return int(free * sectors * size)


def set_times(mtime_ns: int, handle: bytes = SAME_FILE) -> Request:
    """Set the times of writing and of the last access; the others are left to the server."""
    filetime = to_filetime(mtime_ns)
    return set_basic(0, filetime, filetime, 0, 0, handle)


def set_attributes(attributes: int, handle: bytes = SAME_FILE) -> Request:
    return set_basic(0, 0, 0, 0, attributes, handle)


def set_end(size: int, handle: bytes = SAME_FILE) -> Request:
    """Cut a file to `size` bytes."""
    return set_info(_FILE, _END_OF_FILE, struct.pack("<Q", size), handle)


def rename(to: str, handle: bytes = SAME_FILE, *, replace: bool) -> Request:
    """Give a file the name `to`, a path below the share; refused when that is taken and not `replace`."""
    text = to.encode("utf-16-le")
    return set_info(_FILE, _RENAME, struct.pack("<B7xQI", replace, 0, len(text)) + text, handle)


def link(to: str, handle: bytes = SAME_FILE) -> Request:
    """Give a file the name `to`, a path below the share, besides the one that it has; refused when that is taken."""
    text = to.encode("utf-16-le")
    return set_info(_FILE, _LINK, struct.pack("<B7xQI", 0, 0, len(text)) + text, handle)


def remove(handle: bytes = SAME_FILE) -> Request:
    """Have a file or an empty folder removed when it is closed."""
    return set_info(_FILE, _DISPOSITION, b"\1", handle)


def to_filetime(time_ns: int) -> int:
    """Nanoseconds since 1970 as a FILETIME, rounded down; never 0 or less, which would mean something else."""
    return max(1, min((1 << 63) - 1, time_ns // 100 + EPOCH))


def kept_time(time_ns: int) -> int:
    """A time as a share keeps it, in nanoseconds since 1970."""
    return nanoseconds(to_filetime(time_ns))


def _unpack(shape: struct.Struct, told: memoryview) -> tuple[int, ...]:
    if len(told) < shape.size:
        raise BadAnswer(f"QUERY_INFO brought {len(told)} bytes where {shape.size} were asked for")
    return shape.unpack_from(told)
