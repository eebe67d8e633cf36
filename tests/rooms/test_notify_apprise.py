"""Mail by Apprise to a real mail server; a service that refuses, hangs or quotes a secret."""

import logging
import threading
from typing import Any

import anyio
import pytest

from orchestrator.core.announce import Announcement, Kind
from orchestrator.notify import Delivery, Undelivered
from orchestrator.notify.apprising import AppriseChannel, open_service
from orchestrator.notify.delivery import Wants
from orchestrator.notify.letters import Letter, Writer
from orchestrator.notify.samples import sample
from tests.support.outside import World, hang, mailbox, receiver

PASSWORD = "sesame-77"
TOKEN = "TIiajkdnlazkcOXrIdevi7FQ"


def mail_url(port: int) -> str:
    return f"mailto://operator:{PASSWORD}@127.0.0.1:{port}?from=orchestrator@example.com&to=ops@example.com"


def delivery(world: World, channel: AppriseChannel, timeout: float = 5.0) -> Delivery:
    means = world.means()
    writer = Writer("mail", None, lambda run: f"/state/runs/{run}", "backup-01", means)
    return Delivery("mail", channel, writer, Wants(frozenset(Kind), timeout=timeout, retry_for=0), means)


async def sent(world: World, url: str, one: Announcement, timeout: float = 5.0) -> None:
    channel = await anyio.to_thread.run_sync(open_service, url, world.means().in_thread)
    assert channel is not None
    await delivery(world, channel, timeout).try_once(one)


async def failure(world: World, url: str, timeout: float = 5.0) -> str:
    with pytest.raises(Undelivered) as failed:
        await sent(world, url, sample(Kind.FINISHED, world.at), timeout)
    return failed.value.cause


async def test_a_mail_arrives_with_its_subject_and_its_text() -> None:
    world = World()
    async with mailbox() as box:
        await sent(world, mail_url(box.port), sample(Kind.MOUNTS_LEFT, world.at))
    (mail,) = box.mails
    assert mail["Subject"] == "[test] orchestrator: sample left 1 mount behind"
    assert "orchestrator@example.com" in mail["From"]
    assert box.recipients == ["ops@example.com"]
    assert mail.get_content_type() == "text/plain"
    text = str(mail.get_payload(decode=True), "utf-8")
    assert "orchestrator sweep" in text
    assert "mounts    opened 12, deleted 11, left 1" in text
    assert "Apprise" not in mail.as_string()


async def test_names_from_outside_cannot_add_a_header_to_a_mail() -> None:
    world = World()
    name = "fs\r\nBcc: everybody@example.com\r\n\r\nDæta"
    async with mailbox() as box:
        await sent(world, mail_url(box.port), Announcement(Kind.COULD_NOT_START, world.at, name, message=name))
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert box.recipients == ["ops@example.com"]
    assert (
        mail["Subject"]
        == r"orchestrator: fs\x0d\x0aBcc: everybody@example.com\x0d\x0a\x0d\x0aDæta could not be started"
    )


async def test_a_mail_server_that_refuses_the_password_says_so_and_the_password_is_not_told() -> None:
    async with mailbox(AUTH=f"535 5.7.8 no, {PASSWORD} is wrong\r\n".encode()) as box:
        cause = await failure(World(), mail_url(box.port))
    assert "535" in cause
    assert "5.7.8 no, *** is wrong" in cause
    assert PASSWORD not in cause
    assert box.mails == []


async def test_a_mail_server_that_refuses_the_recipient_says_so() -> None:
    async with mailbox(RCPT=b"550 no such mailbox\r\n") as box:
        assert "550" in await failure(World(), mail_url(box.port))


async def test_a_mail_server_that_is_away_is_told_in_plain_words() -> None:
    async with mailbox() as box:
        pass
    cause = await failure(World(), mail_url(box.port))
    assert "127.0.0.1" in cause
    assert "refused" in cause


async def test_a_web_service_of_apprise_is_told_by_its_status_and_without_its_path() -> None:
    async with receiver(500) as taking:
        port = taking.url.split(":")[2].split("/")[0]
        cause = await failure(World(), f"json://127.0.0.1:{port}/{TOKEN}?+X-Token={TOKEN}")
    assert taking.received[0].path == f"/{TOKEN}"
    assert "500" in cause
    assert TOKEN not in cause


async def test_a_service_that_does_not_answer_is_told_without_what_the_library_quotes() -> None:
    async with receiver(hang) as taking:
        port = taking.url.split(":")[2].split("/")[0]
        cause = await failure(World(), f"json://127.0.0.1:{port}/{TOKEN}?rto=0.05")
    assert "Read timed out" in cause
    assert TOKEN not in cause


class Everything(logging.Handler):
    """What a root logger at DEBUG would write down."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.name}: {record.getMessage()}")


async def test_nothing_that_apprise_logs_reaches_anybody(capfd: pytest.CaptureFixture[str]) -> None:
    root, everything = logging.getLogger(), Everything()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(everything)
    try:
        async with receiver(500) as taking:
            port = taking.url.split(":")[2].split("/")[0]
            await failure(World(), f"json://127.0.0.1:{port}/{TOKEN}")
        known = await anyio.to_thread.run_sync(open_service, f"nosuch://{TOKEN}", World().means().in_thread)
        assert known is None
    finally:
        root.removeHandler(everything)
        root.setLevel(level)
    assert [line for line in everything.heard if not line.startswith(("asyncio", "aiohttp"))] == []
    out, err = capfd.readouterr()
    assert TOKEN not in out + err


class Stuck:
    """A service that hangs in its thread until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls = 0

    def url(self, *, privacy: bool) -> str:
        return "stuck://host"

    def notify(self, *, title: str, body: str, notify_type: str, body_format: str) -> bool:
        self.calls += 1
        return self.release.wait(10)


async def test_a_service_that_hangs_costs_one_thread_and_no_more() -> None:
    world, plugin = World(), Stuck()
    out = delivery(world, AppriseChannel(plugin, "stuck://host", world.means().in_thread), timeout=0.05)
    one = sample(Kind.FINISHED, world.at)
    with pytest.raises(Undelivered, match="no answer within"):
        await out.try_once(one)
    with pytest.raises(Undelivered, match="still hangs"):
        await out.try_once(one)
    plugin.release.set()
    with anyio.fail_after(5):
        while out._channel._busy:  # type: ignore[attr-defined]
            await anyio.lowlevel.checkpoint()
    await out.try_once(one)
    assert plugin.calls == 2


async def test_a_service_that_raises_is_a_message_not_delivered() -> None:
    class Broken(Stuck):
        def notify(self, **_: str) -> bool:
            raise RuntimeError(f"cannot post to /{TOKEN.lower()}/")

    channel = AppriseChannel(Broken(), f"broken://host/{TOKEN}", World().means().in_thread)
    with pytest.raises(Undelivered, match=r"RuntimeError: cannot post to /\*\*\*/"):
        await channel.send(Letter("1", sample(Kind.FINISHED, World().at), "title", "text", {}))


@pytest.mark.parametrize(
    ("url", "secret", "shown"),
    [
        ("mailtos://me:p%40ss%2Fword@mail.example.com?to=a@b.de", {"p@ss/word", "p%40ss%2Fword"}, {"mail.example.com"}),
        ("mailto://me:longpass@example.com?smtp=mx.example.com", {"longpass"}, {"mx.example.com", "example.com"}),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general", {"T1JJ3T3L2", "A1BRTD4JD", TOKEN}, set()),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", {TOKEN}, set()),
        ("sendgrid://SG.abc.def:a@b.de/x@y.de", {"SG.abc.def"}, {"b.de"}),
        ("jsons://host.example/path-key?+X-Token=abcdef", {"path-key", "abcdef"}, {"host.example"}),
        ("workflows://prod-1.example.com:443/643e69f83c8944/signature/", {"643e69f83c8944"}, {"prod-1.example.com"}),
    ],
)
def test_what_is_secret_in_an_address_is_known(url: str, secret: set[str], shown: set[str]) -> None:
    channel: Any = open_service(url, World().means().in_thread)
    found = channel._secrets
    assert secret <= found
    assert not shown & found


@pytest.mark.parametrize("url", ["", "mailto://", "nosuch://x", "slack://short", "not an address", "https://"])
def test_an_address_that_apprise_does_not_know_is_none(url: str) -> None:
    assert open_service(url, World().means().in_thread) is None


def test_a_channel_shows_nothing_of_its_address() -> None:
    channel = open_service(mail_url(25), World().means().in_thread)
    assert PASSWORD not in repr(channel)
