"""Log files, and the clerk of the audit trail: what is written, kept, given up and told."""

import json
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.audit import Trail, lines_of, trail_files
from orchestrator.cli import entering, recording
from orchestrator.cli.aside import Patience
from orchestrator.cli.entering import Clerk
from orchestrator.cli.logs import LogFile, file_log, json_lines
from orchestrator.cli.recording import Recording
from orchestrator.cli.sending import sending
from orchestrator.cli.speaking import Globals
from orchestrator.config import Config
from orchestrator.core.audit import AuditEntry, What
from orchestrator.core.chain import Link, Writer
from orchestrator.core.checking import check
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import AuditUnusable, ExitCode, WordsError
from orchestrator.core.events import (
    BytesCopied,
    Event,
    FileProblem,
    GroupStarted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    QueuePaused,
    RunStarted,
    SessionRenewed,
)
from orchestrator.records import LogSettings, SyslogSettings
from tests.support.syslog import datagrams, parse
from tests.views.samples import NOT_UNICODE, START

BEGUN: list[Event] = [
    RunStarted(START, "r1", "j", 1),
    GroupStarted(START, "r1", "g1", "fs01", "vbr01", "uid", START),
    MountOpened(START, "r1", "g1", "fs01", "vbr01", "/m/1", 1.0),
]
SECRET = "Status 401 for /logonSessions/0f8c-42/x, X-RestSvcSessionId: c2VjcmV0LXRva2Vu"


def logged(*events: Event, level: Any = "debug") -> list[dict[str, Any]]:
    lines: list[str] = []
    take = json_lines(lines.append, level)
    for event in events:
        take(event)
    return [json.loads(line) for line in lines]


def test_a_log_line_has_the_time_of_its_event_and_the_ids_of_run_machine_and_mount() -> None:
    *_, opened, copied, renewed = logged(*BEGUN, BytesCopied(START, "r1", "g1", 7), SessionRenewed(START, 2, "401"))
    ids = {"run": "r1", "group": "g1", "vm": "fs01", "backup_server": "vbr01", "mount": "/m/1"}
    when = {"timestamp": "2026-11-20T22:00:00.000Z"}
    assert opened == {**ids, **when, "event": "mount opened", "level": "info", "seconds": 1.0}
    assert copied == {**ids, **when, "event": "bytes copied", "level": "debug", "bytes": 7}
    assert renewed == {
        "run": "r1",
        **when,
        "event": "session renewed",
        "level": "warning",
        "generation": 2,
        "cause": "401",
    }


@pytest.mark.parametrize(("level", "count"), [("debug", 5), ("info", 4), ("warning", 1), ("error", 1)])
def test_lines_below_the_level_are_left_out(level: str, count: int) -> None:
    left = MountLeft(START, "r1", "g1", "fs01", "vbr01", "/m/1", "no answer")
    assert len(logged(*BEGUN, BytesCopied(START, "r1", "g1", 7), left, level=level)) == count


def test_a_secret_that_slipped_into_an_event_is_masked_in_every_kind_of_record(tmp_path: Path) -> None:
    event = SessionRenewed(START, 2, SECRET)
    assert "0f8c-42" not in json.dumps(logged(event))
    clerk = Clerk(Trail(tmp_path, Writer("a", "h", 1), None, 1 << 20), [].append)
    clerk.enter(AuditEntry(START, What.SESSION_RENEWED, {"cause": SECRET, "words": [SECRET]}))
    with datagrams() as (address, server):
        with sending(SyslogSettings(address=address), address, print) as sent:
            sent.add(event)
        message = server.recv(65536).decode()
    told = message + (tmp_path / "audit-202611.jsonl").read_text()
    for secret in ("0f8c-42", "c2VjcmV0LXRva2Vu"):
        assert secret not in told
    assert told.count("logonSessions/***") == 3


def test_names_that_are_no_unicode_are_logged_as_json(tmp_path: Path) -> None:
    [line] = logged(FileProblem(START, "r1", "g1", NOT_UNICODE, Verdict.FAILED, "locked", ""))
    assert line["guest_path"] == "/srv/caf\\xe9"


@pytest.fixture
def told() -> list[str | None]:
    return []


def test_a_log_file_that_is_renamed_or_removed_is_begun_anew(tmp_path: Path, told: list[str | None]) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    log = LogFile(path, told.append)
    log.write("one")
    path.rename(old)
    log.write("two")
    log.write("three")
    path.unlink()
    log.write("four é")
    log.close()
    assert (old.read_text(), path.read_text(), told) == ("one\n", "four é\n", [])
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0


def test_a_log_file_is_appended_to(tmp_path: Path, told: list[str | None]) -> None:
    for line in ("one", "two"):
        log = LogFile(tmp_path / "log", told.append)
        log.write(line)
        log.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_log_file_that_cannot_be_written_is_told_of_once_and_tried_again(
    tmp_path: Path, told: list[str | None]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(folder / "log", told.append)
    folder.rename(tmp_path / "away")
    for _ in range(3):
        log.write("lost")
    assert told == ["No such file or directory"]
    (tmp_path / "away").rename(folder)
    log.write("back")
    assert told == ["No such file or directory", None]
    log.close()
    assert (folder / "log").read_text() == "back\n"


def test_a_full_disk_under_the_log_is_told_of_and_ends_nothing(told: list[str | None]) -> None:
    log = LogFile(Path("/dev/full"), told.append)
    log.write("one")
    log.write("two")
    log.close()
    assert told == ["No space left on device"]


def test_a_log_file_that_cannot_be_opened_is_a_wrong_word(tmp_path: Path) -> None:
    options = Globals(tmp_path, False, False, False)
    with pytest.raises(WordsError, match=r"^log\.file .*/no/log: cannot be written: No such file or directory$"):
        file_log(options, LogSettings(file=tmp_path / "no" / "log"), print)
    named = Globals(tmp_path, False, False, False, log_file=tmp_path / "no" / "log")
    with pytest.raises(WordsError, match=r"^--log-file "):
        file_log(named, LogSettings(), print)
    assert file_log(options, LogSettings(), print) is None


class FailingTrail(Trail):
    """A trail whose next appends fail."""

    def __init__(self, folder: Path, failures: int) -> None:
        super().__init__(folder, Writer("restore", "bk01", 1), None, 1 << 20)
        self.failures = failures

    def append(self, entries: Sequence[AuditEntry]) -> Link:
        if self.failures:
            self.failures -= 1
            raise AuditUnusable(folder="/trail", cause="No space left on device")
        return super().append(entries)


def entries_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line.content) for line in lines_of(trail_files(folder))]


def entered(number: int) -> AuditEntry:
    return AuditEntry(START, What.MOUNT_OPENED, {"number": number})


def test_entries_that_cannot_be_written_are_kept_told_of_once_and_written_in_order_later(tmp_path: Path) -> None:
    said: list[str] = []
    clerk = Clerk(FailingTrail(tmp_path, 3), said.append)
    for number in range(5):
        clerk.enter(entered(number))
    assert [one["facts"].get("number") for one in entries_in(tmp_path)] == [None, 0, 1, 2, 3, 4]
    assert said == [
        "The audit trail in /trail cannot be written: No space left on device. "
        "What is to be entered is kept and tried again.",
        "the audit trail is written again, nothing is missing",
    ]
    assert (clerk.failure, clerk.entered, clerk.written) == (None, 5, 5)
    assert check(lines_of(trail_files(tmp_path)), None, whole=True).holds


def test_entries_that_could_not_be_kept_are_counted_in_the_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entering, "KEPT", 3)
    said: list[str] = []
    clerk = Clerk(FailingTrail(tmp_path, 7), said.append)
    for number in range(7):
        clerk.enter(entered(number))
    assert clerk.written == 0
    clerk.enter(entered(7))
    assert (clerk.entered, clerk.written) == (8, 3)
    found = [(one["what"], one["facts"]) for one in entries_in(tmp_path)][1:]
    assert found == [("gap", {"missing": 5}), *(("mount_opened", {"number": number}) for number in (5, 6, 7))]
    assert said[-1] == "the audit trail is written again, 5 entries missing"


def config_of(folder: Path, **audit: Any) -> Config:
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "u", "password_env": "P"},
            "backup_servers": [{"name": "*", "shares": ["/mnt"]}],
            "targets": {"allow": ["/restore"]},
            "state": {"folder": folder / "state"},
            "audit": audit,
        }
    )


OPTIONS = Globals(Path("config.toml"), json=False, quiet=False, json_log=False)


def test_a_required_trail_that_takes_nothing_for_long_stops_the_work_once(tmp_path: Path) -> None:
    at = [1000.0]
    for required in (True, False):
        record = Recording(OPTIONS, config_of(tmp_path, required=required), "run", lambda: at[0])
        with record:
            assert record.must_stop() is False
            at[0] += 1000
            assert record.must_stop() is False, "nothing has been waiting"
            record._handed += 1  # as if the clerk were still at it
            assert record.must_stop() is False
            at[0] += 31
            assert record.must_stop() is required
            assert record.must_stop() is False, "a second request would cancel"
        assert record.settle(ExitCode.OK) is (ExitCode.STATE if required else ExitCode.OK)
        assert record.settle(ExitCode.MOUNTS_LEFT) is ExitCode.MOUNTS_LEFT


def test_a_notice_of_the_trail_reaches_everyone_who_listens(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    heard: list[Event] = []
    with Recording(OPTIONS, config_of(tmp_path), "run") as record:
        record.speak_through(heard.append)
        record.take(QueuePaused(START, True))
        [notice] = heard
        assert isinstance(notice, Notice)
        assert notice.message.startswith(f"The audit trail in {tmp_path}/state/audit cannot be written: ")


def test_a_mount_that_was_lost_is_logged_with_its_server(tmp_path: Path) -> None:
    assert logged(*BEGUN, MountGone(START, "r1", "g1", "fs01", "/m/1", "401"))[-1]["backup_server"] == "vbr01"


def test_syslog_sends_what_is_of_its_level_with_its_ids(tmp_path: Path) -> None:
    with datagrams(tmp_path / "log") as (address, server):
        settings = SyslogSettings(address=address, facility="auth", app_name="restores", level="info")
        with sending(settings, address, print) as sent:
            for event in (*BEGUN, BytesCopied(START, "r1", "g1", 7), Notice(START, "x")):
                sent.add(event)
        messages = [parse(server.recv(65536)) for _ in range(4)]
    assert [one.msgid for one in messages] == ["run_started", "group_started", "mount_opened", "notice"]
    assert {(one.facility, one.severity, one.app, one.procid) for one in messages} == {
        (4, 6, "restores", str(os.getpid()))
    }
    assert [one.elements["orchestrator@32473"].get("vm") for one in messages] == [None, "fs01", "fs01", None]
    assert {one.elements["orchestrator@32473"]["run"] for one in messages} == {"r1"}
    assert messages[2].text == "mount opened mount=/m/1 seconds=1.0"


@pytest.mark.parametrize("required", [True, False])
def test_a_trail_on_a_disk_that_hangs_keeps_only_those_from_beginning_that_require_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: bool
) -> None:
    monkeypatch.setattr(recording, "FIRST_WITHIN", 0.05)
    monkeypatch.setattr(recording, "LOSSLESS", Patience(items=10, seconds=0.05))
    mends = threading.Event()
    monkeypatch.setattr(Clerk, "enter", lambda *_: mends.wait())
    record = Recording(OPTIONS, config_of(tmp_path, required=required), "run")
    try:
        if required:
            with pytest.raises(AuditUnusable, match="it took nothing for"), record:
                raise AssertionError("it has begun")
        else:
            with record:
                record.take(QueuePaused(START, True))
            told = capsys.readouterr().err
            assert "it took nothing for 0.05 s; does its disk hang?" in told
            assert "2 entries missing in the audit trail" in told
    finally:
        mends.set()
