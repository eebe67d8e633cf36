"""Questions about an open file beside its content, and what is set on it. Source: MS-SMB2 2.2.31 and 2.2.37 to 2.2.40,
MS-FSCC 2.3.30, 2.4.7, 2.4.43 and 2.5.1; all numbers little-endian.

An answer that is too short, or says more than it holds, is BadAnswer.
"""

import struct
from enum import IntFlag
from typing import NamedTuple

from orchestrator.core.fidelity import Stream
from orchestrator.files.smb.packets import (
    HEADER_SIZE,
    SAME_FILE,
    BadAnswer,
    Command,
    Request,
    body,
    charge_of,
    expect,
    part,
    query_info,
    set_info,
)

READ_CONTROL, WRITE_DAC, WRITE_OWNER, SYSTEM_SECURITY = 0x00020000, 0x00040000, 0x00080000, 0x01000000
WRITE_ATTRIBUTES = 0x00000100
"""Rights that an opening asks for, to be allowed to ask or to set these things."""

STREAMS_AT_MOST = 4096
"""Named streams of one file. A list that is longer is a lie, or an attack."""
LARGEST_REPARSE = 16 << 10
"""Bytes of a reparse point (MS-FSCC 2.1.2)."""

_CONTROL = struct.Struct("<HHI16sIIIIIIII")
_CONTROLLED = struct.Struct("<HHI16sIIIIII")
_STREAM = struct.Struct("<IIqq")
_BASIC = struct.Struct("<qqqqI4x")
_FILE_SYSTEM = struct.Struct("<IiI")

_FILE, _VOLUME, _SECURITY = 1, 2, 3
_BASIC_INFORMATION, _STREAM_INFORMATION, _FILE_SYSTEM_ATTRIBUTES = 4, 22, 5
_GET_REPARSE_POINT, _SET_REPARSE_POINT = 0x000900A8, 0x000900A4
_DATA = ":$DATA"


class Parts(IntFlag):
    """The parts of a security descriptor (MS-DTYP 2.4.7)."""

    OWNER = 0x1
    GROUP = 0x2
    DACL = 0x4
    SACL = 0x8


class Basic(NamedTuple):
    """Times as FILETIME, and attributes (MS-FSCC 2.4.7)."""

    created: int
    accessed: int
    written: int
    changed: int
    attributes: int


class VolumeFlag(IntFlag):
    """What a file system can (MS-FSCC 2.5.1)."""

    ACLS = 0x00000008
    NAMED_STREAMS = 0x00040000


def query_streams(length: int, handle: bytes = SAME_FILE) -> Request:
    return query_info(_FILE, _STREAM_INFORMATION, length, handle)


def query_security(length: int, parts: Parts, handle: bytes = SAME_FILE) -> Request:
    return query_info(_SECURITY, 0, length, handle, parts)


def query_basic(handle: bytes = SAME_FILE) -> Request:
    """Ask for the times and attributes of an open file."""
    return query_info(_FILE, _BASIC_INFORMATION, _BASIC.size, handle)


def query_file_system(handle: bytes = SAME_FILE) -> Request:
    """What the file system can on which an open file lies."""
    return query_info(_VOLUME, _FILE_SYSTEM_ATTRIBUTES, 1024, handle)


def set_basic(
    created: int, accessed: int, written: int, changed: int, attributes: int, handle: bytes = SAME_FILE
) -> Request:
    """Set times as FILETIME, and attributes; what is 0 stays as it is."""
    return set_info(_FILE, _BASIC_INFORMATION, _BASIC.pack(created, accessed, written, changed, attributes), handle)


def set_security(parts: Parts, descriptor: bytes, handle: bytes = SAME_FILE) -> Request:
    """Set the parts of a descriptor that are named."""
    return set_info(_SECURITY, 0, descriptor, handle, parts)


def get_reparse_point(handle: bytes = SAME_FILE) -> Request:
    return ioctl(_GET_REPARSE_POINT, b"", LARGEST_REPARSE, handle)


def set_reparse_point(point: bytes, handle: bytes = SAME_FILE) -> Request:
    """Make an empty file or folder stand for another place."""
    return ioctl(_SET_REPARSE_POINT, point, 0, handle)


def controlled(message: memoryview) -> memoryview:
    """The buffer that an IOCTL brought."""
    size, _, _, _, _, _, offset, length, _, _ = body(_CONTROLLED, message, "IOCTL")
    expect(size, 49, "IOCTL")
    return part(message, offset, length, "IOCTL")


def streams(buffer: memoryview) -> tuple[Stream, ...]:
    """The named data streams of a stream list; the content of the file itself has no name and is none of them."""
    found: list[Stream] = []
    at = 0
    while buffer:
        if at + _STREAM.size > len(buffer):
            raise BadAnswer(f"a list of streams of {len(buffer)} bytes has an entry at {at}")
        after, length, size, _ = _STREAM.unpack_from(buffer, at)
        begin = at + _STREAM.size
        if length % 2 or begin + length > len(buffer) or (after and after < _STREAM.size + length):
            raise BadAnswer(f"a list of streams has a name of {length} bytes at {at} of {len(buffer)}")
        if size < 0:
            raise BadAnswer(f"a list of streams tells of {size} bytes")
        name = str(buffer[begin : begin + length], "utf-16-le", "surrogatepass")
        if name.startswith(":") and name.endswith(_DATA) and len(name) > len(_DATA) + 1:
            found.append(Stream(name[1 : -len(_DATA)], size))
            if len(found) > STREAMS_AT_MOST:
                raise BadAnswer(f"a file has more than {STREAMS_AT_MOST} streams")
        if not after:
            break
        at += after
    return tuple(found)


def basic(buffer: memoryview) -> Basic:
    """Times and attributes."""
    if len(buffer) < _BASIC.size:
        raise BadAnswer(f"times and attributes are {len(buffer)} bytes")
    return Basic(*_BASIC.unpack_from(buffer))


def file_system(buffer: memoryview) -> VolumeFlag:
    """What a file system can."""
    if len(buffer) < _FILE_SYSTEM.size:
        raise BadAnswer(f"the abilities of a file system are {len(buffer)} bytes")
    flags: int = _FILE_SYSTEM.unpack_from(buffer)[0]
    return VolumeFlag(flags & (VolumeFlag.ACLS | VolumeFlag.NAMED_STREAMS))


def ioctl(code: int, content: bytes, length: int, handle: bytes) -> Request:
    """Have a file system do what only it can do: one of the FSCTL codes, its input, room for its answer in bytes."""
    at = HEADER_SIZE + _CONTROL.size
    fixed = _CONTROL.pack(57, 0, code, handle, at, len(content), 0, 0, 0, length, 1, 0)
    return Request(Command.IOCTL, fixed + (content or b"\0"), charge_of(max(length, len(content))))
