"""Three path worlds, three types. Nothing else in the package has a bare path.

`GuestPath` is a path inside the backed-up machine, `SourcePath` the same file on the mount share, `TargetPath`
where its copy lands. A target path can only be made by `target_path`, which refuses every name that could leave
the destination; so a `TargetPath` that exists is one that stays inside.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from orchestrator.core.reasons import Reason

_DRIVE = re.compile(r"^([A-Za-z]):(?:[\\/](.*))?$", re.DOTALL)
_VOLUME = re.compile(r"^([^\\/:]+\$?[^\\/:]*):(?:[\\/](.*))?$", re.DOTALL)
_RESERVED = re.compile(
    r"^(?:CON|PRN|AUX|NUL|COM[1-9\u00b9\u00b2\u00b3]|LPT[1-9\u00b9\u00b2\u00b3]|CONIN\$|CONOUT\$)(?:\..*)?$",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f]")
_ANCHOR = re.compile(r"[\\/]{2}|[A-Za-z]:[\\/]|/")
_UNSAFE_IN_COMPONENT = re.compile(r'[\x00-\x1f<>:"/\\|?*]')

NAME_LIMIT_BYTES = 255
"""The longest file name in UTF-8 bytes that common POSIX file systems hold (ext4, XFS, Btrfs: NAME_MAX)."""


HOLDING = ".orchestrator-aside"
"""The folder below a destination that keeps what runs have set aside. Nothing is ever restored into it."""


class PathRefused(ValueError):
    """A path that cannot be used; `reason` says why in the taxonomy's terms."""

    def __init__(self, message: str, reason: Reason = Reason.NAME_UNUSABLE) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class GuestPath:
    r"""A path in the guest. `volume` is `C:`, `Volume$0:`, `/` for a Linux guest, or `*` for every volume.

    `parts` are the names below the volume; empty means the whole volume.
    """

    volume: str
    parts: tuple[str, ...] = ()

    @property
    def linux(self) -> bool:
        return self.volume == "/"

    def __str__(self) -> str:
        if self.linux:
            return "/" + "/".join(self.parts)
        return self.volume if self.volume == "*" else self.volume + "\\" + "\\".join(self.parts)

    @property
    def key(self) -> tuple[str, ...]:
        """What two spellings of one path have in common, and what begins with it lies below; empty for `*`, which holds
        everything. Letter case counts only for Linux guests."""
        if self.volume == "*":
            return ()
        names = (self.volume, *self.parts)
        return names if self.volume == "/" else tuple(map(fold, names))

    def holds(self, other: "GuestPath") -> bool:
        """Whether `other` is this path or lies below it."""
        mine = self.key
        return other.key[: len(mine)] == mine


@dataclass(frozen=True, slots=True)
class SourcePath:
    """A file on the mount share: `root` is the volume folder as the system names it, `relative` is `/`-joined."""

    root: str
    relative: str


@dataclass(frozen=True, slots=True)
class TargetPath:
    """Where a copy lands: `root` is the destination as the job says it, `relative` is `/`-joined and checked."""

    root: str
    relative: str


def full_target(target: TargetPath) -> str:
    """A target path as one text, for people and for the journal."""
    if target.root.startswith("\\\\"):
        return "\\".join((target.root.rstrip("\\/"), *target.relative.split("/")))
    return f"{target.root.rstrip('/')}/{target.relative}"


def fold(name: str) -> str:
    """The key under which a Windows file system takes two names for one (upper case, composed accents).

    Letter by letter: NTFS never takes one letter for two, so `straße` and `STRASSE` are two files.
    """
    if name.isascii():
        return name.upper()
    return "".join(_upper(letter) for letter in unicodedata.normalize("NFC", name))


def _upper(letter: str) -> str:
    upper = letter.upper()
    return upper if len(upper) == 1 else letter


def parse_guest_path(text: str) -> GuestPath:
    r"""`C:\a`, `C:/a`, `/a`, `Volume$0:\a` and `*`; PathRefused with a plain message for anything else."""
    if text == "*":
        return GuestPath("*")
    if not text.strip():
        raise PathRefused("the path is empty; name a folder or file such as C:\\Shares or /srv/data")
    if "\x00" in text:
        raise PathRefused(f"{text!r} holds a NUL character")
    if text.startswith("/"):
        return GuestPath("/", _parts(text, text.split("/")))
    if _CONTROL.search(text):
        raise PathRefused(
            f"{text!r} holds a control character, as \\t and \\n in double quotes become; "
            "write Windows paths in single quotes"
        )
    match = _DRIVE.match(text) or _VOLUME.match(text)
    if match is None:
        raise PathRefused(
            f"{text!r} is not an absolute guest path; write C:\\folder, C:/folder, /folder, or * for every volume"
        )
    volume = f"{match[1].upper() if len(match[1]) == 1 else match[1]}:"
    return GuestPath(volume, _parts(text, re.split(r"[\\/]", match[2] or "")))


def _parts(text: str, pieces: Sequence[str]) -> tuple[str, ...]:
    parts = tuple(piece for piece in pieces if piece)
    if any(part in (".", "..") for part in parts):
        raise PathRefused(f"{text!r} holds . or ..; write the path without them")
    return parts


@lru_cache(maxsize=256)
def volume_folder(volume: str) -> str:
    """The folder of a volume below a destination: `C` for `C:`, nothing for the root of a Linux guest."""
    return "" if volume == "/" else safe_component(volume.rstrip(":").strip("/") or "root")


def safe_component(name: str) -> str:
    """One folder name made of any text, for machine and volume names in destinations.

    Never empty, `.`, `..` or the name of a Windows device.
    """
    cleaned = _UNSAFE_IN_COMPONENT.sub("_", name).strip(" .")
    return f"_{cleaned}" if not cleaned or _RESERVED.match(cleaned) else cleaned


def expand_destination(template: str, *, vm: str, run: str, created: datetime) -> str:
    """Fill `{vm}`, `{run}`, `{point}` and `{date}`; the dates are the restore point's, in UTC. `{volume}` stays: what
    it is differs by the path.

    Raises PathRefused for an unknown placeholder, a lone brace or a control character.
    """
    if _CONTROL.search(template):
        raise PathRefused(f"{template!r} holds a control character; write Windows paths in single quotes")
    utc = created.astimezone(UTC)
    values = {
        "vm": safe_component(vm),
        "run": safe_component(run),
        "point": utc.strftime("%Y%m%dT%H%M%SZ"),
        "date": utc.strftime("%Y-%m-%d"),
        "volume": "{volume}",
    }

    def fill(match: re.Match[str]) -> str:
        name = match[1] or ""
        if name not in values:
            raise PathRefused(
                f"{match[0]!r} in {template!r} is not known; there are {{vm}}, {{run}}, {{point}}, {{date}}, {{volume}}"
            )
        return values[name]

    return re.sub(r"\{([^{}]*)\}|[{}]", fill, template)


def lies_below(folder: str, roots: Sequence[str]) -> bool:
    """Whether `folder` is an absolute destination that is one of `roots` or lies below one; lexical, without `..`.

    `/a`, `C:\\a` and `\\\\host\\a` are worlds apart: a backslash parts names only in the last two, where letter case
    does not count.
    """
    names = components(folder)
    if not names or ".." in names:
        return False
    return any(root and names[: len(root)] == root for root in map(components, roots))


def components(folder: str) -> tuple[str, ...]:
    """The anchor and the names of an absolute destination, such that two spellings of one folder compare equal;
    empty for a relative one."""
    anchor = _ANCHOR.match(folder)
    if anchor is None:
        return ()
    if anchor[0] == "/":
        return ("/", *(name for name in folder.split("/") if name not in ("", ".")))
    names = (fold(name) for name in re.split(r"[\\/]", folder) if name not in ("", "."))
    return ("\\\\" if len(anchor[0]) == 2 else "", *names)


def target_path(root: str, names: Sequence[str], *, windows_rules: bool = False) -> TargetPath:
    """The one door into the target world.

    `names` lead from the destination to the file. Raises PathRefused when one could leave the root, or cannot be held
    by the target file system (`windows_rules` adds those of NTFS).
    """
    for name in names:
        _check_name(name, windows_rules)
    return TargetPath(root, "/".join(names))


def beside(target: TargetPath, name: str) -> TargetPath:
    """The target of another name in the same folder; PathRefused for what is no name or cannot be held."""
    if not name or "\\" in name:
        raise PathRefused(f"{name!r} is no file name", Reason.OUTSIDE_TARGET)
    _check_name(name, windows_rules=False)
    above, slash, _ = target.relative.rpartition("/")
    return TargetPath(target.root, f"{above}{slash}{name}")


def _check_name(name: str, windows_rules: bool) -> None:
    if name in ("", ".", ".."):
        raise PathRefused(f"{name!r} would leave the destination", Reason.OUTSIDE_TARGET)
    if "\x00" in name or "/" in name:
        raise PathRefused(f"{name!r} holds a character that no name can hold")
    if len(name) == len(HOLDING) and name.lower() == HOLDING:
        raise PathRefused(f"{name!r} is the name under which this program keeps files that were set aside")
    try:
        size = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise PathRefused(f"{name!r} holds half a character, which no name here can hold") from None
    if size > NAME_LIMIT_BYTES:
        raise PathRefused(f"the name is longer than {NAME_LIMIT_BYTES} bytes: {name[:40]}...", Reason.TOO_LONG)
    if windows_rules:
        check_windows_name(name)


def check_windows_name(name: str) -> None:
    """PathRefused when a name could leave its folder, or is none that Windows and its shares can hold."""
    if name in ("", ".", ".."):
        raise PathRefused(f"{name!r} would leave the destination", Reason.OUTSIDE_TARGET)
    if "\\" in name or ":" in name:
        raise PathRefused(f"{name!r} holds a separator or a drive colon", Reason.OUTSIDE_TARGET)
    if _RESERVED.match(name) or name != name.rstrip(" .") or _UNSAFE_IN_COMPONENT.search(name):
        raise PathRefused(f"{name!r} is a name that Windows cannot hold")
    try:
        length = len(name.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise PathRefused(f"{name!r} holds what is no character, which Windows cannot hold") from None
    if length > NAME_LIMIT_BYTES:
        raise PathRefused(f"the name is longer than {NAME_LIMIT_BYTES} characters: {name[:40]}...", Reason.TOO_LONG)
