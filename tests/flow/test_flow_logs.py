"""Log files and syslog messages of whole runs: read by programs, found by their ids, and without a secret."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import EndSession, Fault
from orchestrator.simulator.certificate import Identity, identity_in
from tests.support.flow import PASSWORD, Flow, flow, small
from tests.support.syslog import datagrams, parse, receiving

pytestmark = pytest.mark.flow
RUN_ENDED = "run ended"


def read(em: Flow, *files: Path) -> list[dict[str, Any]]:
    """Every line of log files; they count as told."""
    texts = [file.read_text("ascii") for file in files]
    em.said.extend(texts)
    return [json.loads(line) for text in texts for line in text.splitlines()]


async def test_all_lines_of_a_run_carry_their_ids_and_no_secret(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=EndSession())) as em:
        em.configure(limits={"mounts": 1}, log={"file": "logs/run.log", "level": "error"})
        (tmp_path / "logs").mkdir()
        done = await em.run("--log-file", "run.log", "--log-level", "debug", "--log-format", "json", "run", em.job())
        assert done.code == 0, done.everything
        assert list((tmp_path / "logs").iterdir()) == [], "the command line counts, not the config"
        lines = read(em, tmp_path / "run.log")
        assert lines == [json.loads(line) for line in done.err.splitlines()]
        assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
        begun = next(place for place, line in enumerate(lines) if line["event"] == "run started")
        run = lines[begun]["run"]
        ended = next(place for place, line in enumerate(lines) if line["event"] == RUN_ENDED)
        assert {line.get("run") for line in lines[begun : ended + 1]} == {run}
        for line in lines:
            if "group" in line:
                assert {"vm", "backup_server"} <= line.keys(), line
            if line["event"] in ("files listed", "files done", "files located", "mount opened", "mount deleted"):
                assert line["mount"].startswith("/api/"), line
        assert [line["event"] for line in lines].count("session renewed") == 1
        sessions = em.simulator.enterprise.sessions.all
        assert len(sessions) == 2
        for secret in (PASSWORD, *(one.id for one in sessions), *(one.token for one in sessions)):
            assert secret not in (tmp_path / "run.log").read_text()


async def test_a_log_file_is_rotated_under_a_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(limits={"mounts": 1}, log={"file": "run.log"})
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        await running.until(lambda: "mount opened" in (tmp_path / "run.log").read_text())
        running.signal(signal.SIGSTOP)
        (tmp_path / "run.log").rename(tmp_path / "run.log.1")
        running.signal(signal.SIGCONT)
        assert (await running.done()).code == 0
        events = [line["event"] for line in read(em, tmp_path / "run.log.1", tmp_path / "run.log")]
        assert events.count("mount deleted") == 2
        assert RUN_ENDED in (tmp_path / "run.log").read_text()


async def test_a_log_file_that_cannot_be_opened_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("--log-file", "no/such/run.log", "run", em.job())
        assert done.code == 2
        assert done.err.startswith("error: --log-file no/such/run.log: cannot be written: No such file or directory")
        em.assert_untouched()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return identity_in(tmp_path / "receiver")


@pytest.mark.parametrize("secured", [False, True], ids=["tcp", "tls"])
async def test_a_receiver_of_syslog_gets_every_line_of_a_run(tmp_path: Path, identity: Identity, secured: bool) -> None:
    async with flow(tmp_path, small) as em:
        with receiving(identity.context() if secured else None) as receiver:
            syslog = {"address": receiver.address, "ca_file": "receiver/ca.pem" if secured else None}
            em.configure(syslog={key: value for key, value in syslog.items() if value})
            done = await em.run("--log-format", "json", "run", em.job())
            assert done.code == 0, done.everything
            lines = [json.loads(line) for line in done.err.splitlines()]
            messages = [parse(receiver.messages.get(timeout=10)) for _ in lines]
        assert [one.msgid.replace("_", " ") for one in messages][1] == "run started"
        assert [one.timestamp for one in messages] == [line["timestamp"] for line in lines]
        for message, line in zip(messages, lines, strict=True):
            ids = {name: line[name] for name in ("run", "group", "vm", "backup_server") if name in line}
            assert message.elements.get("orchestrator@32473", {}) == ids
            assert message.text.startswith(line["event"])
        em.said.extend(message.text for message in messages)


async def test_a_receiver_that_is_away_is_told_of_and_holds_no_run_up(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        with receiving() as receiver:
            address = receiver.address
        em.configure(syslog={"address": address})
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert f"syslog receiver {address} cannot be reached: Connection refused; messages wait for it" in done.err
        assert f"syslog {address}: does not get on; " in done.err
        assert em.restored() == em.expected()


async def test_wrong_words_about_syslog_are_refused(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        for syslog, what in (
            ({"address": "siem:514"}, "syslog.address: 'siem:514' must be /dev/log, udp://host:514"),
            (
                {"address": "udp://siem", "ca_file": "ca.pem"},
                "syslog: ca_file, cert_file and key_file are for a tls://",
            ),
            ({"address": "tls://siem", "ca_file": "none.pem"}, "syslog.ca_file: cannot be used: "),
            ({"address": "tls://ann:geheim@siem"}, "syslog.address: must hold no user and no password"),
            ({"facility": "local9"}, "syslog.facility: "),
            ({"max_bytes": 479}, "syslog.max_bytes: "),
        ):
            em.configure(syslog=syslog)
            done = await em.run("run", em.job())
            assert (done.code, what in done.err) == (2, True), done.err
            assert "geheim" not in done.err
        em.assert_untouched()


async def test_a_watcher_sends_what_happens_to_its_jobs(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        with datagrams() as (address, server):
            em.configure(watch={"settle": 0.05, "poll": 0.2}, syslog={"address": address, "level": "warning"})
            watcher = await em.start("watch")
            await watcher.event("watcher_ready")
            em.drop("name = 7", "wrong.toml")
            await watcher.event("job_rejected")
            watcher.signal(signal.SIGTERM)
            assert (await watcher.done()).code == 0
            messages = [parse(server.recv(65536)) for _ in range(2)]
        assert [(one.msgid, one.severity) for one in messages] == [("job_rejected", 4), ("stopping", 4)]
