r"""Reparse points of Windows: what stands at a place where a file system does more than hold a file or a folder.

Source: MS-FSCC 2.1.2 (tags and buffers). Whatever does not keep to it is ValueError, in plain words.
"""

import struct
from dataclasses import dataclass
from enum import Enum

_HEAD = struct.Struct("<IHH")
_NAMES = struct.Struct("<HHHH")
_SYMLINK, _MOUNT_POINT, _WSL_LINK = 0xA000000C, 0xA0000003, 0xA000001D
_CLOUD, _CLOUD_MASK = 0x9000001A, 0xFFFF0FFF
_NAME_SURROGATE = 0x20000000
_RELATIVE = 1


class PointKind(Enum):
    """What a reparse point is for; the value is said to people."""

    SYMLINK = "a symbolic link"
    JUNCTION = "a junction or mounted volume"
    WSL_LINK = "a symbolic link of the Windows Subsystem for Linux"
    OTHER_LINK = "a link of another program"
    WSL_SPECIAL = "a pipe, socket or device of the Windows Subsystem for Linux"
    DEDUPLICATED = "a deduplicated file"
    CLOUD = "a placeholder, whose content is in the cloud"
    STORED_ELSEWHERE = "a stub, whose content was moved to other storage"
    COMPRESSED = "a file that the system keeps compressed"
    OTHER = "a file that another program looks after"


_KINDS = {
    _SYMLINK: PointKind.SYMLINK,
    _MOUNT_POINT: PointKind.JUNCTION,
    _WSL_LINK: PointKind.WSL_LINK,
    0x80000013: PointKind.DEDUPLICATED,
    0x80000017: PointKind.COMPRESSED,
    0xC0000004: PointKind.STORED_ELSEWHERE,
    0x80000006: PointKind.STORED_ELSEWHERE,
    0x80000021: PointKind.CLOUD,
    0x80000023: PointKind.WSL_SPECIAL,
    0x80000024: PointKind.WSL_SPECIAL,
    0x80000025: PointKind.WSL_SPECIAL,
    0x80000026: PointKind.WSL_SPECIAL,
}


@dataclass(frozen=True, slots=True)
class ReparsePoint:
    r"""Where a link leads: `target` as Windows shows it (`..\x`, `C:\x`), or as Linux does for a link of WSL.
    `relative` to the folder that holds it."""

    tag: int
    kind: PointKind
    target: str = ""
    relative: bool = False


def kind_of_tag(tag: int) -> PointKind:
    """What a reparse tag stands for. Junctions and mounted volumes have one tag."""
    found = _KINDS.get(tag)
    if found is not None:
        return found
    if tag & _CLOUD_MASK == _CLOUD:
        return PointKind.CLOUD
    return PointKind.OTHER_LINK if tag & _NAME_SURROGATE else PointKind.OTHER


def parse_point(data: bytes) -> ReparsePoint:
    """A reparse point from its tag on. ValueError when it is cut short or tells of more than it holds."""
    if len(data) < _HEAD.size:
        raise ValueError(f"a reparse point of {len(data)} bytes is cut short")
    tag, length, _ = _HEAD.unpack_from(data)
    content = data[_HEAD.size : _HEAD.size + length]
    if len(content) < length:
        raise ValueError(f"a reparse point tells of {length} bytes and holds {len(content)}")
    kind = kind_of_tag(tag)
    if kind is PointKind.SYMLINK:
        target, flags = _target(content, 4)
        return ReparsePoint(tag, kind, target, bool(flags & _RELATIVE))
    if kind is PointKind.JUNCTION:
        target, _ = _target(content, 0)
        return ReparsePoint(tag, kind, target)
    if kind is PointKind.WSL_LINK:
        target = content[4:].decode("utf-8", "surrogateescape")
        if not target or "\0" in target:
            raise ValueError("a symbolic link of WSL leads nowhere")
        return ReparsePoint(tag, kind, target, not target.startswith("/"))
    return ReparsePoint(tag, kind)


def symlink_point(text: str) -> bytes:
    r"""The reparse point of a symbolic link, as Windows shows its text: `..\x` or `\x` (relative), `C:\x`,
    `\\server\share\x`."""
    relative, substitute = True, text
    if text.startswith("\\\\"):
        relative, substitute = False, f"\\??\\UNC\\{text[2:]}"
    elif text[1:2] == ":":
        relative, substitute = False, f"\\??\\{text}"
    name, shown = (one.encode("utf-16-le", "surrogatepass") for one in (substitute, text))
    names = _NAMES.pack(0, len(name), len(name), len(shown)) + (_RELATIVE if relative else 0).to_bytes(4, "little")
    return _HEAD.pack(_SYMLINK, len(names) + len(name) + len(shown), 0) + names + name + shown


def as_posix(point: ReparsePoint) -> str | None:
    """The text of a symbolic link on a POSIX system that leads to the same place below the same folder; None where
    only Windows knows such a place: another drive, a server, the root of the drive."""
    if point.kind is PointKind.WSL_LINK:
        return point.target
    if point.kind is not PointKind.SYMLINK or not point.relative or point.target.startswith("\\"):
        return None
    return point.target.replace("\\", "/")


def _target(content: bytes, more: int) -> tuple[str, int]:
    """(where it leads, the flags) of a buffer with a substitute and a print name; `more` bytes of flags stand before
    the names. The substitute name counts; the other one is for show and may say anything."""
    begin = _NAMES.size + more
    if len(content) < begin:
        raise ValueError(f"a link of {len(content)} bytes is cut short")
    at, length, _, _ = _NAMES.unpack_from(content)
    text = content[begin + at : begin + at + length]
    if length % 2 or len(text) < length or not length:
        raise ValueError(f"a link has a name of {length} bytes at {at} of {len(content) - begin}")
    flags = int.from_bytes(content[_NAMES.size : begin], "little")
    try:
        target = text.decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("a link leads to a name that holds half a character") from None
    if "\0" in target:
        raise ValueError("a link leads to a name that no name can be")
    for prefix, shown in (("\\??\\UNC\\", "\\\\"), ("\\??\\", "")):
        if target.startswith(prefix):
            return shown + target.removeprefix(prefix), flags
    return target, flags
