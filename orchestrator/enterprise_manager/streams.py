"""An answer whose body is read piece by piece: a file, of any size."""

import contextlib
from collections.abc import Callable

import aiohttp

from orchestrator.core.errors import EmError
from orchestrator.enterprise_manager.wire.exchange import Reply

_EXPLANATION = 65536
"""Bytes of a refusal's body that are read."""


class Incoming:
    """One answer, its body not read yet. Close it, whatever came of it."""

    def __init__(self, response: aiohttp.ClientResponse, translate: Callable[[BaseException], EmError]) -> None:
        self._response = response
        self._translate = translate
        self.status = response.status
        self.headers = {name.casefold(): text for name, text in response.headers.items()}

    @property
    def announced(self) -> int | None:
        """Bytes that the body is said to have; None when nothing is said."""
        text = self.headers.get("content-length", "").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def is_document(self) -> bool:
        """Whether EM says something instead of giving a file: its documents are XML, and no attachment."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().casefold()
        return kind in ("application/xml", "text/xml", "text/html") and "content-disposition" not in self.headers

    async def read(self, most: int) -> bytes:
        """The next bytes, none at the end; EmError when the connection breaks, also before all that was announced."""
        try:
            return await self._response.content.read(most)
        except (aiohttp.ClientError, TimeoutError, OSError) as cause:
            error = self._translate(cause)
            raise error from cause

    async def as_reply(self) -> Reply:
        """The answer with the beginning of its body, closed."""
        body = b""
        with contextlib.suppress(EmError):
            while len(body) < _EXPLANATION and (chunk := await self.read(_EXPLANATION - len(body))):
                body += chunk
        self.close()
        return Reply(self.status, self.headers, body)

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()
