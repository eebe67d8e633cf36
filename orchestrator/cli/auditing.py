"""`orchestrator audit`: the trail is proved, and shown."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.audit import lines_of, trail_files
from orchestrator.cli.speaking import Globals, plainly, say, tell
from orchestrator.config import audit_folder, read_audit_key
from orchestrator.core.chain import Record, read_line
from orchestrator.core.checking import check
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.records import AuditSettings
from orchestrator.views.audit import checked_json, checked_text, entry_text
from orchestrator.views.units import count

audit = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=(
        "Prove and show the audit trail: who restored what where.\n\n"
        "\b\n"
        "orchestrator audit verify\n"
        "orchestrator audit show --run incident-4711-20261123T031500Z"
    ),
)


@audit.command()
@plainly
def verify(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Files of a trail; without them, the whole trail.")
    ] = None,
    expect: Annotated[str, typer.Option("--expect", metavar="HASH", help="An anchor that must be among them.")] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="The key; without it, the one of the config.")
    ] = None,
) -> None:
    """Prove the audit trail: every line unchanged, none missing, none moved. Exit code 3 at the first that is not.

    \b
    orchestrator audit verify
    orchestrator audit verify --expect 5f0c9f2b4c0e4a0f9a7f5f1f1b0c0d7e8a9b6c5d4e3f2a1b0c9d8e7f6a5b4c3d
    orchestrator --json audit verify
    orchestrator audit verify --key-file trail.key archive/audit-202610.jsonl archive/audit-202611.jsonl

    The last line tells an anchor. Noted down where the writers of the trail cannot change it, it proves later that
    nothing before it was changed or cut off. Named files may be a part of a trail, and need no config.
    """
    options: Globals = context.obj
    if expect and not re.fullmatch(r"[0-9A-Fa-f]{64}", expect):
        raise WordsError(what=f"--expect {expect}: an anchor has 64 hex digits; `orchestrator audit verify` tells it")
    key = _key(options, key_file, needed=not files)
    found = list(files) if files else trail_files(audit_folder(options.config()))
    checked = check(lines_of(found), key, whole=not files, expect=expect)
    if options.json:
        say(checked_json(checked, [str(file) for file in found], keyed=key is not None))
    else:
        say(checked_text(checked, len(found), keyed=key is not None, expect=expect))
    if not checked.holds:
        raise typer.Exit(ExitCode.PARTIAL)


def _key(options: Globals, key_file: Path | None, *, needed: bool) -> bytes | None:
    """The key that is named, else the one of the config; who checks a copy elsewhere has no config."""
    if key_file is not None:
        return read_audit_key(AuditSettings(key_file=key_file))
    if not needed and not options.config_file.exists():
        return None
    return read_audit_key(options.config().audit)


@audit.command()
@plainly
def show(
    context: typer.Context,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only entries of this run.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only from then on: 2026-11-20 or 2026-11-20T06:00Z.")
    ] = None,
) -> None:
    """Show the entries of the audit trail, oldest first. It proves nothing: `orchestrator audit verify` does.

    \b
    orchestrator audit show
    orchestrator audit show --run incident-4711-20261123T031500Z
    orchestrator --json audit show --since 2026-11-20

    A time without a zone is UTC.
    """
    options: Globals = context.obj
    at = _instant(since) if since is not None else None
    strange = _Strange()
    entries = (
        record
        for record in strange.records(trail_files(audit_folder(options.config())))
        if (run is None or record["facts"].get("run") == run) and _after(record, at)
    )
    if options.json:
        say(json.dumps(list(entries), indent=2))
    else:
        for record in entries:
            say(entry_text(record))
    if strange.count:
        tell(f"{count(strange.count, 'line')} cannot be read; `orchestrator audit verify` says which is the first")


def _after(record: Record, at: datetime | None) -> bool:
    """Whether an entry is not older than `at`; one whose time cannot be read is shown."""
    try:
        return at is None or _instant(record["at"]) >= at
    except WordsError:
        return True


class _Strange:
    """Counts the lines that are none."""

    def __init__(self) -> None:
        self.count = 0

    def records(self, files: list[Path]) -> Iterator[Record]:
        for line in lines_of(files):
            record = read_line(line.content.rstrip(b"\n"))
            if record is None:
                self.count += 1
            else:
                yield record


def _instant(text: str) -> datetime:
    """A time as it stands on the command line, or in an entry. WordsError when it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as cause:
        raise WordsError(what=f"{text!r} is no time; write one such as 2026-11-20 or 2026-11-20T06:00Z") from cause
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
