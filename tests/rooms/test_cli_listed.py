"""The list of commands: each is what it stands for, and none is loaded before it is called."""

import subprocess
import sys
from typing import Any

import pytest
import typer

from orchestrator.cli.commands import COMMANDS, Command, cli

ALL: dict[str, Any] = vars(typer.main.get_command(cli))["commands"]
EVERYTHING = 10_000
"""Letters; more than any command says of itself."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    listed, itself = ALL[name], ALL[name].loaded()
    assert isinstance(listed, Command)
    assert not isinstance(itself, Command)
    assert listed.get_short_help_str(EVERYTHING) == itself.get_short_help_str(EVERYTHING)


def test_every_command_is_listed_in_its_order() -> None:
    assert [*ALL] == [*COMMANDS]


def test_the_list_of_commands_is_shown_without_what_they_are_made_of() -> None:
    script = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules)); from orchestrator.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True)
    assert " put-back " in done.stdout
    imported = set(done.stdout.splitlines()[-1].split())
    assert "orchestrator.cli.commands" in imported
    assert not imported & {"aiohttp", "anyio", "pydantic", "orchestrator.config", "orchestrator.views"}
