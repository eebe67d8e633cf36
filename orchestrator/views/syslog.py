"""Events as syslog messages. Sources: RFC 5424 (the message), RFC 6587 and RFC 5425 (its place in a stream).

Pure ASCII but for the values and the text, which are UTF-8. What a stranger has named can neither end a value nor begin
another message.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from orchestrator.core.audit import utc
from orchestrator.core.levels import Level
from orchestrator.core.receiver import Facility

SD_ID = "orchestrator@32473"
"""The name of our element. 32473 is the enterprise number that is kept for examples (RFC 5612)."""

SD_NAMES = ("run", "group", "vm", "backup_server")
"""What stands in it; receivers index it."""

BOM = b"\xef\xbb\xbf"
"""Says that the text is UTF-8. Source: RFC 5424, section 6.4."""

VALUE_LIMIT = 255

_SEVERITY: Mapping[Level, int] = {"error": 3, "warning": 4, "info": 6, "debug": 7}
_CODES = {name: code for code, name in enumerate(name for name in get_args(Facility) if not name.startswith("local"))}
_CODES |= {f"local{number}": 16 + number for number in range(8)}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the part of a message that stays the same."""

    facility: Facility
    app_name: str
    host: str
    process: int


def syslog_message(
    sender: Sender, level: Level, at: datetime, name: str, text: str, values: Mapping[str, Any], limit: int
) -> bytes:
    """One message of at most `limit` bytes (at least 480). `name` says which kind of event it is; `values` that are no
    ids follow the text. What does not fit is cut off at the end and says so."""
    ids = {key: str(values[key]) for key in SD_NAMES if values.get(key)}
    priority = _CODES[sender.facility] * 8 + _SEVERITY[level]
    head = " ".join(
        (
            f"<{priority}>1",
            utc(at),
            _printable(sender.host, 255),
            _printable(sender.app_name, 48),
            str(sender.process),
            _printable(name, 32),
        )
    ).encode("ascii")
    element = _element(ids, limit - len(head) - len(BOM) - 2)
    start = b" ".join((head, element, BOM))
    others = "".join(f" {key}={_shown(value)}" for key, value in values.items() if key not in ids)
    return start + _cut((text + others).encode("utf-8", "backslashreplace"), limit - len(start))


def framed(message: bytes) -> bytes:
    """A message in a stream: its length in bytes before it (RFC 6587, section 3.4.1: octet counting)."""
    return b"%d %b" % (len(message), message)


def _element(ids: Mapping[str, str], room: int) -> bytes:
    """The structured data: as many of the ids as there is room for, each whole."""
    element = f"[{SD_ID}".encode()
    for key, value in ids.items():
        text = _cut(value.encode("utf-8", "backslashreplace"), VALUE_LIMIT).decode()
        escaped = re.sub(r'(["\\\]])', r"\\\1", text)
        more = f' {key}="{escaped}"'.encode()
        if len(element) + len(more) + 1 <= room:
            element += more
    return element + b"]" if b" " in element else b"-"


def _printable(text: str, most: int) -> str:
    """Printable ASCII without spaces; `-` for nothing."""
    return re.sub(r"[^!-~]", "_", text)[:most] or "-"


def _shown(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[^\s\"=]+", value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: bytes, most: int) -> bytes:
    """At most `most` bytes of UTF-8, no character halved."""
    if len(text) <= most:
        return text
    return text[: max(0, most - 3)].decode("utf-8", "ignore").encode() + b"..."[: max(0, most)]
