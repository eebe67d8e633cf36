"""`orchestrator apply-metadata`: what waits in a run's sidecar goes where it can be held."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.applying import apply_metadata
from orchestrator.cli.counting import counting
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say
from orchestrator.core.applying import Applied, prefixes_of
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.core.fidelity import WORDS
from orchestrator.core.plan import plan_from_json
from orchestrator.opening import reading
from orchestrator.views import count, visible

EXAMPLES = 20
"""Files that are named on a terminal; `--json` names more."""


def put_metadata_on(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `orchestrator status` shows it.")],
    target_prefix: Annotated[
        list[str] | None,
        typer.Option("--target-prefix", metavar="OLD=NEW", help="Files restored below OLD are below NEW now."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether the files are still the same.")] = False,
) -> None:
    """Put on restored files what their destination could not hold: owners, ACLs, attributes. See metadata.jsonl.

    \b
    orchestrator apply-metadata incident-4711-20261123T031500Z
    orchestrator apply-metadata --dry-run incident-4711-20261123T031500Z
    orchestrator apply-metadata --target-prefix /restore/fs01=/srv/fs01 incident-4711-20261123T031500Z

    A file that has changed since it was restored is named and left alone. Can be repeated.
    """
    options: Globals = context.obj
    config = options.config()
    try:
        prefixes = prefixes_of(target_prefix or [])
    except ValueError as error:
        raise WordsError(what=f"--target-prefix: {error}") from error
    with reading(config) as journal:
        destinations = plan_from_json(journal.run(run).plan).destinations  # RunUnknown says so
    with Recording(options, config, "apply-metadata"), counting("put on", sys.stderr, options.quiet) as told:
        applied = apply_metadata(config, run, prefixes, dry=dry_run, tell=told, destinations=destinations)
    say(json.dumps(_values(applied), indent=2) if options.json else _text(applied))
    if not applied.whole:
        raise typer.Exit(ExitCode.PARTIAL)


def _values(applied: Applied) -> dict[str, object]:
    values = asdict(applied)
    left_over = {one.value: number for one, number in applied.left_over.items()}
    return values | {"left_over": left_over, "unapplied": [asdict(one) for one in applied.unapplied.values()]}


def _text(applied: Applied) -> str:
    lines = [f"{visible(one.target_path)}: {visible(one.message)}" for one in applied.unapplied.values()][:EXAMPLES]
    if len(applied.unapplied) > EXAMPLES:
        lines.append(f"and {len(applied.unapplied) - EXAMPLES:,} more")
    lines += [f"left over: {WORDS[one]} of {count(number, 'file')}" for one, number in applied.left_over.items()]
    if applied.unreadable:
        lines.append(f"{count(applied.unreadable, 'line')} of metadata.jsonl could not be read and was passed over")
    verb = "could be put on" if applied.dry_run else "put on"
    lines.append(
        f"{verb} {applied.applied:,}; {applied.changed:,} changed since, {applied.missing:,} gone, "
        f"{applied.refused:,} refused"
    )
    return "\n".join(lines)
