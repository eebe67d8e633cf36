"""The status page in a real browser: on a phone, on a desk, on a wall; with script and without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.board import Board
from orchestrator.core.events import Notice, RunStarted
from orchestrator.web import feed
from tests.support.boards import FILE_SERVERS, NOW, busy_board, well_board
from tests.support.browser import DESKTOP, PHONE, WALL, WALL_4K, Tab, browsing, tab
from tests.support.web import TOKEN, Operator, Served, page
from tests.views.test_views_status import hostile_board

pytestmark = pytest.mark.timeout(60)
Boards = Callable[[], Board]

LOOKS = [
    ("/", PHONE, "dark", busy_board, "phone-dark"),
    ("/", PHONE, "light", well_board, "phone-light"),
    ("/", DESKTOP, "light", busy_board, "desktop-light"),
    ("/", DESKTOP, "dark", well_board, "desktop-dark"),
    ("/wall", WALL, "dark", busy_board, "wall-dark"),
    ("/wall", WALL, "light", well_board, "wall-light"),
    ("/wall", WALL_4K, "dark", busy_board, ""),
    ("/wall", PHONE, "dark", busy_board, ""),
    ("/", PHONE, "dark", lambda: hostile_board("x" * 500), ""),
    ("/wall", WALL, "light", lambda: hostile_board("Ünïcödé_" * 60), ""),
    ("/", WALL_4K, "light", lambda: Board(NOW), ""),
]

OVERFLOWING = """() => {
    const inside = node => {
        const box = node.getBoundingClientRect();
        return !box.width || (box.left >= -1 && box.right <= innerWidth + 1);
    };
    const held = node => {
        for (let above = node.parentElement; above !== document.body; above = above.parentElement) {
            if (getComputedStyle(above).overflowX !== 'visible' && inside(above)) return true;
        }
        return false;
    };
    return [...document.querySelectorAll('body *')].filter(node => !inside(node) && !held(node))
        .map(node => node.outerHTML.slice(0, 120));
}"""

OVERLAPPING = """() => [...document.querySelectorAll('dd, .figures dd, .share, h1, td.number')].filter(node =>
    node.clientWidth && node.scrollWidth > node.clientWidth + 1).map(node => node.outerHTML.slice(0, 120))"""

CUT_OFF = """() => ['.wall body', '.wall .runs', '.wall .side'].map(name => document.querySelector(name))
    .filter(node => node.scrollHeight > node.clientHeight + 1).map(node => node.className || node.tagName)"""

# The contrast of every text with what is behind it. Source: WCAG 2.2, 1.4.3 and the definition of relative luminance.
PALE = """() => {
    const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) =>
        0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = parts(getComputedStyle(node).backgroundColor);
            if (colour[3] === undefined || colour[3] > 0.99) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; (text = walker.nextNode());) {
        if (!text.data.trim() || !text.parentElement.getClientRects().length) continue;
        const [a, b] = [light(parts(getComputedStyle(text.parentElement).color)), light(behind(text.parentElement))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${text.data.trim().slice(0, 40)}`);
    }
    return found;
}"""


@pytest.mark.parametrize(("path", "size", "scheme", "board", "name"), LOOKS)
async def test_everything_fits_and_can_be_read(
    tmp_path: Path, path: str, size: tuple[int, int], scheme: str, board: Boards, name: str
) -> None:
    scale = 0.6 if size == WALL else 1  # of the picture: the documents need no larger one
    async with (
        page(tmp_path, board()) as served,
        browsing() as browser,
        tab(browser, size, scheme, device_scale_factor=scale) as seen,
    ):
        await seen.open(served.url + path)
        await seen.until("document.querySelector('#live.on')")
        assert await seen.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert await seen.evaluate(OVERFLOWING) == []
        assert await seen.evaluate(OVERLAPPING) == []
        assert await seen.evaluate(PALE) == []
        dark = await seen.evaluate("getComputedStyle(document.body).backgroundColor === 'rgb(13, 17, 23)'")
        assert dark is (scheme == "dark")
        if name:
            await seen.picture(name)


@pytest.mark.parametrize("size", [WALL, WALL_4K])
@pytest.mark.parametrize("board", [busy_board, well_board, lambda: hostile_board("x" * 500), lambda: Board(NOW)])
async def test_a_wall_screen_shows_all_of_it_in_large_type_without_scrolling(
    tmp_path: Path, size: tuple[int, int], board: Boards
) -> None:
    async with page(tmp_path, board()) as served, browsing() as browser, tab(browser, size, "dark") as seen:
        await seen.open(f"{served.url}/wall")
        assert await seen.evaluate("document.documentElement.scrollHeight") <= size[1]
        assert await seen.evaluate(CUT_OFF) == []
        smallest = await seen.evaluate(
            "Math.min(...[...document.querySelectorAll('td, dd, li, h3')]"
            ".map(node => parseFloat(getComputedStyle(node).fontSize)))"
        )
        assert smallest >= size[1] / 65
        assert await seen.evaluate("document.querySelectorAll('button, input, .wall main a').length") == 0


async def test_without_script_the_numbers_are_there_and_the_page_reads_itself_again(tmp_path: Path) -> None:
    board = busy_board()
    async with (
        page(tmp_path, board) as served,
        browsing() as browser,
        tab(browser, PHONE, java_script_enabled=False) as seen,
    ):
        await seen.open(served.url)
        for expected in ("Needs attention", "incident-4711", "fs08"):
            await seen.sees(expected)
        board.add(RunStarted(NOW, "new-run", "begun-meanwhile", 1))
        await seen.sees("begun-meanwhile", timeout=20)


async def test_what_changes_is_seen_at_once_and_leaves_focus_selection_and_unfolded_parts_alone(tmp_path: Path) -> None:
    board = busy_board()
    async with page(tmp_path, board) as served, browsing() as browser, tab(browser) as seen:
        await seen.open(served.url)
        await seen.page.locator("summary").first.click()
        await seen.sees("Forecast (final).xlsx")
        await seen.evaluate("window.mark = document.querySelector('details'); window.scrollTo(0, 300)")
        board.add(RunStarted(NOW, "another", "another", 1))
        await seen.until("document.querySelector('#run-another')")
        await seen.sees("3 runs going on")
        assert await seen.evaluate("window.mark === document.querySelector('details') && window.mark.open")
        assert await seen.evaluate("document.activeElement === window.mark.querySelector('summary')")
        assert await seen.evaluate("window.scrollY") == 300
        assert [url for url in seen.requests if url == f"{served.url}/"] == [f"{served.url}/"]


SAME = """async (view) => {
    const text = await (await fetch(view === 'wall' ? '/wall' : '/')).text();
    const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('status');
    const now = document.getElementById('status');
    return now.isEqualNode(fresh) || [now.outerHTML, fresh.outerHTML];
}"""


@pytest.mark.parametrize("path", ["/", "/wall"])
async def test_after_any_change_the_page_is_what_a_fresh_one_would_be(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVERY", 0.05)
    monkeypatch.setattr(feed, "FRESH", 0.0)
    boards = [Board(NOW), well_board(), busy_board(), hostile_board("Ünïcödé \"'><&"), well_board(), Board(NOW)]
    shown: list[Board] = [boards[0]]
    async with (
        page(tmp_path, snapshot=lambda: shown[0].snapshot(NOW)) as served,
        browsing() as browser,
        tab(browser) as seen,
    ):
        await seen.open(served.url + path)
        await seen.until("document.querySelector('#live.on')")
        for number, board in enumerate(boards):
            for _ in range(number * 1000):  # each board is at another count of changes
                board.add(Notice(NOW, f"mark {number}"))
            shown[0] = board
            await seen.until(f"document.getElementById('status').outerHTML.includes('mark {number}')"
                             if path == "/" and number else "true")  # fmt: skip
            await _settled(seen)
            assert await seen.evaluate(SAME, path.strip("/")) is True, number


async def _settled(seen: Tab) -> None:
    """Wait for two messages of the stream."""
    await seen.evaluate(
        """() => new Promise(done => {
            const again = new EventSource('/events?view=page');
            again.addEventListener('status', () => { again.close(); setTimeout(done, 200); });
        })"""
    )


async def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    attack = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    async with page(tmp_path, hostile_board(attack)) as served, browsing() as browser:
        for path in ("/", "/wall"):
            async with tab(browser) as seen:
                await seen.open(served.url + path)
                await seen.until("document.querySelector('#live.on')")
                assert (
                    await seen.evaluate("document.images.length + document.querySelectorAll('main script').length") == 0
                )
                assert await seen.page.title() == "Needs attention - orchestrator"


async def test_a_lost_server_is_said_so_and_found_again_when_it_is_back(tmp_path: Path) -> None:
    board = well_board()
    async with browsing() as browser:
        context = await browser.new_context()
        seen = Tab(await context.new_page())
        async with page(tmp_path, board) as served:
            listen = served.url.removeprefix("http://")
            await seen.open(f"{served.url}/wall")
            await seen.until("document.querySelector('#live.on')")
            await seen.evaluate("window.mark = 1")
        await seen.until("document.querySelector('#live.off')")
        assert "no connection, as of 03:14 UTC" in await seen.page.inner_text("#live")
        board.add(RunStarted(NOW, "later", "begun-later", 1))
        async with page(tmp_path, board, listen=listen):
            await seen.until("document.querySelector('#live.on')", timeout=20)
            await seen.sees("begun-later")
            assert await seen.evaluate("window.mark") == 1, "it was not read again"
        await context.close()


async def test_a_page_that_was_refused_its_stream_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CLIENTS", 0)
    async with page(tmp_path, well_board()) as served, browsing() as browser:
        context = await browser.new_context()
        seen = Tab(await context.new_page())
        await seen.open(served.url)
        await seen.until("document.querySelector('#live.off')")
        monkeypatch.setattr(feed, "CLIENTS", 1)
        await seen.until("document.querySelector('#live.on')")
        await context.close()


async def test_a_page_of_an_older_version_reads_itself_again(tmp_path: Path) -> None:
    board = well_board()
    async with page(tmp_path, board) as served, browsing() as browser, tab(browser) as seen:
        await seen.open(served.url)
        await seen.until("document.querySelector('#live.on')")
        await seen.evaluate("window.mark = 1; document.getElementById('status').dataset.version = 'older'")
        board.add(Notice(NOW, "news"))
        await seen.until("window.mark === undefined && document.querySelector('#live.on')")


# --- operators ---


async def operator_tab(served: Served, seen: Tab) -> None:
    await seen.open(served.url)
    await seen.page.get_by_label("Token").fill(TOKEN)


async def answer(seen: Tab, text: str) -> None:
    await seen.until(f"document.getElementById('answer').textContent.includes({text!r})")


async def test_with_the_token_over_tls_an_operator_can_act(tmp_path: Path) -> None:
    operator = Operator(known=[FILE_SERVERS])
    board = busy_board()
    async with (
        page(tmp_path, board, tls=True, token=True, operator=operator) as served,
        browsing() as browser,
        tab(browser, PHONE, "dark", ignore_https_errors=True) as seen,
    ):
        asked: list[str] = []

        async def confirm(dialog: Any) -> None:
            asked.append(dialog.message)
            await (dialog.accept() if "Drain" in dialog.message else dialog.dismiss())

        seen.page.on("dialog", confirm)
        await operator_tab(served, seen)
        await seen.page.get_by_role("button", name="Pause everything").click()
        await answer(seen, "Paused: nothing new begins.")
        await seen.page.get_by_role("button", name="Drain").first.click()
        await answer(seen, "is being stopped")
        answered = "document.getElementById('answer').getBoundingClientRect()"
        assert await seen.evaluate(f"{answered}.top > 0 && {answered}.bottom <= innerHeight"), "wherever the button is"
        await seen.page.get_by_role("button", name="Cancel").first.click()
        assert operator.done == [("pause", True), ("stop", FILE_SERVERS, False)]
        assert served.acted == [("127.0.0.1", "pause", ""), ("127.0.0.1", "drain", FILE_SERVERS)]
        assert asked[0].startswith(f"Drain {FILE_SERVERS}?")
        assert asked[1].startswith(f"Cancel {FILE_SERVERS}?")
        board.add(RunStarted(NOW, "another", "another", 1))
        await seen.sees("3 runs going on")
        assert await seen.page.get_by_label("Token").input_value() == TOKEN
        kept = "[localStorage.length, sessionStorage.length, document.cookie, location.href.includes('token')]"
        assert await seen.evaluate(kept) == [0, 0, "", False]
        assert not [url for url in seen.requests if TOKEN in url]
        assert await seen.evaluate(OVERFLOWING) == []
        assert await seen.evaluate(PALE) == []


async def test_without_a_token_or_with_a_wrong_one_the_page_says_so(tmp_path: Path) -> None:
    async with page(tmp_path, busy_board(), tls=True, token=True) as served, browsing() as browser:
        context = await browser.new_context(ignore_https_errors=True)
        seen = Tab(await context.new_page())
        await seen.open(served.url)
        pause = seen.page.get_by_role("button", name="Pause everything")
        await pause.click()
        await answer(seen, "Enter the token first.")
        await seen.page.get_by_label("Token").fill("not the token")
        await pause.click()
        await answer(seen, "The token is wrong.")
        assert served.operator.done == []
        await context.close()
