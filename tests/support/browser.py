"""A real browser: Chromium without a window, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESKTOP, WALL, WALL_4K = (390, 844), (1280, 800), (1920, 1080), (3840, 2160)
SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
WANTED = os.environ.get("UPDATE_SCREENSHOTS") == "1"


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """The browser of this machine; Playwright brings none of its own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here; `make browser` says how to get one")
    # The sandbox does not work for root; a test shows only pages of its own.
    rights = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=rights)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab(
    browser: Browser, size: tuple[int, int] = DESKTOP, scheme: Any = "light", **more: Any
) -> AsyncIterator["Tab"]:
    """One tab. What the page complains of, or asks of anybody else, fails the test."""
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", **more
    )
    try:
        opened = Tab(await context.new_page())
        yield opened
        assert opened.complaints == []
        assert {url.split("/")[2] for url in opened.requests} == {opened.page.url.split("/")[2]}
    finally:
        await context.close()


class Tab:
    """A page, with everything that it has asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._console(message.type, message.text))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    async def open(self, url: str) -> None:
        await self.page.goto(url, wait_until="domcontentloaded")

    async def sees(self, text: str, timeout: float = 10) -> None:
        """Wait until the text is on the page."""
        await self.page.get_by_text(text).first.wait_for(timeout=timeout * 1000)

    async def evaluate(self, script: str, *given: Any) -> Any:
        return await self.page.evaluate(script, *given)

    async def until(self, script: str, timeout: float = 10) -> None:
        """Wait until an expression of the page is true."""
        await self.page.wait_for_function(f"() => {script}", timeout=timeout * 1000)

    async def picture(self, name: str) -> None:
        """Keep a picture for the documents, when that is asked for."""
        if WANTED:
            SCREENSHOTS.mkdir(exist_ok=True)
            await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
