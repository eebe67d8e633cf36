"""`orchestrator new`: a job file from options, or from answers where somebody sits at a terminal."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.speaking import Globals, complain, say
from orchestrator.core.catalog import GuestOs
from orchestrator.core.draft import Draft
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import JobInvalid, OrchestratorError, WordsError
from orchestrator.core.fidelity import Metadata
from orchestrator.core.job import read_job
from orchestrator.views import visible
from orchestrator.views.draft import job_text

Several = list[str] | None

VM = Annotated[Several, typer.Option("--vm", metavar="NAME", help="Machine, or a glob such as fs*; repeatable.")]
PATH = Annotated[Several, typer.Option("--path", metavar="PATH", help="Folder or file in the guest; repeatable.")]
INCLUDE = Annotated[Several, typer.Option("--include", metavar="PATTERN", help="Only such files; repeatable.")]
EXCLUDE = Annotated[Several, typer.Option("--exclude", metavar="PATTERN", help="Never such files; repeatable.")]
POINT = Annotated[str, typer.Option("--restore-point", metavar="ID", help="One restore point by its id.")]
SERVER = Annotated[str, typer.Option("--backup-server", metavar="NAME", help="Only what this server has made.")]
AS_OF = Annotated[
    str, typer.Option("--as-of", metavar="TIME", help="Newest restore point at or before: 2026-11-20T18:00:00Z.")
]
LIST = Annotated[str, typer.Option("--paths-from", metavar="FILE", help="List of paths, relative to the job file.")]


def new(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The job file; default: the name of the job with .toml.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the job is called.")] = "",
    vm: VM = None,
    restore_point: POINT = "",
    backup_server: SERVER = "",
    system: Annotated[GuestOs | None, typer.Option("--os", help="Kind of the guest.")] = None,
    as_of: AS_OF = "",
    path: PATH = None,
    paths_from: LIST = "",
    include: INCLUDE = None,
    exclude: EXCLUDE = None,
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="Destination, such as /restore/{vm}.")] = "",
    on_conflict: Annotated[
        Conflict | None, typer.Option("--on-conflict", help="What happens when another file is there.")
    ] = None,
    metadata: Annotated[Metadata | None, typer.Option("--metadata", help="What is restored beside the bytes.")] = None,
) -> None:
    """Write a job file, with comments that say what else could be in it. Never overwrites.

    \b
    orchestrator new
    orchestrator new --vm fs01 --path 'C:\\Shares' --to '/restore/{vm}' finance.toml
    orchestrator new --vm 'fs*' --as-of 2026-11-20T18:00:00+01:00 --path 'D:\\' --to '/restore/{vm}' incident-4711.toml

    At a terminal, what is needed and not given is asked for. Enterprise Manager is not asked: `orchestrator plan` does.
    """
    options: Globals = context.obj
    draft = Draft(
        name=name or (file.stem if file else ""),
        vms=tuple(vm or ()),
        restore_point=restore_point,
        backup_server=backup_server,
        os=_word(system),
        as_of=as_of,
        paths=tuple(path or ()),
        paths_from=paths_from,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        to=to,
        on_conflict=_word(on_conflict),
        metadata=_word(metadata),
    )
    asking = sys.stdin is not None and sys.stdin.isatty()
    draft = _named(draft) if asking else _complete(draft)
    written = file or Path(f"{draft.name}.toml")
    if os.path.lexists(written):
        raise _there_already(written)
    _write(written, _valid(_asked(draft, options) if asking else draft, written))
    if options.json:
        say(json.dumps({"file": str(written), "job": draft.name}, indent=2))
    else:
        say(f"wrote {visible(str(written))}; look first: orchestrator plan {visible(str(written))}")


def _word(value: Enum | None) -> str:
    return "" if value is None else str(value.value)


def _complete(draft: Draft) -> Draft:
    """`draft` where nobody can be asked; WordsError names the options that are missing."""
    missing = [option for option, given in _needed(draft).items() if not given]
    if missing:
        raise WordsError(what=f"{', '.join(missing)}: missing, and there is no terminal to ask at; see new --help")
    return draft


def _needed(draft: Draft) -> dict[str, bool]:
    return {
        "--name": bool(draft.name),
        "--vm": bool(draft.vms or draft.restore_point),
        "--path": bool(draft.paths or draft.paths_from),
        "--to": bool(draft.to),
    }


def _named(draft: Draft) -> Draft:
    return draft if draft.name else _ask(draft, "Name of the job", "", lambda one, text: replace(one, name=text))


def _asked(draft: Draft, options: Globals) -> Draft:
    """`draft` with answers for what is needed and was not given, each asked for until it can be used."""
    needed = _needed(draft)
    if not needed["--vm"]:
        draft = _ask(draft, "Machine (a name, or a glob such as fs*)", "", lambda one, text: replace(one, vms=(text,)))
        if not draft.os:
            draft = _ask(draft, "Guest system (windows or linux)", "windows", lambda one, text: replace(one, os=text))
        if not draft.as_of:
            what = "Restore point at or before, such as 2026-11-20T18:00:00Z (latest: the newest)"
            draft = _ask(draft, what, "latest", lambda one, text: one if text == "latest" else replace(one, as_of=text))
    if not needed["--path"]:
        what, example = "Folder or file in the guest", "/srv/data" if draft.os == "linux" else "C:\\Shares"
        draft = _ask(draft, f"{what}, such as {example} (* is all)", "", _with_path)
        while text := _answer(f"{what}, one more (empty: no more)", ""):
            draft = _with_usable(draft, text, _with_path)
    if not needed["--to"]:
        draft = _ask(draft, "Destination", _usual_destination(options), lambda one, text: replace(one, to=text))
    if not draft.on_conflict:
        what = f"When another file is there ({', '.join(one.value for one in Conflict if one is not Conflict.KEEP)})"
        draft = _ask(draft, what, Conflict.SKIP.value, lambda one, text: replace(one, on_conflict=text))
    return draft


Put = Callable[[Draft, str], Draft]


def _with_path(draft: Draft, text: str) -> Draft:
    return replace(draft, paths=(*draft.paths, text))


def _ask(draft: Draft, what: str, usual: str, put: Put) -> Draft:
    """`draft` with one answer more; asked again until a job can have it."""
    while True:
        text = _answer(what, usual)
        if text:
            found = _with_usable(draft, text, put)
            if found is not draft or text == usual:
                return found


def _with_usable(draft: Draft, text: str, put: Put) -> Draft:
    """`draft` with an answer, or as it was when a job cannot have it, which is told."""
    filled = put(draft, text)
    whole = replace(
        filled,
        name=filled.name or "j",
        vms=filled.vms or ("vm",),
        paths=filled.paths or ("*",),
        to=filled.to or "/restore",
    )
    try:
        _valid(whole, Path("answer"))
    except JobInvalid as error:
        complain(WordsError(what=str(error).removeprefix("answer: ")))
        return draft
    return filled


def _answer(what: str, usual: str) -> str:
    """What somebody types, or what is usual when it is nothing. WordsError when the terminal has gone."""
    sys.stderr.write(f"{what} [{usual}]: " if usual else f"{what}: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise WordsError(what="the answers ended before the job was complete; nothing was written")
    return line.strip() or usual


def _usual_destination(options: Globals) -> str:
    """Below the first root that the config allows; nothing when there is no config that can be read."""
    with suppress(OrchestratorError):
        root = options.config().targets.allow[0]
        return root.rstrip("/\\") + ("\\" if root.startswith("\\\\") else "/") + "{vm}"
    return ""


def _valid(draft: Draft, file: Path) -> str:
    """The text of the job file; JobInvalid when it would be none that can be used."""
    text = job_text(draft, str(file))
    read_job(text.encode("utf-8", "surrogateescape"), str(file))
    return text


def _write(file: Path, text: str) -> None:
    """Write a new file; WordsError when it is there already or cannot be written."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise _there_already(file) from None
    except OSError as cause:
        raise WordsError(what=f"{file} cannot be written: {cause.strerror}") from cause


def _there_already(file: Path) -> WordsError:
    return WordsError(what=f"{file} is there already, and is never overwritten; name another file")
