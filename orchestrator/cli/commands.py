"""The commands that there are, and the options before them. What a command is made of is imported when it is called."""

import gc
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, NamedTuple, get_args

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

import orchestrator
from orchestrator.cli.sparing import without_certificates
from orchestrator.cli.speaking import Globals, plainly, say
from orchestrator.core.levels import Level


class Listed(NamedTuple):
    """Where a command is, as `module:function` below `orchestrator.cli`, and the first sentence of what it says of
    itself."""

    where: str
    help: str


COMMANDS: Mapping[str, Listed] = {
    "run": Listed("running:run", "Restore: mount, copy, prove, delete the mounts, report."),
    "resume": Listed(
        "running:resume", "Go on with a run that was stopped or died; without RUN, with the newest unfinished one."
    ),
    "plan": Listed("planning:plan", "Show what a job would do: machines, restore points, destinations."),
    "new": Listed("drafting:new", "Write a job file, with comments that say what else could be in it."),
    "check": Listed(
        "checking:check", "Check Enterprise Manager, account, shares and destinations; with JOB also its machines."
    ),
    "validate": Listed(
        "validating:validate", "Check job files and the config without asking Enterprise Manager anything."
    ),
    "status": Listed("reporting:status", "List the runs, and mounts that are left; with RUN, its groups and mounts."),
    "report": Listed("reporting:report", "Print the report of a run."),
    "verify": Listed(
        "proving:verify",
        "Read every restored file of a run again and compare it with the checksum taken while copying.",
    ),
    "bag": Listed(
        "proving:bag", "Pack what a run restored as a BagIt bag (RFC 8493), which anybody's tool can prove later."
    ),
    "sweep": Listed("sweeping:sweep", "Delete the mounts that dead runs have left, or prove that they are gone."),
    "undo": Listed(
        "undoing:undo", "Take a run back: files that were set aside return, files and folders that it added go."
    ),
    "schema": Listed(
        "schemas:schema",
        "Print the JSON Schema of job files or of the config, for editors and for checks before a drop.",
    ),
    "apply-metadata": Listed(
        "applying:put_metadata_on",
        "Put on restored files what their destination could not hold: owners, ACLs, attributes.",
    ),
    "points": Listed("pointing:show_points", "List restore points, machine by machine, the newest first."),
    "prune": Listed(
        "keeping:prune_state",
        "Remove finished runs that are old, with their reports and all that the journal knows of them.",
    ),
    "drills": Listed(
        "keeping:show_drills", "Show the restore drills, newest first, and whether restoring takes longer than it did."
    ),
    "watch": Listed(
        "watching:watch", "Watch the drop folder: run every job file that is dropped into it, until it is told to stop."
    ),
    "queue": Listed(
        "queueing:queue",
        "Show the jobs that were dropped and have not ended: running, waiting, held and why, recurring and when.",
    ),
    "browse": Listed("browsing:browse", "List folders and files of a restore point: mount, list, delete."),
    "put-back": Listed(
        "putting_back:put_back",
        "Have Enterprise Manager restore paths to their original location, inside the running guest.",
    ),
    "pause": Listed("asking:pause", "Let the watcher begin nothing new: no job, no mount."),
    "unpause": Listed("asking:unpause", "Let the watcher go on, or one run."),
    "stop": Listed("asking:stop", "Ask the orchestrator that uses this state folder to stop, or only one of its runs."),
    "limit": Listed("limiting:limit", "Change the limits of the orchestrator that is at work, or show them."),
    "notify-test": Listed(
        "notifying:notify_test", "Send a sample on every channel of the config and say what became of it."
    ),
    "worker": Listed(
        "fleet:worker", "Restore what others submit with `run`, over the journal of [fleet], until it is stopped."
    ),
    "simulate": Listed(
        "simulating:serve_simulator", "Serve a simulated Enterprise Manager over TLS, with real folders, until Ctrl-C."
    ),
    "demo": Listed(
        "demo:demonstrate",
        "Restore a simulated estate over TLS, verify it, and run the same job again to show that nothing is copied.",
    ),
    "audit": Listed("auditing:audit", "Prove and show the audit trail: who restored what where."),
    "fleet": Listed("fleet:fleet", "Machines that share one journal, and restore for each other."),
}
"""In the order in which `--help` shows them. To import them all would take each command, and each watcher for as long
as it waits, what only one of them needs."""


class Command(TyperCommand):
    """Stands for a command until that is called."""

    def __init__(self, name: str, listed: Listed) -> None:
        super().__init__(name, help=listed.help)
        self._where = f"{__package__}.{listed.where}"

    def loaded(self) -> Any:
        """The command itself, or the group of commands; of a class of typer's own."""
        with without_certificates():
            found = resolve_name(self._where)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(self.name)(plainly(found))
        return get_command(alone)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """That of the command itself, which is then what is called."""
        itself = self.loaded()
        if not gc.isenabled():  # `main` has left that to us
            gc.freeze()
            gc.enable()
        return itself.make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """All of them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, listed in COMMANDS.items():
            self.add_command(Command(name, listed))


cli = typer.Typer(
    name="orchestrator",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Bulk file restore for Veeam Backup Enterprise Manager: mounts restore points, copies the files you name, "
        "proves the copies, and always deletes the mounts.\n\n"
        "Exit codes: 0 all restored; 1 our bug; 2 command line, config or job is wrong; 3 some files refused or "
        "failed; 4 Enterprise Manager could not do its part; 5 journal or state folder unusable; 6 stopped, "
        "`resume` continues; 7 mounts may be left, `sweep` clears them."
    ),
)


class LogFormat(Enum):
    """How progress is told on stderr."""

    TEXT = "text"
    JSON = "json"


class LogLevel(Enum):
    """How much an event must matter to be logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LEVELS: dict[LogLevel, Level] = dict(zip(LogLevel, get_args(Level), strict=True))


def _version(wanted: bool) -> None:
    if wanted:
        say(f"orchestrator {orchestrator.__version__}")
        raise typer.Exit


@cli.callback()
def _globals(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", envvar="ORCHESTRATOR_CONFIG", help="The config file.")
    ] = Path("config.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON, alone on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="text: progress for people; json: structured log lines.")
    ] = LogFormat.TEXT,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Append structured log lines to FILE.")
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", help="Least level of structured log lines.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    level = LEVELS[log_level] if log_level is not None else None
    context.obj = Globals(config, as_json, quiet, log_format is LogFormat.JSON, log_file, level)
