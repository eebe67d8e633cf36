r"""DFS referrals: where a path of a namespace really lies. Source: MS-DFSC 2.2.2 to 2.2.5, MS-SMB2 2.2.31.

A name in a referral is a UNC path with one backslash in front. An answer that lies about its lengths is BadAnswer.
"""

import struct
from typing import NamedTuple

from orchestrator.files.smb.packets import BadAnswer, Request
from orchestrator.files.smb.queries import ioctl

NO_FILE = b"\xff" * 16
TARGETS_AT_MOST = 256

_GET_REFERRALS = 0x00060194
_LEVEL = 4
_HEAD = struct.Struct("<HHI")
_ENTRY = struct.Struct("<HHHHIHHH")
_NAME_LIST = 0x2
_ROOM = 16 << 10


class Referral(NamedTuple):
    r"""`consumed` letters of the path that was asked for are `targets`, UNC paths with one backslash in front, the best
    first. Valid for `seconds`."""

    consumed: int
    targets: tuple[str, ...]
    seconds: int


def ask_referral(path: str) -> Request:
    r"""Ask a server where `path` (`\server\share\folder`) lies; to be sent to its share `IPC$`."""
    text = path.encode("utf-16-le", "surrogatepass") + b"\0\0"
    return ioctl(_GET_REFERRALS, struct.pack("<H", _LEVEL) + text, _ROOM, NO_FILE)


def referral(buffer: memoryview) -> Referral:
    """What `ask_referral` brought; without targets when the path is the server's own affair."""
    if len(buffer) < _HEAD.size:
        raise BadAnswer(f"a referral of {len(buffer)} bytes")
    consumed, count, _ = _HEAD.unpack_from(buffer)
    if consumed % 2 or count > TARGETS_AT_MOST:
        raise BadAnswer(f"a referral of {count} targets for {consumed} bytes of a path")
    targets, seconds, at = [], [], _HEAD.size
    for _ in range(count):
        if at + _ENTRY.size > len(buffer):
            raise BadAnswer(f"a referral of {len(buffer)} bytes has an entry at {at}")
        version, size, _, flags, alive, _, _, where = _ENTRY.unpack_from(buffer, at)
        if version not in (3, 4) or flags & _NAME_LIST or size < _ENTRY.size:
            raise BadAnswer(f"a referral has an entry of version {version}, {size} bytes")
        targets.append(_text(buffer, at + where))
        seconds.append(alive)
        at += size
    return Referral(consumed // 2, tuple(targets), min(seconds, default=0))


def _text(buffer: memoryview, begin: int) -> str:
    """A text that ends with a NUL."""
    for end in range(begin, len(buffer) - 1, 2):
        if bytes(buffer[end : end + 2]) == b"\0\0":
            return str(buffer[begin:end], "utf-16-le", "surrogatepass")
    raise BadAnswer(f"a referral has a name at {begin} of {len(buffer)} that does not end")
