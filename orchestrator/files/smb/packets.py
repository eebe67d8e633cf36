"""SMB2 requests to bytes and answers to values. Source: MS-SMB2, sections 2.2.1 to 2.2.40; all numbers little-endian.

A body that is too short, or says more than it holds, is BadAnswer.
"""

import errno
import struct
from enum import IntEnum
from typing import Any, NamedTuple

HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
"""Protocol id, structure size, credit charge, status, command, credits, flags, next command, message id, process id,
tree id, session id, signature."""
HEADER_SIZE = 64
SIGNATURE = slice(48, 64)
PLAIN = b"\xfeSMB"
SEALED = b"\xfdSMB"

FLAG_ANSWER, FLAG_RELATED, FLAG_SIGNED = 0x1, 0x4, 0x8

SAME_FILE = b"\xff" * 16
"""The handle of the request before, within one related chain."""

CREDIT_BYTES = 65536
"""Payload that one credit pays for."""

_CREATE = struct.Struct("<HBBIQQIIIIIHHII")
_READ = struct.Struct("<HBBIQ16sIIIHHB7x")
_CLOSE = struct.Struct("<HHI16s")
_QUERY_DIRECTORY = struct.Struct("<HBBI16sHHI")
_CREATED = struct.Struct("<HBBIQQQQQQII16s")
_DATA = struct.Struct("<HBBIII")
_OUTPUT = struct.Struct("<HHI")
_WRITE = struct.Struct("<HHIQ16sIIHHI")
_WRITTEN = struct.Struct("<HHI")
_SET_INFO = struct.Struct("<HBBIHHI16s")
_QUERY_INFO = struct.Struct("<HBBIHHIII16s")
_FLUSH = struct.Struct("<HHI16s")

_READ_FILE, _LIST_FOLDER = 0x00100081, 0x00100081  # data or names, attributes, synchronize
_LONGEST = 0xFFFF
"""Bytes of a path in a request."""
SHARE_ALL = 0x7
OPEN = 1
_IMPERSONATE = 2
FOR_BACKUP, FILE_ONLY, FOLDER_ONLY, ITSELF, REMOVE_ON_CLOSE, _SEQUENTIAL = 0x4000, 0x40, 0x1, 0x200000, 0x1000, 0x4
"""Options of an opening: what it is, with the rights of a backup; of a link `ITSELF`, and not what it leads to."""
_ID_BOTH_DIRECTORY = 37


class BadAnswer(OSError):
    """A server that does not keep to the protocol."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EPROTO, f"the server's answer cannot be used: {what}")


class Command(IntEnum):
    CREATE = 5
    CLOSE = 6
    FLUSH = 7
    READ = 8
    WRITE = 9
    IOCTL = 11
    ECHO = 13
    QUERY_DIRECTORY = 14
    QUERY_INFO = 16
    SET_INFO = 17


Content = bytes | bytearray | memoryview


class Request(NamedTuple):
    """One request without its header. `charge` in credits. `content` follows the body; it is taken from where it is
    when the request is sent, because a large one costs more to copy than to sign."""

    command: Command
    body: bytes
    charge: int = 1
    content: Content = b""


class Created(NamedTuple):
    """What the opening of a file tells: times as FILETIME, size in bytes."""

    handle: bytes
    created: int
    accessed: int
    written: int
    changed: int
    size: int
    attributes: int
    action: int


def open_file(name: str, more: int = 0) -> Request:
    r"""Open a file for reading, with the rights `more` besides; `name` is its path below the share, `\` between names.

    Here as everywhere with the intent of a backup: an account that holds the privilege reads what it has no right to.
    """
    return create(name, _READ_FILE | more, FILE_ONLY | FOR_BACKUP | _SEQUENTIAL)


def open_folder(name: str) -> Request:
    """Open a folder to list it; the empty name is the share's own."""
    return create(name, _LIST_FOLDER, FOLDER_ONLY | FOR_BACKUP)


def open_any(name: str, more: int = 0, *, itself: bool = False) -> Request:
    """Open whatever is there, to look at its attributes, with the rights `more` besides; of a link `itself`, or what
    it leads to."""
    return create(name, 0x00100080 | more, FOR_BACKUP | (ITSELF if itself else 0))


def create(name: str, access: int, options: int, disposition: int = OPEN, sharing: int = SHARE_ALL) -> Request:
    """Open or make what is at `name`: access mask, create options, disposition and share access of 2.2.13. OSError with
    ENAMETOOLONG for a path that does not fit into a request."""
    text = name.encode("utf-16-le", "surrogatepass")
    if len(text) > _LONGEST:
        raise OSError(errno.ENAMETOOLONG, "the path is longer than SMB can say", name)
    fixed = _CREATE.pack(
        57, 0, 0, _IMPERSONATE, 0, 0, access, 0, sharing, disposition, options, HEADER_SIZE + 56, len(text), 0, 0
    )
    return Request(Command.CREATE, fixed + (text or b"\0\0"))


def read(length: int, offset: int = 0, handle: bytes = SAME_FILE) -> Request:
    """Read `length` bytes from `offset` on."""
    return Request(Command.READ, _READ.pack(49, 0x50, 0, length, offset, handle, 0, 0, 0, 0, 0, 0), charge_of(length))


def close(handle: bytes = SAME_FILE) -> Request:
    return Request(Command.CLOSE, _CLOSE.pack(24, 0, 0, handle))


def handle_of(request: Request) -> bytes:
    """The handle that a CLOSE is about."""
    return request.body[8:24]


def query_directory(length: int, handle: bytes = SAME_FILE, pattern: str = "*") -> Request:
    """The next names of a folder that match `pattern`, as much as fits into `length` bytes."""
    text = pattern.encode("utf-16-le", "surrogatepass")
    fixed = _QUERY_DIRECTORY.pack(33, _ID_BOTH_DIRECTORY, 0, 0, handle, HEADER_SIZE + 32, len(text), length)
    return Request(Command.QUERY_DIRECTORY, fixed + text, charge_of(length))


def write(content: Content, offset: int = 0, handle: bytes = SAME_FILE) -> Request:
    """Write `content` from `offset` on, which nobody may change before the answer is there."""
    fixed = _WRITE.pack(49, HEADER_SIZE + 48, len(content), offset, handle, 0, 0, 0, 0, 0)
    return Request(Command.WRITE, fixed, charge_of(len(content)), content)


def set_info(kind: int, what: int, value: bytes, handle: bytes = SAME_FILE, additional: int = 0) -> Request:
    """Set one class of information; `kind` is 1 for files, 2 for file systems, 3 for security."""
    fixed = _SET_INFO.pack(33, kind, what, len(value), HEADER_SIZE + 32, 0, additional, handle)
    return Request(Command.SET_INFO, fixed + value, charge_of(len(value)))


def query_info(kind: int, what: int, length: int, handle: bytes = SAME_FILE, additional: int = 0) -> Request:
    """Ask for one class of information, at most `length` bytes; `kind` as for `set_info`."""
    fixed = _QUERY_INFO.pack(41, kind, what, length, 0, 0, 0, additional, 0, handle)
    return Request(Command.QUERY_INFO, fixed, charge_of(length))


def flush(handle: bytes = SAME_FILE) -> Request:
    """Have the server write a file to its disk."""
    return Request(Command.FLUSH, _FLUSH.pack(24, 0, 0, handle))


def echo() -> Request:
    return Request(Command.ECHO, struct.pack("<HH", 4, 0))


def charge_of(length: int) -> int:
    """Credits for a payload of `length` bytes, at least one."""
    return max(1, -(-length // CREDIT_BYTES))


def created(message: memoryview) -> Created:
    """The answer to CREATE."""
    size, _, _, action, born, accessed, written, changed, _, end, attributes, _, handle = body(
        _CREATED, message, "CREATE"
    )
    expect(size, 89, "CREATE")
    return Created(handle, born, accessed, written, changed, end, attributes, action)


def data(message: memoryview, asked: int) -> memoryview:
    """The bytes that a READ of `asked` bytes brought."""
    size, offset, _, length, _, _ = body(_DATA, message, "READ")
    expect(size, 17, "READ")
    if length > asked:
        raise BadAnswer(f"READ brought {length} bytes where {asked} were asked for")
    return part(message, offset, length, "READ")


def output(message: memoryview, what: str = "QUERY_DIRECTORY") -> memoryview:
    """The buffer that QUERY_DIRECTORY or QUERY_INFO brought."""
    size, offset, length = body(_OUTPUT, message, what)
    expect(size, 9, what)
    return part(message, offset, length, what)


def written(message: memoryview) -> int:
    """The bytes that a WRITE has taken."""
    size, _, count = body(_WRITTEN, message, "WRITE")
    expect(size, 17, "WRITE")
    return int(count)


def body(shape: struct.Struct, message: memoryview, what: str) -> tuple[Any, ...]:
    """The fixed part of an answer."""
    if len(message) < HEADER_SIZE + shape.size:
        raise BadAnswer(f"{what} is {len(message)} bytes short")
    return shape.unpack_from(message, HEADER_SIZE)


def expect(found: int, wanted: int, what: str) -> None:
    """BadAnswer for a structure size that is not the one of this answer."""
    if found != wanted:
        raise BadAnswer(f"{what} has the structure size {found}, not {wanted}")


def part(message: memoryview, offset: int, length: int, what: str) -> memoryview:
    """The bytes that an answer tells of, if it holds them; `offset` counts from its header on."""
    if length and (offset < HEADER_SIZE or offset + length > len(message)):
        raise BadAnswer(f"{what} tells of {length} bytes at {offset} in a message of {len(message)}")
    return message[offset : offset + length]
