"""A channel's queue, a notifier of several channels, the dead man's switches: bounded, in order, never in the way."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.config_notifications import NotificationSettings, PingSettings
from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.events import Event, JobNotStarted, JobRejected, MountLeft, RunEnded, RunStarted
from orchestrator.core.ledger import Totals
from orchestrator.engine.beside import beside
from orchestrator.notify import Delivery, Notifier, Undelivered, open_notifier
from orchestrator.notify.delivery import QUEUE_LIMIT, Wants
from orchestrator.notify.letters import Letter, Writer
from tests.support.outside import World, hang, mailbox, receiver

SECRET = "k3y-of-the-webhook"


@dataclass
class Taking:
    """A channel that takes letters, or raises what it is given first."""

    failures: list[Exception] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.letters.append(letter)

    @property
    def jobs(self) -> list[str]:
        return [letter.announcement.job for letter in self.letters]


def delivery(world: World, channel: Any, **wants: Any) -> Delivery:
    means = world.means()
    writer = Writer("ch", None, str, "", means)
    return Delivery("ch", channel, writer, Wants(**{"kinds": frozenset(Kind), **wants}), means)


def finished(job: str = "nightly") -> Announcement:
    return Announcement(Kind.FINISHED, World().at, job, exit_code=0)


async def served(out: Delivery) -> None:
    out.close()
    await out.serve()


async def test_messages_arrive_in_order_even_when_one_is_tried_again() -> None:
    world = World()
    taking = Taking([Undelivered("busy"), Undelivered("busy")])
    out = delivery(world, taking)
    for number in range(5):
        out.add(finished(f"job-{number}"))
    await served(out)
    assert taking.jobs == [f"job-{number}" for number in range(5)]
    assert world.pauses == [1.0, 2.0]


async def test_a_channel_takes_only_the_kinds_and_the_jobs_that_it_wants() -> None:
    taking = Taking()
    out = delivery(World(), taking, kinds=frozenset({Kind.FINISHED}), jobs=("night*", "drill"))
    for job in ("nightly", "drill", "drills", "other", ""):
        out.add(finished(job))
    out.add(Announcement(Kind.FAILED, World().at, "nightly", exit_code=4))
    await served(out)
    assert taking.jobs == ["nightly", "drill"]


async def test_a_queue_that_is_full_drops_the_eldest_and_tells_so_once() -> None:
    world, taking = World(), Taking()
    out = delivery(world, taking)
    for number in range(QUEUE_LIMIT + 500):
        out.add(finished(f"job-{number}"))
    await served(out)
    assert taking.jobs[0] == "job-500"
    assert len(taking.jobs) == QUEUE_LIMIT
    assert world.notices == ["notifications: ch: more than 1,000 messages wait; the eldest are dropped"]


async def test_ten_thousand_files_that_are_no_jobs_are_two_messages() -> None:
    world, taking = World(), Taking()
    notifier = Notifier([out := delivery(world, taking)], world.means())
    for number in range(10_000):
        notifier.add(JobRejected(world.at + timedelta(milliseconds=number), f"{number}.toml", "", "", "bad"))
    await served(out)
    assert [letter.announcement.count for letter in taking.letters] == [1, 9_999]
    assert "9,999 jobs could not be started" in taking.letters[1].title


async def test_the_end_of_the_minute_sends_what_was_gathered_without_another_event() -> None:
    world, taking = World(), Taking()
    out = delivery(world, taking)
    notifier = Notifier([out], world.means())
    async with beside([out], world.events.append, lambda: world.at):
        for number in range(3):
            notifier.add(JobNotStarted(world.at, "d", f"job-{number}", 4, "away"))
        while len(taking.letters) < 1:
            await anyio.lowlevel.checkpoint()
        world.at += timedelta(seconds=61)
        out._stir()  # what the clock of the loop does after a minute
        while len(taking.letters) < 2:
            await anyio.lowlevel.checkpoint()
    assert [letter.announcement.count for letter in taking.letters] == [1, 2]


async def test_what_is_left_when_the_lingering_is_over_is_told() -> None:
    world = World()

    class Hanging:
        async def send(self, letter: Letter) -> None:
            await anyio.sleep_forever()

    out = delivery(world, Hanging(), linger=0.05)
    async with beside([out], world.events.append, lambda: world.at):
        for _ in range(3):
            out.add(finished())
    assert world.notices == ["notifications: ch: 3 messages not delivered before the end"]


async def test_a_mistake_in_a_channel_is_a_message_not_delivered_and_the_next_one_goes_out() -> None:
    world = World()
    taking = Taking([KeyError("s3cr3t")])
    out = delivery(world, taking)
    out.add(finished("first"))
    out.add(finished("second"))
    await served(out)
    assert taking.jobs == ["second"]
    assert "a mistake in orchestrator (KeyError)" in world.notices[0]
    assert "s3cr3t" not in world.notices[0]


def test_taking_an_event_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    notifier = Notifier([out := delivery(world, Taking())], world.means())

    def broken(announcement: Announcement) -> None:
        raise KeyError("s3cr3t")

    monkeypatch.setattr(out, "add", broken)
    for number in range(3):
        notifier.add(RunStarted(world.at, f"r{number}", "nightly", 1))
    assert len(world.notices) == 1
    assert "s3cr3t" not in world.notices[0]


# --- from the config to the wire ---


@asynccontextmanager
async def opened(
    world: World, *settings: dict[str, Any], ping: dict[str, Any] | None = None, **environment: str
) -> AsyncIterator[Notifier]:
    """A notifier as the config makes it, served beside the block."""
    notifier = await anyio.to_thread.run_sync(
        lambda: open_notifier(
            [NotificationSettings(**one) for one in settings],
            PingSettings(**(ping or {})),
            folder_of=lambda run: f"/state/runs/{run}",
            host="backup-01",
            environment=environment,
            means=world.means(),
        )
    )
    async with beside(notifier.services, world.events.append, lambda: world.at):
        yield notifier


def a_run(world: World, code: int) -> list[Event]:
    return [
        RunStarted(world.at, "r1", "nightly", 2),
        MountLeft(world.at, "r1", "g1", "fs01", "vbr01", "/x", "no answer"),
        RunEnded(world.at, "r1", code, Totals(restored=3), 2, 2, 0),
    ]


async def test_every_channel_gets_what_it_wants_and_one_that_hangs_holds_up_no_other() -> None:
    world = World()
    async with mailbox() as box, receiver(hang) as dead, receiver() as taking:
        mail = f"mailto://127.0.0.1:{box.port}?from=o@example.com&to=ops@example.com"
        async with opened(
            world,
            {"webhook": dead.url, "secret_env": "KEY", "linger": 0.1},
            {"webhook": taking.url, "secret_env": "KEY", "on": ["started", "finished", "mounts-left"]},
            {"name": "ops mail", "url_env": "MAIL", "on": ["finished"]},
            MAIL=mail,
            KEY=SECRET,
        ) as notifier:
            for event in a_run(world, 0):
                notifier.add(event)
    kinds = [json.loads(one.body)["type"] for one in taking.received]
    assert kinds == ["orchestrator.started", "orchestrator.mounts-left", "orchestrator.finished"]
    assert [mail["Subject"] for mail in box.mails] == ["orchestrator: nightly finished, 3 files restored"]
    assert world.notices == ["notifications: notifications[1]: 2 messages not delivered before the end"]


async def test_a_sample_is_tried_once_on_every_channel_and_pings_nobody(tmp_path: Path) -> None:
    world = World()
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n")
    async with (
        receiver(503) as down,
        receiver() as taking,
        receiver() as monitor,
        opened(
            world,
            {"name": "down", "webhook": down.url, "secret_file": key, "on": ["drill"], "jobs": ["x"]},
            {"name": "good", "webhook": taking.url, "secret_credential": "key"},
            ping={"url_env": "PING"},
            PING=monitor.url,
            CREDENTIALS_DIRECTORY=str(tmp_path),
        ) as notifier,
    ):
        down_, good = await notifier.test(Kind.FAILED)
    assert (down_.channel, down_.cause) == ("down", "127.0.0.1 answers 503")
    assert (good.channel, good.cause) == ("good", "")
    assert (len(down.received), len(taking.received), monitor.received) == (1, 1, [])


@pytest.mark.parametrize(
    ("code", "steps"),
    [(0, ["/start", ""]), (3, ["/start", "/fail"]), (6, ["/start", "/fail"]), (7, ["/start", "/fail"])],
)
async def test_a_run_pings_its_start_and_its_end(code: int, steps: list[str]) -> None:
    world = World()
    async with receiver() as monitor:
        wanted = {"url_env": "PING", "jobs": ["night*"]}
        async with opened(world, ping=wanted, PING=monitor.url) as notifier:
            for event in a_run(world, code):
                notifier.add(event)
            notifier.add(RunStarted(world.at, "r2", "other", 1))
        assert monitor.paths == [f"/hook/s3cr3t-path{step}" for step in steps]
    assert {one.method for one in monitor.received} == {"GET"}


async def test_a_job_that_cannot_be_started_pings_a_failure() -> None:
    world = World()
    async with receiver() as monitor:
        async with opened(world, ping={"url_env": "PING"}, PING=f"{monitor.url}?token=abc") as notifier:
            notifier.add(JobNotStarted(world.at, "", "nightly", 4, "EM is away"))
        assert monitor.paths == ["/hook/s3cr3t-path/fail?token=abc"]


async def test_the_heartbeat_of_a_watcher_comes_at_once_and_again_and_is_told_once_when_it_fails() -> None:
    world = World()
    async with receiver(500, 500, 200, 500) as monitor:
        notifier = open_notifier(
            [],
            PingSettings(heartbeat_env="BEAT", every=10),
            folder_of=str,
            host="",
            environment={"BEAT": monitor.url},
            means=world.means(),
        )
        beat = notifier.heartbeat
        assert beat is not None
        assert notifier.services == ()
        beat._every = 0.001
        async with beside([beat], world.events.append, lambda: world.at):
            await monitor.until(5)
    assert set(monitor.paths) == {"/hook/s3cr3t-path"}
    assert world.notices == ["ping of the watcher failed: 127.0.0.1 answers 500"] * 2


async def test_a_heartbeat_ends_at_once_when_the_watcher_ends() -> None:
    world = World()
    async with receiver() as monitor, opened(world, ping={"heartbeat_env": "BEAT"}, BEAT=monitor.url) as notifier:
        assert notifier.heartbeat is not None
        with anyio.fail_after(5):
            async with beside([notifier.heartbeat], world.events.append, lambda: world.at):
                await monitor.until(1)
    assert len(monitor.received) == 1


@pytest.mark.parametrize(
    ("settings", "ping", "told"),
    [
        ({"url_env": "NONE"}, {}, "notifications[1].url_env: the environment variable NONE is not set"),
        ({"url_env": "BAD"}, {}, "notifications[1]: its url reference leads to no address that Apprise knows"),
        ({"webhook": "https://h/x", "secret_env": "NONE"}, {}, "notifications[1].secret_env: the environment variable"),
        ({"webhook": "https://h/x", "secret_file": "/none"}, {}, "notifications[1].secret_file: /none cannot be read"),
        (None, {"url_env": "BAD"}, "ping: what its url reference leads to is no https address"),
        (None, {"heartbeat_env": "BAD"}, "ping: what its heartbeat reference leads to is no https address"),
        (None, {"heartbeat_file": "/none"}, "ping.heartbeat_file: /none cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_config_error_that_shows_no_secret(
    settings: dict[str, Any] | None, ping: dict[str, Any], told: str
) -> None:
    bad = "nosuch://tok3n-in-the-address"
    with pytest.raises(ConfigInvalid) as error:
        open_notifier(
            [NotificationSettings(**settings)] if settings else [],
            PingSettings(**ping),
            folder_of=str,
            host="",
            environment={"BAD": bad},
            means=World().means(),
        )
    assert str(error.value).startswith(told)
    assert "tok3n" not in str(error.value)
