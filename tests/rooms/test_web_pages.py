"""The pages and their headers: who may ask, what goes with every answer, and how the page goes on by itself."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import anyio
import pytest

from orchestrator.core.events import Notice, RunStarted
from orchestrator.web import bounded, feed, server
from tests.support.boards import NOW, busy_board
from tests.support.web import TOKEN, Served, page

PATHS = ["/", "/wall", "/api/status.json", "/healthz", "/readyz", "/static/status.css", "/nothing", "/api/pause"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_every_answer_keeps_the_browser_on_a_short_leash(tmp_path: Path, path: str, method: str) -> None:
    async with page(tmp_path) as served, served.client() as client, client.request(method, path) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "orchestrator"
        assert "Set-Cookie" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_the_page_and_the_wall_are_whole_without_script(tmp_path: Path) -> None:
    async with page(tmp_path, busy_board()) as served, served.client() as client:
        for path, expected in (("/", "Not restored, by reason"), ("/wall", 'class="wall"')):
            async with client.get(path) as answer:
                text = await answer.text()
                assert (answer.status, answer.content_type, answer.charset) == (200, "text/html", "utf-8")
                assert expected in text
                assert "14,210" in text
                assert "backup01" in text
                assert "<button" not in text


async def test_the_status_is_json_for_programs(tmp_path: Path) -> None:
    async with (
        page(tmp_path, busy_board()) as served,
        served.client() as client,
        client.get("/api/status.json") as answer,
    ):
        assert answer.content_type == "application/json"
        assert [run["job"] for run in (await answer.json())["runs"]] == ["incident-4711", "hr-archive"]


@pytest.mark.parametrize(
    ("name", "kind"), [("status.css", "text/css"), ("status.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
)
async def test_style_script_and_icon_come_from_the_same_place(tmp_path: Path, name: str, kind: str) -> None:
    async with page(tmp_path) as served, served.client() as client, client.get(f"/static/{name}") as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        assert len(await answer.read()) > 100


@pytest.mark.parametrize("path", ["/static/", "/static/../listeners.py", "/static/%2e%2e/listeners.py", "//", "/etc"])
async def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    async with page(tmp_path) as served:
        status, body = await raw(served, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert status == 404
        assert b"There is no such page" in body


async def test_what_can_only_be_read_refuses_to_be_written(tmp_path: Path) -> None:
    async with page(tmp_path) as served, served.client() as client:
        async with client.post("/") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        async with client.head("/") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with client.head("/events") as answer:
            assert answer.status == 405


async def test_health_is_that_the_process_answers(tmp_path: Path) -> None:
    async with page(tmp_path) as served, served.client() as client, client.get("/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_readiness_says_in_words_what_is_missing(tmp_path: Path) -> None:
    reasons: list[str] = ["Enterprise Manager could not be asked", "the watcher is starting"]
    async with page(tmp_path, ready=lambda: reasons) as served, served.client() as client:
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "\n".join(reasons) + "\n")
        reasons.clear()
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ready\n")


async def test_metrics_are_those_of_the_roof_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    def metrics(accept: str) -> tuple[bytes, str]:
        return f"# asked for {accept}\n".encode(), "application/openmetrics-text; version=1.0.0; charset=utf-8"

    accept = {"Accept": "application/openmetrics-text"}
    async with (
        page(tmp_path, metrics=metrics) as served,
        served.client() as client,
        client.get("/metrics", headers=accept) as answer,
    ):
        assert await answer.text() == "# asked for application/openmetrics-text\n"
        assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def test_without_metrics_there_is_no_such_page(tmp_path: Path) -> None:
    async with page(tmp_path) as served, served.client() as client, client.get("/metrics") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8090", "localhost:1", "[::1]:8090", "10.1.2.3", "backup01", "Backup01:80"]
)
async def test_a_name_that_is_ours_is_answered(tmp_path: Path, host: str) -> None:
    async with (
        page(tmp_path, hosts=["backup01"]) as served,
        served.client() as client,
        client.get("/", headers={"Host": host}) as answer,
    ):
        assert answer.status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "backup01.evil.example", "[", "", "a b", "\xff"]
)
@pytest.mark.parametrize("path", ["/", "/api/status.json", "/events", "/metrics", "/static/status.js"])
async def test_a_name_that_somebody_else_made_mean_our_address_is_refused(tmp_path: Path, host: str, path: str) -> None:
    async with page(tmp_path, busy_board(), hosts=["backup01"]) as served:
        status, body = await raw(served, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert status in (400, 421)
        assert b"incident" not in body
        if status == 421:
            assert b"web.hosts" in body


async def test_over_the_local_socket_any_name_will_do(tmp_path: Path) -> None:
    async with (
        page(tmp_path, local=True) as served,
        served.client(local=True) as client,
        client.get("/healthz", headers={"Host": "whatever"}) as answer,
    ):
        assert answer.status == 200


async def test_a_mistake_of_ours_is_told_once_and_the_page_goes_on(tmp_path: Path) -> None:
    def broken() -> list[str]:
        raise ZeroDivisionError

    async with page(tmp_path, ready=broken) as served, served.client() as client:
        for _ in range(3):
            async with client.get("/readyz") as answer:
                assert answer.status == 500
                assert "error in orchestrator itself" in await answer.text()
        assert len([one for one in served.notices if "ZeroDivisionError" in one]) == 1
        async with client.get("/healthz") as answer:
            assert answer.status == 200


# --- the stream ---


async def messages(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str]]:
    """(event, data) of every message of a stream."""
    name, data = "", []
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        key, _, value = text.partition(": ")
        if key == "event":
            name = value
        elif key in ("data", "data:"):
            data.append(value)
        elif not text and name:
            yield name, "\n".join(data)
            name, data = "", []


async def test_a_stream_tells_at_once_and_again_when_something_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVERY", 0.01)
    monkeypatch.setattr(feed, "FRESH", 0.0)
    async with page(tmp_path) as served, served.client() as client, client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        stream = messages(answer)
        name, data = await anext(stream)
        assert (name, json.loads(data)["runs"]) == ("status", [])
        served.board.add(RunStarted(NOW, "r", "nightly", 1))
        name, data = await anext(stream)
        assert (name, json.loads(data)["runs"][0]["job"]) == ("status", "nightly")


@pytest.mark.parametrize(("view", "expected"), [("page", 'data-view="page"'), ("wall", 'data-view="wall"')])
async def test_a_browser_is_sent_the_part_of_its_page_that_changes(tmp_path: Path, view: str, expected: str) -> None:
    async with page(tmp_path, busy_board()) as served, served.client() as client:
        async with client.get("/events", params={"view": view}) as answer:
            name, data = await anext(messages(answer))
            assert name == "status"
            assert data.startswith("<main ")
            assert expected in data
            assert data.rstrip().endswith("</main>")
        async with client.get({"page": "/", "wall": "/wall"}[view]) as whole:
            assert data.strip() in await whole.text()


async def test_a_stream_without_news_says_that_it_is_alive_and_shows_passing_time_while_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVERY", 0.01)
    monkeypatch.setattr(feed, "ALIVE", 0.05)
    monkeypatch.setattr(feed, "BUSY", 0.2)
    async with page(tmp_path) as served, served.client() as client, client.get("/events") as answer:
        stream = messages(answer)
        assert [(await anext(stream))[0] for _ in range(3)] == ["status", "alive", "alive"]
        served.board.add(RunStarted(NOW, "r", "nightly", 1))
        seen = [(await anext(stream))[0] for _ in range(12)]
        assert seen.count("status") >= 2
        assert "alive" in seen


async def test_news_are_told_at_most_once_in_a_while_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVERY", 0.3)
    async with page(tmp_path) as served, served.client() as client, client.get("/events") as answer:
        stream = messages(answer)
        await anext(stream)
        began = anyio.current_time()
        for number in range(1000):
            served.board.add(Notice(NOW, str(number)))
        _, data = await anext(stream)
        assert anyio.current_time() - began > 0.2
        assert json.loads(data)["recent"][0]["message"] == "999"


async def test_more_streams_than_there_is_room_for_are_refused_and_a_closed_one_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CLIENTS", 2)
    monkeypatch.setattr(feed, "EVERY", 0.01)
    async with page(tmp_path) as served, served.client() as client:
        async with client.get("/events") as first, client.get("/events") as second:
            assert (first.status, second.status) == (200, 200)
            async with client.get("/events") as third:
                assert (third.status, third.headers["Retry-After"]) == (503, "60")
                assert "close one" in await third.text()
        await there_is_room(client)


async def test_a_client_that_does_not_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CLIENTS", 1)
    monkeypatch.setattr(feed, "EVERY", 0.0)
    monkeypatch.setattr(feed, "BUSY", 0.0)
    monkeypatch.setattr(feed, "FRESH", 10.0)
    monkeypatch.setattr(feed, "SLOW", 0.2)
    async with (
        page(tmp_path, busy_board()) as served,
        served.client() as client,
        await anyio.connect_tcp(*served.address) as stuck,
    ):
        await stuck.send(b"GET /events?view=page HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await stuck.receive()
        await there_is_room(client)


async def there_is_room(client: aiohttp.ClientSession) -> None:
    """Wait until a stream is given to a client."""
    with anyio.fail_after(10):
        while True:
            async with client.get("/events") as answer:
                if answer.status == 200:
                    return
            await anyio.lowlevel.checkpoint()


async def test_the_end_of_the_server_ends_the_streams_at_once(tmp_path: Path) -> None:
    async with page(tmp_path) as served:
        client = served.client()
        session = await client.__aenter__()
        answer = await session.get("/events")
        stream = messages(answer)
        await anext(stream)
        began = anyio.current_time()
    assert anyio.current_time() - began < bounded.LAST_ANSWERS
    assert [name async for name, _ in stream] == []
    await client.__aexit__(None, None, None)


# --- connections ---


async def raw(served: Served, text: str) -> tuple[int, bytes]:
    """(status, body) that a request in plain bytes is answered with."""
    async with await anyio.connect_tcp(*served.address) as stream:
        await stream.send(text.encode("latin-1"))
        received = b""
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        found = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        assert found, head
        while len(body) < int(found[1]):
            body += await stream.receive()
        return int(head.split(b" ")[1]), body


async def test_whoever_comes_when_all_connections_are_taken_is_hung_up_on_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    async with page(tmp_path) as served:
        held = [await anyio.connect_tcp(*served.address) for _ in range(3)]
        await anyio.wait_all_tasks_blocked()
        async with await anyio.connect_tcp(*served.address) as late:
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await late.receive()
        await held[0].send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await held[0].receive()
        for one in held:
            await one.aclose()


async def test_a_connection_that_never_finishes_its_question_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE", 0.2)
    async with page(tmp_path) as served, await anyio.connect_tcp(*served.address) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nX-Slow: ")
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)), anyio.fail_after(10):
            await stream.receive()


NONSENSE = ["\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 500]


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_is_no_news(tmp_path: Path, nonsense: str, caplog: pytest.LogCaptureFixture) -> None:
    async with page(tmp_path) as served:
        async with await anyio.connect_tcp(*served.address) as stream:
            await stream.send(nonsense.encode("latin-1"))
            await anyio.wait_all_tasks_blocked()
        status, _ = await raw(served, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 200
        assert served.notices == [f"status page at {served.urls[0]}"]
        assert caplog.text == ""


async def test_where_the_page_is_and_that_it_is_open_to_all_is_told(tmp_path: Path) -> None:
    async with page(tmp_path, listen="0.0.0.0:0", local=True) as served:
        assert len(served.urls) == 2
        assert served.notices[:2] == [f"status page at {url}" for url in served.urls]
        assert "can be read by everybody who reaches it" in served.notices[2]
        assert "web.tls_certificate" in served.notices[2]
    async with page(tmp_path, listen="0.0.0.0:0", tls=True) as served:
        assert served.urls[0].startswith("https://0.0.0.0:")
        assert len(served.notices) == 1


async def test_no_token_is_ever_told_or_shown(tmp_path: Path) -> None:
    async with page(tmp_path, tls=True, token=True) as served, served.client() as client:
        texts = [repr(served.told)]
        for path in PATHS:
            async with client.get(path) as answer:
                texts += [await answer.text(), repr(answer.headers)]
        for headers in ({"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
            async with client.post("/api/pause", headers=headers) as answer:
                texts += [await answer.text(), repr(served.told)]
        assert not [text for text in texts if TOKEN in text]
