"""The chain that the lines of an audit trail form, and what proves it.

Each line is one JSON object in canonical form: keys sorted, no white space, ASCII only (everything else as `\\uXXXX`),
whole numbers only. `hash` is the SHA-256 of the canonical form of the object without `hash`, or its HMAC-SHA-256
(RFC 2104) when there is a key. `prev` is the `hash` of the line before, `seq` counts from 1. A line that is not exactly
its own canonical form is no line of the trail, so that there is one way only to write it.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.audit import AuditEntry, Fact, What, plain, utc

GENESIS = "0" * 64
"""What the first line of a trail has as `prev`."""

KEYS = frozenset({"account", "at", "facts", "hash", "host", "prev", "process", "seq", "what", "who"})

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """The last line so far."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the account and the host of a process, its number, and who had logged in to start it, if known."""

    account: str
    host: str
    process: int
    login: str = ""


def canonical(record: Record) -> bytes:
    """The one way to write `record`, without a line end."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def digest_of(record: Record, key: bytes | None) -> str:
    """The hash that belongs to a record, in hex; its own `hash` does not count."""
    content = canonical({name: value for name, value in record.items() if name != "hash"})
    return hmac.digest(key, content, "sha256").hex() if key is not None else hashlib.sha256(content).hexdigest()


def fits(record: Record, key: bytes | None) -> bool:
    """Whether the hash of a record that was read belongs to what it says."""
    try:
        return hmac.compare_digest(digest_of(record, key).encode(), record["hash"].encode("utf-8", "replace"))
    except (ValueError, RecursionError):  # NaN, which JSON does not have
        return False


def kind_of(key: bytes | None) -> str:
    """What the first line of each file says of its hashes."""
    return "sha256" if key is None else "hmac-sha256"


def chained(entries: Iterable[AuditEntry], end: Link, writer: Writer, key: bytes | None) -> tuple[bytes, Link]:
    """The lines of `entries` after `end`, each with its line end, and the new end."""
    lines = []
    for entry in entries:
        record: dict[str, Any] = {
            "account": plain(writer.account),
            "at": utc(entry.at),
            "facts": dict(entry.facts),
            "host": plain(writer.host),
            "prev": end.hash,
            "process": writer.process,
            "seq": end.seq + 1,
            "what": entry.what.value,
            "who": entry.who or plain(writer.login or writer.account),
        }
        record["hash"] = digest_of(record, key)
        lines.append(canonical(record) + b"\n")
        end = Link(end.seq + 1, record["hash"])
    return b"".join(lines), end


def read_line(line: bytes) -> Record | None:
    """The record in `line` (without its line end), whether its hash fits or not; None when it is no line of a trail."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # a half character is a ValueError too
        return None
    if not isinstance(record, dict) or record.keys() != KEYS or not isinstance(record["facts"], dict):
        return None
    texts = ("account", "at", "hash", "host", "prev", "what", "who")
    if any(not isinstance(record[name], str) for name in texts) or type(record["seq"]) is not int:
        return None
    return record


def torn_facts(fragment: bytes) -> dict[str, Fact]:
    """What the line after a torn one says of it."""
    return {"bytes": len(fragment), "sha256": hashlib.sha256(fragment).hexdigest()}


def closes(record: Record, fragment: bytes) -> bool:
    """Whether `record` says of the line before it that it was torn."""
    return (record["what"], record["facts"]) == (What.TORN.value, torn_facts(fragment))
