"""What operators may do on the page, and everybody else may not."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.core.board import Board
from orchestrator.core.errors import StateUnusable
from orchestrator.core.events import RunStarted
from orchestrator.web import guards
from tests.support.boards import NOW
from tests.support.web import TOKEN, Clock, Operator, page

RIGHT = {"Authorization": f"Bearer {TOKEN}"}
WRONG = {"Authorization": "Bearer something-else-altogether"}
ORDERS = {
    "/api/pause": (("pause", True), ("pause", "")),
    "/api/resume": (("pause", False), ("resume", "")),
    "/api/sweep": (("sweep",), ("sweep", "")),
    "/api/runs/r/drain": (("stop", "r", False), ("drain", "r")),
    "/api/runs/r/cancel": (("stop", "r", True), ("cancel", "r")),
}


def board_with(*runs: str) -> Board:
    board = Board(NOW)
    for run in runs:
        board.add(RunStarted(NOW, run, "nightly", 1))
    return board


async def post(
    client: aiohttp.ClientSession, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    async with client.post(path, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize("path", ORDERS)
async def test_an_order_with_the_token_over_tls_is_told_and_done(tmp_path: Path, path: str) -> None:
    done, (what, run) = ORDERS[path]
    async with page(tmp_path, board_with("r"), tls=True, token=True) as served, served.client() as client:
        status, answer, _ = await post(client, path, RIGHT)
        assert (status, list(answer)) == (200, ["message"])
        assert served.operator.done == [done]
        assert served.acted == [("127.0.0.1", what, run)]


@pytest.mark.parametrize("path", ORDERS)
async def test_an_order_over_the_local_socket_needs_no_token_and_names_the_account(tmp_path: Path, path: str) -> None:
    done, (what, run) = ORDERS[path]
    async with page(tmp_path, board_with("r"), local=True, listen=None) as served, served.client(local=True) as client:
        assert (await post(client, path))[0] == 200
        assert served.operator.done == [done]
        assert served.acted == [(f"uid {os.getuid()} on the local socket", what, run)]


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize("headers", [{}, RIGHT])
async def test_nothing_is_done_in_the_clear_not_even_with_the_token(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    async with page(tmp_path, board_with("r"), local=True) as served, served.client() as client:
        status, answer, _ = await post(client, path, headers)
        assert status == 403
        assert "plain HTTP" in answer["error"]
        assert "web.tls_certificate" in answer["error"]
        assert (served.operator.done, served.acted) == ([], [])


BAD = [
    {},
    WRONG,
    {"Authorization": TOKEN},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": "Bearer "},
    {"Cookie": f"token={TOKEN}"},
]


@pytest.mark.parametrize("headers", BAD)
async def test_nothing_is_done_without_the_right_token(tmp_path: Path, headers: dict[str, str]) -> None:
    async with page(tmp_path, tls=True, token=True) as served, served.client() as client:
        status, answer, told = await post(client, "/api/pause", headers)
        assert status == 401
        assert told["WWW-Authenticate"].startswith("Bearer")
        assert "token" in answer["error"]
        assert (served.operator.done, served.acted) == ([], [])
        assert bool([one for one in served.notices if "wrong token came from 127.0.0.1" in one]) is (
            "Authorization" in headers
        )


async def test_a_token_in_the_address_is_no_token(tmp_path: Path) -> None:
    async with page(tmp_path, tls=True, token=True) as served, served.client() as client:
        for name in ("token", "access_token", "authorization"):
            assert (await post(client, f"/api/pause?{name}={TOKEN}"))[0] == 401
        assert served.operator.done == []


async def test_over_tls_without_a_token_in_the_config_nothing_can_be_done(tmp_path: Path) -> None:
    async with page(tmp_path, tls=True) as served, served.client() as client:
        status, answer, _ = await post(client, "/api/pause", RIGHT)
        assert (status, "web.token_file" in answer["error"]) == (403, True)
        async with client.get("/") as shown:
            assert "<button" not in await shown.text()


async def test_after_some_wrong_tokens_one_has_to_wait_though_the_next_is_right(tmp_path: Path) -> None:
    clock = Clock()
    async with page(tmp_path, tls=True, token=True, clock=clock) as served, served.client() as client:
        for _ in range(guards.FAILURES):
            assert (await post(client, "/api/pause", WRONG))[0] == 401
        for headers in (WRONG, RIGHT):
            status, answer, told = await post(client, "/api/pause", headers)
            assert (status, told["Retry-After"]) == (429, "61")
            assert "Wait 61 s" in answer["error"]
        assert served.operator.done == []
        clock.pass_(seconds=61)
        assert (await post(client, "/api/pause", RIGHT))[0] == 200


async def test_a_right_token_forgets_the_wrong_ones_before_it(tmp_path: Path) -> None:
    async with page(tmp_path, tls=True, token=True) as served, served.client() as client:
        for _ in range(3):
            for _ in range(guards.FAILURES - 1):
                assert (await post(client, "/api/pause", WRONG))[0] == 401
            assert (await post(client, "/api/pause", RIGHT))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://HOST"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("local", [False, True])
async def test_what_another_site_makes_a_browser_send_is_not_done(
    tmp_path: Path, headers: dict[str, str], local: bool
) -> None:
    async with page(tmp_path, tls=True, token=True, local=True) as served, served.client(local=local) as client:
        host = served.url.removeprefix("https://")
        sent = {name: value.replace("HOST", host) for name, value in headers.items()}
        status, answer, _ = await post(client, "/api/pause", {**RIGHT, **sent})
        assert (status, "Another site" in answer["error"]) == (403, True)
        assert served.operator.done == []


async def test_what_our_own_page_sends_is_done(tmp_path: Path) -> None:
    async with page(tmp_path, tls=True, token=True) as served, served.client() as client:
        own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        assert (await post(client, "/api/pause", {**RIGHT, **own}))[0] == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_the_local_socket_takes_no_orders_through_a_proxy(tmp_path: Path, header: str) -> None:
    async with page(tmp_path, local=True) as served, served.client(local=True) as client:
        status, answer, _ = await post(client, "/api/pause", {header: "10.0.0.1"})
        assert (status, "through a proxy" in answer["error"]) == (403, True)
        assert served.operator.done == []


async def test_a_run_that_is_not_going_on_cannot_be_stopped(tmp_path: Path) -> None:
    async with page(tmp_path, board_with("gone"), local=True) as served, served.client(local=True) as client:
        status, answer, _ = await post(client, "/api/runs/never/drain")
        assert (status, answer["error"]) == (404, "No run never is going on.")
        assert served.acted == []
        status, answer, _ = await post(client, "/api/runs/gone/drain")
        assert (status, answer["error"]) == (409, "The run gone has just ended.")


async def test_what_goes_wrong_is_answered_in_plain_words(tmp_path: Path) -> None:
    operator = Operator(error=StateUnusable(folder="/state", cause="no space left on device"))
    async with page(tmp_path, local=True, operator=operator) as served, served.client(local=True) as client:
        status, answer, _ = await post(client, "/api/pause")
        assert (status, "no space left on device" in answer["error"]) == (500, True)
        assert served.acted


async def test_an_orchestrator_that_takes_no_orders_says_so(tmp_path: Path) -> None:
    async with page(tmp_path, local=True, actions=None) as served, served.client(local=True) as client:
        assert (await post(client, "/api/pause"))[0] == 404


@pytest.mark.parametrize("path", ["/api/pause", "/api/runs/r/cancel"])
async def test_an_order_is_never_given_by_following_a_link(tmp_path: Path, path: str) -> None:
    async with page(tmp_path, board_with("r"), local=True) as served, served.client(local=True) as client:
        async with client.get(path) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert served.operator.done == []


async def test_the_page_has_buttons_where_they_can_be_used(tmp_path: Path) -> None:
    async with page(tmp_path, board_with("r"), tls=True, token=True) as served, served.client() as client:
        async with client.get("/") as answer:
            text = await answer.text()
            assert "/api/runs/r/drain" in text
            assert 'type="password"' in text
        async with client.get("/wall") as answer:
            assert "<button" not in await answer.text()


def test_wrong_tokens_are_remembered_by_place_and_not_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guards._place("10.0.0.1") == "10.0.0.1"
    assert guards._place("::ffff:10.0.0.1") == "10.0.0.1"
    assert guards._place("2001:db8::1") == guards._place("2001:db8::ffff:1") != guards._place("2001:db8:0:1::1")
    assert guards._place("fe80::1%eth0") == guards._place("fe80::2%eth0")
    assert guards._place("an unknown address") == "an unknown address"
    monkeypatch.setattr(guards, "PLACES", 3)
    doorkeeper = guards.Doorkeeper(TOKEN)
    for number in range(10):
        with pytest.raises(guards.Refused):
            doorkeeper._check_token("Bearer wrong", f"10.0.0.{number}", NOW)
    assert list(doorkeeper._failures) == ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
