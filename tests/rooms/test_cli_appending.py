"""The events file while somebody rotates it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.appending import AppendedFile
from orchestrator.cli.listening import listening
from orchestrator.core.events import Notice


def test_a_file_that_was_rotated_away_is_made_anew_and_no_line_is_lost(tmp_path: Path) -> None:
    file, rotated = tmp_path / "events.jsonl", tmp_path / "events.jsonl.1"
    appended = AppendedFile(file)
    for number in range(6):
        if number == 3:
            file.rename(rotated)
        appended.write(f"{number}\n")
    appended.close()
    assert rotated.read_text() == "0\n1\n2\n"
    assert file.read_text() == "3\n4\n5\n"


def test_a_file_that_logrotate_made_anew_is_the_one_that_is_written(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    appended = AppendedFile(file)
    file.rename(tmp_path / "events.jsonl.1")
    file.touch(mode=0o640)
    appended.write("new\n")
    appended.close()
    assert file.read_text() == "new\n"


def test_a_file_that_could_not_be_made_anew_is_tried_again_at_the_next_line(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = folder / "events.jsonl"
    appended = AppendedFile(file)
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        appended.write("lost\n")
    folder.mkdir()
    file.write_text("somebody else's\n")
    appended.write("new\n")
    appended.close()
    assert file.read_text() == "somebody else's\nnew\n"


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("old\n")
    with listening(quiet=True, json_log=False, events_file=file) as listen:
        listen(Notice(datetime(2026, 11, 20, tzinfo=UTC), "new"))
    first, second = file.read_text().splitlines()
    assert first == "old"
    assert '"event":"notice"' in second.replace(" ", "")
