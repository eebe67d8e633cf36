"""`orchestrator limit`, and pausing one run: by the control socket of the process that has the state folder."""

import http.client
import json
import socket
from typing import Annotated, Any
from urllib.parse import quote

import typer
from pydantic import ValidationError

from orchestrator import app as roof
from orchestrator.cli.recording import enter_command
from orchestrator.cli.speaking import Globals, say
from orchestrator.config import Config
from orchestrator.core.errors import OrchestratorError, WordsError
from orchestrator.core.limiting import LimitsNow, LimitWish
from orchestrator.core.words import explain, listed
from orchestrator.views import limits_of, limits_text, visible
from orchestrator.web import CONTROL, reachable

ANSWERED_WITHIN = 5.0
"""Seconds in which a process that is well answers."""

Rate = Annotated[
    str | None, typer.Option("--bandwidth", metavar="RATE", help="All copies together: 50MB/s, 400Mbit/s or none.")
]
Servers = Annotated[
    list[str] | None, typer.Option("--server", metavar="NAME=RATE", help="One backup server; may be repeated.")
]


def limit(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run; without it, all.")] = None,
    bandwidth: Rate = None,
    server: Servers = None,
    mounts: Annotated[int | None, typer.Option("--mounts", metavar="N", help="Mounts open at once.")] = None,
    copies: Annotated[int | None, typer.Option("--copies", metavar="N", help="Files copied at once.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Back to what config and job say.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show what is in force; so does no option at all.")] = False,
) -> None:
    """Change the limits of the orchestrator that is at work, or show them. They hold until it ends, or until --reset.

    \b
    orchestrator limit --bandwidth 50MB/s
    orchestrator limit --server vbr01=20MB/s --server vbr02=none
    orchestrator limit --mounts 4 --copies 8
    orchestrator limit incident-4711-20261123T031500Z --bandwidth 10MB/s
    orchestrator limit --show
    orchestrator limit --reset

    Limits of files and mounts that are lowered let those that are too many end.
    """
    options: Globals = context.obj
    wish = _wish(run, bandwidth, server or [], mounts, copies, reset)
    asked = reset or bool(wish.changes)
    if show and asked:
        raise WordsError(what="--show changes nothing; leave it out, or the others")
    config = options.config()
    body = wish.model_dump(exclude_defaults=True) if asked else None
    answer = ask_control(config, "POST" if asked else "GET", "/limits", body)
    if asked:
        enter_command(config, "limit")
    say(json.dumps(answer, indent=2) if options.json else limits_text(limits_of(answer), roof.now()))


def pause_run(options: Globals, run: str, *, paused: bool) -> None:
    """Pause one run, or let it go on."""
    word, config = "pause" if paused else "unpause", options.config()
    changed = ask_control(config, "POST", f"/runs/{quote(run, safe='')}/{word}")["changed"]
    enter_command(config, word)
    if paused:
        already = "" if changed else "already "
        say(
            f"{run} is {already}paused: no file is begun, large ones in flight are held, its mounts stay open; "
            f"`orchestrator unpause {run}` goes on"
        )
    else:
        say(f"{run} goes on" if changed else f"{run} is not paused")


def in_force(config: Config) -> LimitsNow | None:
    """What limits the process that has the state folder; None when there is none, or it does not say."""
    if not roof.is_locked(config.state.folder):
        return None
    try:
        return limits_of(ask_control(config, "GET", "/limits"))
    except OrchestratorError:
        return None


def ask_control(config: Config, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The answer of the process that has the state folder. WordsError when there is none, or it refuses."""
    folder = config.state.folder
    if not hasattr(socket, "AF_UNIX"):
        raise WordsError(what="this system has no local sockets; stop the run, change the config, and resume it")
    try:
        with reachable(folder / CONTROL) as at:
            connection = _Connection(at)
            try:
                connection.request(method, path, None if body is None else json.dumps(body))
                answer = connection.getresponse()
                status, value = answer.status, json.loads(answer.read())
            finally:
                connection.close()
    except (FileNotFoundError, ConnectionRefusedError) as cause:
        if not roof.is_locked(folder):
            raise WordsError(what=f"no orchestrator is running on {folder}; nothing to tell it") from cause
        what = f"the orchestrator that is running on {folder} has no control socket: it sweeps, prunes, or said why not"
        raise WordsError(what=what) from cause
    except PermissionError as cause:
        what = f"{folder / CONTROL} is for the account that runs the orchestrator; say this as that account, or as root"
        raise WordsError(what=what) from cause
    except TimeoutError as cause:
        what = f"the orchestrator that is running on {folder} does not answer: it hangs; `orchestrator status` may help"
        raise WordsError(what=what) from cause
    except (OSError, http.client.HTTPException, ValueError) as cause:
        raise WordsError(what=f"{folder / CONTROL}: it cannot be spoken with: {visible(str(cause))}") from cause
    if status != 200:
        raise WordsError(what=str(value.get("error", f"refused with {status}")))
    return value


class _Connection(http.client.HTTPConnection):
    """HTTP over a local socket."""

    def __init__(self, at: str) -> None:
        super().__init__("localhost", timeout=ANSWERED_WITHIN)
        self._at = at

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._at)


def _wish(
    run: str | None, bandwidth: str | None, servers: list[str], mounts: int | None, copies: int | None, reset: bool
) -> LimitWish:
    """What the words of the command line mean. WordsError names each that means nothing."""
    by_name = {}
    for text in servers:
        name, equals, rate = text.rpartition("=")
        if not equals or not name:
            raise WordsError(what=f"--server {text}: write it as NAME=RATE, such as vbr01=20MB/s")
        by_name[name] = rate
    words = {"run": run or "", "bandwidth": bandwidth, "servers": by_name, "mounts": mounts, "copies": copies}
    try:
        return LimitWish.model_validate({**words, "reset": reset})
    except ValidationError as cause:
        raise WordsError(what=listed(explain(cause, LimitWish))) from cause
