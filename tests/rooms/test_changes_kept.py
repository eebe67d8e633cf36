"""What was changed while a run went on is kept beside its report, whatever becomes of the file."""

from pathlib import Path

import pytest

from orchestrator.artefacts import CHANGES, keep_changes, read_report, run_folder
from orchestrator.config import Config
from orchestrator.core.errors import StateUnusable
from orchestrator.core.events import LimitChanged, RunPaused
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.plan import plan_to_json
from orchestrator.core.report import Change
from orchestrator.journal import open_journal
from tests.views.samples import START, sample_plan

PAUSED = RunPaused(START, "r", True, "uid 7")
LIMITED = LimitChanged(START, "copies", "4", "16", "by hand", who="uid \udcff")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em", "username": "x", "password_env": "X"},
            "backup_servers": [{"name": "*", "shares": ["/mnt"]}],
            "targets": {"allow": ["/restore"]},
            "state": {"folder": tmp_path},
        }
    )


def told(config: Config) -> list[tuple[str, str]]:
    """What the report says was changed."""
    with open_journal(config.state.folder) as journal:
        journal.begin(RunRow("r", "j", RunState.RUNNING, START, plan_to_json(sample_plan())))
        changes = read_report(journal, config, "r").changes
    assert all(isinstance(one, Change) and one.at == START for one in changes)
    return [(one.change, one.who) for one in changes]


def test_changes_of_every_process_of_a_run_are_in_its_report(config: Config) -> None:
    assert told(config) == []
    run_folder(config, "r").mkdir(parents=True)
    keep_changes(config, "r", [])
    assert not (run_folder(config, "r") / CHANGES).exists()
    keep_changes(config, "r", [PAUSED])
    keep_changes(config, "r", [LIMITED])
    assert told(config) == [
        ("r paused: no file is begun, those in flight are held", "uid 7"),
        ("copies is 4 from now on, it was 16", "uid \udcff"),
    ]


def test_a_line_that_says_nothing_is_left_out_and_the_report_is_made(config: Config) -> None:
    run_folder(config, "r").mkdir(parents=True)
    keep_changes(config, "r", [PAUSED, PAUSED])
    file = run_folder(config, "r") / CHANGES
    file.write_bytes(b"\xff\n[]\nnull\n" + file.read_bytes()[:-20])
    assert len(told(config)) == 1


def test_a_folder_that_is_not_there_is_an_error_of_the_state(config: Config) -> None:
    with pytest.raises(StateUnusable):
        keep_changes(config, "r", [PAUSED])
