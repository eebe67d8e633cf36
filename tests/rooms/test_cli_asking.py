"""Words for the orchestrator that is running: answered when they are taken, and never left lying about."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import asking
from orchestrator.cli.commands import cli
from orchestrator.journal import open_journal


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state folder of somebody who is running: this test."""
    (tmp_path / "config.toml").write_text(
        f"""
        [enterprise_manager]
        url = "https://em.example.com:9398"
        username = "x"
        password_env = "EM_PASSWORD"
        [[backup_servers]]
        name = "*"
        shares = ["{tmp_path}"]
        [targets]
        allow = ["{tmp_path}"]
        """
    )
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(asking, "TAKEN_WITHIN", 0.2)
    journal = open_journal(tmp_path / "state")
    yield tmp_path / "state"
    journal.close()


@pytest.mark.parametrize("word", ["pause", "unpause", "stop"])
def test_a_word_that_nobody_takes_is_taken_back_and_said_to_be_unheard(state: Path, word: str) -> None:
    done = CliRunner().invoke(cli, [word])
    assert done.exit_code == 2
    assert f"does not listen to `{word}`: it is no watcher, or it hangs" in done.stderr
    assert not (state / word).exists()


def test_a_word_is_answered_when_it_is_taken(state: Path) -> None:
    def listen() -> None:
        while True:
            try:
                (state / "pause").unlink()
            except FileNotFoundError:
                continue
            return

    listener = threading.Thread(target=listen)
    listener.start()
    done = CliRunner().invoke(cli, ["pause"])
    listener.join()
    assert (done.exit_code, done.stdout) == (0, "paused: nothing new begins; `orchestrator unpause` goes on\n")
