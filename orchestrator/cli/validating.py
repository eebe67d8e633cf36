"""`orchestrator validate`: the words of jobs and config, and nothing beyond them."""

import typer

from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.tasks import Jobs, read_jobs
from orchestrator.listing import with_lists
from orchestrator.views import visible


def validate(context: typer.Context, jobs: Jobs) -> None:
    """Check job files and the config without asking Enterprise Manager anything.

    \b
    orchestrator validate jobs/*.toml
    """
    options: Globals = context.obj
    named = read_jobs(jobs)
    options.config()
    for one in named:
        with_lists(one)
        entries = len(one.job.restore)
        say(f"{visible(one.place)}: ok, {entries} restore {'entry' if entries == 1 else 'entries'}")
    say(f"{options.config_file}: ok")
