"""What the outside is told of a command: of its end, of a start that failed, of a break-off; and a sample on demand."""

import hashlib
import hmac
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.notify.webhook import SIGNATURE
from tests.support.flow import entry_of, flow, small, toml
from tests.support.outside import Receiver, hang, mailbox, receiver

pytestmark = pytest.mark.flow

KEY = "k3y-of-the-webhook"
ENV = {"KEY": KEY}
WATCH = {"settle": 0.05, "poll": 0.2, "retry_after": 0.2}
ALL = ["started", "finished", "partial", "failed", "stopped", "mounts-left", "could-not-start"]


def hook(taking: Receiver, **more: Any) -> dict[str, Any]:
    return {"webhook": taking.url, "secret_env": "KEY", "on": ALL, **more}


def events(taking: Receiver) -> list[tuple[str, dict[str, Any]]]:
    """(kind, data) of everything that came, each with a signature that holds."""
    told = []
    for one in taking.received:
        at, digest = (part.split("=")[1] for part in one.headers[SIGNATURE].split(","))
        assert digest == hmac.new(KEY.encode(), at.encode() + b"." + one.body, hashlib.sha256).hexdigest()
        event = json.loads(one.body)
        told.append((event["type"].removeprefix("orchestrator."), event["data"]))
    return told


async def test_a_run_is_told_by_mail_and_webhook_and_pings_its_monitor(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, receiver(500) as taking, receiver() as monitor, mailbox() as box:
        template = em.folder / "night.j2"
        template.write_text("PROD {{ title }}\n{{ text }}")
        em.configure(
            notifications=[hook(taking), {"url_env": "MAIL", "template": "night.j2"}], ping={"url_env": "PING"}
        )
        em.job()
        mail = f"mailto://127.0.0.1:{box.port}?from=o@example.com&to=ops@example.com"
        done = await em.run("--json", "run", "job.toml", env={**ENV, "MAIL": mail, "PING": monitor.url})
        assert done.code == 0, done.everything
        (_, again), (_, begun), (_, over) = events(taking)
        assert again == begun
        assert (begun["kind"], over["kind"], over["run"]) == ("started", "finished", done.json["run"])
        assert over["restored"] == done.json["totals"]["restored"]
        assert Path(over["folder"], "report.html").exists()
        (letter,) = box.mails
        assert letter["Subject"] == f"PROD orchestrator: job finished, {over['restored']} files restored"
        assert "report.html" in str(letter.get_payload(decode=True), "utf-8").replace("=\n", "")
        assert monitor.paths == ["/hook/s3cr3t-path/start", "/hook/s3cr3t-path"]
        assert KEY not in done.everything
        assert "s3cr3t-path" not in done.everything
        em.assert_nothing_left()


async def test_a_channel_that_is_dead_delays_the_end_by_no_more_than_its_lingering_and_changes_no_exit_code(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, small) as em, receiver(hang, hang) as taking:
        em.configure(notifications=[hook(taking, name="ops", linger=0.2)])
        em.job()
        done = await em.run("run", "job.toml", env=ENV)
        assert done.code == 0, done.everything
        assert "notifications: ops: 2 messages not delivered before the end" in done.err
        assert em.restored() == em.expected()


async def test_a_run_that_cannot_start_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, receiver() as taking:
        em.configure(notifications=[hook(taking)], enterprise_manager={"url": "https://127.0.0.1:1", "retry_for": 0})
        em.job(name="nightly")
        em.job(name="other")
        command = await em.start("run", "nightly.toml", "other.toml", env=ENV)
        done = await command.done()
        assert done.code == 4
        told = events(taking)
        assert [kind for kind, _ in told] == ["could-not-start"] * 2
        assert {data["job"] for _, data in told} == {"nightly", "other"}
        assert "https://127.0.0.1:1 cannot be reached" in told[0][1]["message"]
        assert [one["job"] for one in command.events() if one["event"] == "job_not_started"] == ["nightly", "other"]


async def test_a_job_that_cannot_be_planned_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, receiver() as taking:
        em.configure(notifications=[hook(taking)])
        em.job({"vm": "nosuch", "paths": ["C:\\"]})
        assert (await em.run("run", "job.toml", env=ENV)).code == 2
        ((kind, data),) = events(taking)
        assert (kind, data["job"], data["exit_code"]) == ("could-not-start", "job", 2)
        assert "nosuch" in data["message"]


async def test_a_second_start_that_is_locked_out_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small, task_seconds=5) as em, receiver() as taking:
        em.configure(notifications=[hook(taking, on=["could-not-start"])])
        em.job()
        first = await em.start("run", "job.toml", env=ENV)
        await first.event("group_started")
        assert (await em.run("run", "job.toml", env=ENV)).code == 5
        ((kind, data),) = events(taking)
        assert (kind, data["job"]) == ("could-not-start", "job")
        assert "in use by another orchestrator" in data["message"]
        first.process.kill()
        await first.done()


async def test_a_run_that_is_stopped_is_told_with_the_command_that_goes_on(tmp_path: Path) -> None:
    async with flow(tmp_path, small, task_seconds=5) as em, receiver() as taking:
        em.configure(notifications=[hook(taking)])
        em.job()
        running = await em.start("run", "job.toml", env=ENV)
        await running.event("group_started")
        running.process.terminate()
        running.process.terminate()
        assert (await running.done()).code == 6
        (_, begun), (kind, data) = events(taking)
        assert (kind, data["commands"]) == ("stopped", [f"orchestrator resume {begun['run']}"])


async def test_a_watcher_tells_of_its_jobs_and_of_files_that_are_none_and_its_heart_beats(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, receiver() as taking, receiver() as monitor:
        em.configure(watch=WATCH, notifications=[hook(taking)], ping={"heartbeat_env": "BEAT"})
        watcher = await em.start("watch", env={**ENV, "BEAT": monitor.url})
        await watcher.event("watcher_ready")
        em.drop("name = 1", "notes.toml")
        await taking.until(1)
        em.drop(toml({"name": "night", "restore": [entry_of(em.machine("fs01"), to=str(em.target))]}), "night.toml")
        await watcher.event("job_ended", job="night")
        watcher.signal(signal.SIGTERM)
        assert (await watcher.done()).code == 0
        told = [(kind, data["job"]) for kind, data in events(taking)]
        assert told == [("could-not-start", ""), ("started", "night"), ("finished", "night")]
        assert "notes.toml" in events(taking)[0][1]["message"]
        assert monitor.paths == ["/hook/s3cr3t-path"]


async def test_a_sample_says_of_every_channel_what_became_of_it(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, receiver() as taking, receiver(401) as closed:
        em.configure(notifications=[hook(taking, name="good"), hook(closed, name="bad")])
        done = await em.run("notify-test", "--kind", "mounts-left", env=ENV)
        assert (done.code, done.out) == (3, "good: sent\nbad: not sent: 127.0.0.1 answers 401\n")
        ((kind, data),) = events(taking)
        assert (kind, data["test"]) == ("mounts-left", True)
        done = await em.run("--json", "notify-test", env=ENV)
        assert (done.code, [one["sent"] for one in done.json]) == (0, [True, True])


async def test_a_sample_without_a_channel_says_what_is_missing(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("notify-test")
        assert (done.code, "no [[notifications]] table" in done.err) == (2, True)


async def test_an_address_that_is_not_there_stops_the_start_and_nothing_is_mounted(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(notifications=[{"url_env": "OPS_MAIL"}])
        em.job()
        done = await em.run("run", "job.toml")
        assert done.code == 2
        assert "notifications[1].url_env: the environment variable OPS_MAIL is not set or empty" in done.err
        em.assert_untouched()
