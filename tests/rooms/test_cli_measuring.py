"""What measures a command: the text file at its end or time and again, and nothing that could end a run."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import measuring as measured
from orchestrator.cli.measuring import measuring
from orchestrator.config import Config, TracingSettings
from orchestrator.core.errors import ConfigInvalid, EmUnreachable
from orchestrator.core.events import RunEnded, RunStarted
from orchestrator.core.ledger import RunRow, RunState, Totals
from orchestrator.core.words import read_model
from orchestrator.journal import Journal, open_journal
from tests.support.exposed import exposed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def config(**tables: Any) -> Config:
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "u", "password_env": "X"},
            "backup_servers": [{"name": "vbr01", "shares": ["/mnt"]}],
            "targets": {"allow": ["/restore"]},
            **tables,
        }
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "state") as opened:
        yield opened


def run_once(takers: tuple[Callable[..., None], ...], job: str = "nightly", code: int = 0) -> None:
    for take in takers:
        take(RunStarted(AT, "r", job, 1))
        take(RunEnded(AT, "r", code, Totals(3), 1, 1, 0))


def test_the_text_file_is_written_at_the_end_of_a_command(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "orchestrator.prom"
    with measuring(config(metrics={"textfile": str(file)})) as measures:
        measures.recall(journal)
        run_once(measures.takers)
        assert not file.exists()
    assert exposed(file).sum("last_run_files", job_name="nightly", verdict="restored") == 3


def test_a_command_that_fails_leaves_what_it_has_measured(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "orchestrator.prom"

    def fail() -> None:
        with measuring(config(metrics={"textfile": str(file)})) as measures:
            measures.recall(journal)
            run_once(measures.takers, code=4)
            raise EmUnreachable(url="https://em:9398", cause="the connection was refused")

    with pytest.raises(EmUnreachable):
        fail()
    assert exposed(file).sum("last_run_exit_code", job_name="nightly") == 4


def test_what_earlier_commands_have_written_of_other_jobs_stays(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "orchestrator.prom"
    journal.begin(RunRow("r0", "weekly", RunState.RUNNING, AT, "{}"))
    journal.end(RunRow("r0", "weekly", RunState.FINISHED, AT, "{}", AT, 3))
    with measuring(config(metrics={"textfile": str(file)})) as measures:
        measures.recall(journal)
        run_once(measures.takers)
    assert exposed(file).by("last_run_exit_code", "job_name") == {"weekly": 3}
    assert exposed(file).has("last_run_exit_code", job_name="nightly")


def test_a_command_that_never_saw_the_journal_writes_nothing_over_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.prom"
    file.write_text("of another process\n")
    with measuring(config(metrics={"textfile": str(file)})):
        pass
    assert file.read_text() == "of another process\n"


def test_a_command_that_stays_writes_the_whole_text_file_time_and_again(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "orchestrator.prom"
    with measuring(config(metrics={"textfile": str(file)}), every=0.005) as measures:
        measures.recall(journal)
        until(lambda: file.exists())
        assert exposed(file).has("start_time_seconds")
        run_once(measures.takers)
        until(lambda: exposed(file).sum("runs_ended_total", exit_code="0") == 1)
    assert [one.name for one in threading.enumerate() if one.name == "metrics text file"] == []


def until(holds: Callable[[], bool]) -> None:
    """The time limit of the test is the deadline."""
    while not holds():
        os.sched_yield()


def test_a_text_file_that_cannot_be_written_is_told_once_and_ends_nothing(
    tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nowhere" / "orchestrator.prom"
    tries: list[Path] = []
    with measuring(config(metrics={"textfile": str(file)}), every=0.001) as measures:
        measures.recall(journal)
        write = measures.metrics.write_textfile
        monkeypatch.setattr(measures.metrics, "write_textfile", lambda to, whole: (tries.append(to), write(to)))
        until(lambda: len(tries) > 3)
    told = capsys.readouterr().err
    assert told.count("cannot be written") == 1
    assert str(file) in told


def test_a_text_file_on_a_disk_that_hangs_does_not_hold_the_end_of_a_command(
    tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "CLOSE_WITHIN", 0.05)
    released = threading.Event()
    with measuring(config(metrics={"textfile": str(tmp_path / "a.prom")})) as measures:
        measures.recall(journal)
        monkeypatch.setattr(measures.metrics, "write_textfile", lambda *_, **__: released.wait())
    released.set()
    assert "a.prom: could not be written within 0.05 s" in capsys.readouterr().err


def test_a_collector_that_takes_for_ever_does_not_hold_the_end_of_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Hanging:
        def add(self, event: object) -> None: ...

        def close(self) -> None:
            released.wait()

    monkeypatch.setattr(measured, "CLOSE_WITHIN", 0.05)
    monkeypatch.setattr(measured, "open_traces", lambda *_: Hanging())
    with measuring(config(tracing={"otlp_endpoint": "http://127.0.0.1:4318"})) as measures:
        run_once(measures.takers)
    released.set()
    assert "the collector of traces did not take everything within 0.05 s" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["orchestrator.txt", "orchestrator", "metrics.prom.gz"])
def test_a_text_file_that_node_exporter_would_not_read_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"must end in \.prom"):
        config(metrics={"textfile": f"/var/lib/{name}"})


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("collector:4318", "must be http://host:4318"),
        ("grpc://collector:4317", "must be http://host:4318"),
        ("http://", "must be http://host:4318"),
        ("https://user:hunter2@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("http://collector:4318?token=hunter2", "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_an_endpoint_that_is_none_is_refused_without_repeating_a_password(endpoint: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as refusal:
        read_model(TracingSettings, {"otlp_endpoint": endpoint}, "config.toml", ConfigInvalid)
    assert "hunter2" not in str(refusal.value)
