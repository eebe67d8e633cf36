"""The webhook against a real web server: what arrives, who can be sure of it, and what happens when nobody takes it."""

import hashlib
import hmac
import json
import ssl
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from orchestrator.core.announce import Announcement, Kind
from orchestrator.notify import Delivery, Undelivered, sign
from orchestrator.notify.delivery import ATTEMPTS, Wants
from orchestrator.notify.http import Place, place
from orchestrator.notify.letters import Writer
from orchestrator.notify.samples import sample
from orchestrator.notify.webhook import SIGNATURE, Webhook
from orchestrator.simulator.certificate import identity_in
from tests.support.outside import Answer, World, endless, hang, raw_server, receiver, saying

SECRET = "k3y-of-the-webhook"
PATH = "s3cr3t-path"


def delivery(world: World, url: str, timeout: float = 5.0, retry_for: float = 600.0) -> Delivery:
    means = world.means()
    wants = Wants(frozenset(Kind), timeout=timeout, retry_for=retry_for)
    writer = Writer("hook", None, lambda run: f"/state/runs/{run}", "backup-01", means)
    where = place(url)
    assert where is not None
    return Delivery("hook", Webhook(where, SECRET, "backup-01", means.clock), writer, wants, means)


async def sent(world: World, url: str, *ones: Announcement, **limits: float) -> None:
    """Everything through one channel, to its end."""
    out = delivery(world, url, **limits)
    for one in ones or (sample(Kind.PARTIAL, world.at),):
        out.add(one)
    out.close()
    await out.serve()


async def test_a_signed_cloud_event_arrives() -> None:
    world = World()
    async with receiver() as taking:
        await sent(world, taking.url)
    (one,) = taking.received
    assert (one.method, one.path) == ("POST", f"/hook/{PATH}")
    assert one.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = json.loads(one.body)
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "/orchestrator/backup-01",
        "type": "orchestrator.partial",
        "subject": "sample-20261124T010000Z",
        "time": "2026-11-24T03:12:00Z",
        "datacontenttype": "application/json",
    }
    assert (data["kind"], data["job"], data["exit_code"], data["restored"]) == ("partial", "sample", 3, 1222)
    assert data["title"].startswith("[test] orchestrator: sample finished")
    assert data["folder"] == "/state/runs/sample-20261124T010000Z"
    at, digest = (part.split("=")[1] for part in one.headers[SIGNATURE].split(","))
    assert int(at) == world.at.timestamp()
    wanted = hmac.new(SECRET.encode(), f"{at}.".encode() + one.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, wanted)
    assert world.notices == []


def test_a_signature_is_of_its_time_its_body_and_its_secret() -> None:
    signed = sign(SECRET, 1, b"body")
    assert len({signed, sign(SECRET, 2, b"body"), sign(SECRET, 1, b"bodies"), sign("other", 1, b"body")}) == 4


async def test_what_is_about_no_run_and_no_job_has_no_subject() -> None:
    async with receiver() as taking:
        await sent(World(), taking.url, Announcement(Kind.COULD_NOT_START, World().at, message="x.toml: bad"))
    assert "subject" not in json.loads(taking.received[0].body)


async def test_a_server_that_fails_for_a_while_gets_the_same_event_signed_anew() -> None:
    world = World()

    async def late(request: web.Request) -> web.StreamResponse:
        world.at = world.at.replace(minute=30)
        return web.Response(status=503)

    async with receiver(500, late) as taking:
        await sent(world, taking.url)
    assert [json.loads(one.body)["id"] for one in taking.received] == ["id-1"] * 3
    assert world.pauses == [1.0, 2.0]
    first, second, third = (one.headers[SIGNATURE] for one in taking.received)
    assert first == second != third
    assert world.notices == []


@pytest.mark.parametrize(("wait", "pause"), [("7", 8.0), ("Tue, 24 Nov 2026 03:12:09 GMT", 10.0)])
async def test_a_server_that_asks_for_time_gets_it(wait: str, pause: float) -> None:
    world = World()
    async with receiver(saying(429, Retry_After=wait)) as taking:
        await sent(world, taking.url)
    assert (len(taking.received), world.pauses) == (2, [pause])


async def test_who_asks_for_more_time_than_there_is_is_given_up_at_once() -> None:
    world = World()
    async with receiver(saying(429, Retry_After="3600")) as taking:
        await sent(world, taking.url)
    assert (len(taking.received), world.pauses) == (1, [])
    (told,) = world.notices
    assert told.startswith("notifications: hook: not delivered after 1 try in 0.0 s: 127.0.0.1 answers 429.")


async def test_a_server_that_is_down_is_tried_within_bounds_and_told_of_once_until_it_is_back() -> None:
    world = World()
    one = sample(Kind.FINISHED, world.at)
    async with receiver(*[503] * 3) as taking:
        await sent(world, taking.url, one, one, one, one, retry_for=0)
    assert (len(taking.received), world.pauses, len(world.notices)) == (4, [], 1)
    async with receiver(503, 204, 503) as taking:
        await sent(world, taking.url, one, one, one, retry_for=0)
    assert len(world.notices) == 3


async def test_a_server_that_fails_quickly_is_not_tried_without_end() -> None:
    world = World()
    async with receiver(*[503] * 100) as taking:
        await sent(world, taking.url, retry_for=10**9)
    assert len(taking.received) == ATTEMPTS
    assert max(world.pauses) == 60.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_refusal_is_not_repeated(status: int) -> None:
    world = World()
    async with receiver(status) as taking:
        await sent(world, taking.url)
    assert len(taking.received) == 1
    assert f"answers {status}" in world.notices[0]


async def test_a_redirect_is_never_followed() -> None:
    world = World()
    async with receiver() as elsewhere, receiver(saying(307, Location=elsewhere.url)) as taking:
        await sent(world, taking.url)
    assert (len(taking.received), elsewhere.received) == (1, [])
    assert "redirects elsewhere (307)" in world.notices[0]


async def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    world = World()
    async with receiver(hang) as taking:
        await sent(world, taking.url, timeout=1.0)
    assert (len(taking.received), world.pauses) == (2, [1.0])


async def test_an_endless_answer_is_not_read() -> None:
    world = World()
    async with receiver(endless) as taking:
        await sent(world, taking.url)
    assert (len(taking.received), world.notices) == (1, [])


@pytest.mark.parametrize(
    ("answer", "told"), [(b"\x00\xffgarbage\r\n\r\n", "not HTTP"), (b"", "the connection broke before the answer")]
)
async def test_what_is_no_web_server_is_told_in_plain_words(answer: bytes, told: str) -> None:
    world = World()
    async with raw_server(answer) as port:
        await sent(world, f"http://127.0.0.1:{port}/{PATH}", retry_for=0)
    assert told in world.notices[0]


async def test_a_closed_port_is_told_in_plain_words() -> None:
    world = World()
    async with raw_server(b"") as port:
        pass
    await sent(world, f"http://127.0.0.1:{port}/{PATH}", retry_for=0)
    assert "the connection was refused or has no route" in world.notices[0]


async def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path: Path) -> None:
    world = World()
    identity = await anyio.to_thread.run_sync(identity_in, tmp_path)
    tls: ssl.SSLContext = await anyio.to_thread.run_sync(identity.context)
    async with receiver(tls=tls) as taking:
        await sent(world, taking.url)
    assert (taking.received, world.pauses) == ([], [])
    assert "the certificate of 127.0.0.1 is not trusted" in world.notices[0]


@pytest.mark.parametrize("answer", [503, 404, saying(302, Location="http://127.0.0.1:1/"), hang])
async def test_neither_secret_nor_path_is_ever_told(answer: int | Answer) -> None:
    world = World()
    async with receiver(answer) as taking:
        out = delivery(world, taking.url, timeout=0.05, retry_for=0)
        with pytest.raises(Undelivered) as failed:
            await out.try_once(sample(Kind.FINISHED, world.at))
        out.add(sample(Kind.FINISHED, world.at))
        out.close()
        await out.serve()
    everything = f"{failed.value!r} {failed.value.__cause__!r} {out!r} {out._channel!r} {place(taking.url)!r}"
    for secret in (PATH, SECRET):
        assert secret not in everything + "".join(world.notices)


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/x", "ftp://127.0.0.1/x", "https:///x", "https://[::1/x", "", "mailto:ops@example.com"],
)
def test_only_https_and_this_machine_are_addresses(url: str) -> None:
    assert place(url) is None


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pw@proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example.com")
    assert place("https://hooks.example.com/x") == Place(
        "https://hooks.example.com/x", "http://user:pw@proxy.example.com:3128"
    )
    assert place("https://direct.example.com/x") == Place("https://direct.example.com/x")
    assert place("https://127.0.0.1/x") == Place("https://127.0.0.1/x")
    assert repr(place("https://hooks.example.com/x")) == "Place(hooks.example.com)"
