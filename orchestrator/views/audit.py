"""The audit trail for people, and what was proved of it."""

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.core.chain import Record
from orchestrator.core.checking import Checked
from orchestrator.views.units import count, visible

TRUST = {
    True: "with the key: nobody without it can have written other lines that hold",
    False: "without a key: who may write the files could have written them anew from some line on; "
    "an anchor from before, kept elsewhere, tells",
}


def entry_text(record: Record) -> str:
    """`2026-11-20 22:00:00Z 12 ann run_started run=... job=...` on one line."""
    who = record["who"] if record["who"] == record["account"] else f"{record['who']} ({record['account']})"
    at = str(record["at"]).replace("T", " ")
    at = at[:19] + "Z" if len(at) == 24 else at
    facts = " ".join(f"{name}={_shown(value)}" for name, value in record["facts"].items() if value not in ("", []))
    return visible(f"{at} {record['seq']} {who} {record['what']} {facts}".rstrip())


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if " " in value or '"' in value else value
    return json.dumps(value)


def checked_text(checked: Checked, files: int, *, keyed: bool, expect: str) -> str:
    """What was proved, for people."""
    span = f", from {_instant(checked.began)} to {_instant(checked.ended)}" if checked.entries else ""
    lines = [
        f"{count(checked.entries, 'entry', 'entries')} hold in {count(files, 'file')}: "
        f"{checked.first} to {checked.last}{span}"
    ]
    if checked.broken is not None:
        broken = checked.broken
        lines.append(f"BROKEN at {broken.file} line {broken.line}: {broken.what}")
        lines.append("nothing behind it is proved; keep the files as they are and compare them with a copy")
    if checked.torn:
        lines.append(f"{count(checked.torn, 'write')} had been cut off by a crash, and the trail says so")
    if checked.expected is False and checked.broken is None:
        lines.append(f"MISSING: no entry has the hash {expect}: the end was cut off, or the trail was written anew")
    if checked.expected:
        lines.append(f"the entry with the hash {expect} is among them")
    if checked.entries:
        lines.append(f"hashes {TRUST[keyed]}")
        lines.append(f"anchor: {checked.anchor}")
        if checked.holds:
            lines.append(
                "note the anchor down elsewhere; `orchestrator audit verify --expect ANCHOR` proves later that"
            )
            lines.append("nothing up to here was changed or taken away")
    return visible_lines(lines)


def visible_lines(lines: Sequence[str]) -> str:
    """Lines that cannot drive a terminal."""
    return "\n".join(map(visible, lines))


def _instant(at: str) -> str:
    return at[:19].replace("T", " ") + " UTC"


def checked_json(checked: Checked, files: Sequence[str], *, keyed: bool) -> str:
    """What was proved, for programs."""
    broken = checked.broken
    return json.dumps(
        {
            "holds": checked.holds,
            "entries": checked.entries,
            "first": checked.first,
            "last": checked.last,
            "began": checked.began or None,
            "ended": checked.ended or None,
            "anchor": checked.anchor,
            "keyed": keyed,
            "torn": checked.torn,
            "expected": checked.expected,
            "broken": None if broken is None else {"file": broken.file, "line": broken.line, "what": broken.what},
            "files": list(files),
        },
        indent=2,
    )
