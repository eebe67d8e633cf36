"""The outside world on this machine: a web server that answers as scripted, a mail server, and what notifying needs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import default

import anyio
from aiohttp import web

from orchestrator.core.events import Event, Notice
from orchestrator.engine.beside import in_thread
from orchestrator.notify import Means

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OVER = web.AppKey("over", asyncio.Event)


@dataclass(frozen=True)
class Received:
    """One request: what a receiver goes by."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A web server; `answers` are used up one by one, then everything is 204."""

    url: str
    answers: list[int | Answer]
    received: list[Received] = field(default_factory=list)
    arrived: anyio.Event = field(default_factory=anyio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.received.append(Received(request.method, request.path_qs, dict(request.headers), await request.read()))
        self.arrived.set()
        answer = self.answers.pop(0) if self.answers else 204
        return web.Response(status=answer) if isinstance(answer, int) else await answer(request)

    async def until(self, number: int) -> None:
        """Wait for so many requests; the timeout of the test is the deadline."""
        while len(self.received) < number:
            self.arrived = anyio.Event()
            await self.arrived.wait()

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.received]


@asynccontextmanager
async def receiver(*answers: int | Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A web server on this machine."""
    app = web.Application()
    app[OVER] = asyncio.Event()
    made = Receiver("", list(answers))
    app.router.add_route("*", "/{tail:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hook/s3cr3t-path"
    try:
        yield made
    finally:
        app[OVER].set()
        await runner.cleanup()


async def hang(request: web.Request) -> web.StreamResponse:
    """An answer that does not come before the test is over."""
    await request.app[OVER].wait()
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """An answer that does not end before who asked hangs up."""
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"x" * 65536)
    return response


def saying(status: int, **headers: str) -> Answer:
    """An answer with these headers (`Retry_After` for `Retry-After`)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return answer


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[int]:
    """A port that answers anything with these bytes and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@dataclass
class Mailbox:
    """A mail server that takes everything, or nothing after `refusals` words of SMTP have been refused."""

    port: int = 0
    refuse: dict[str, bytes] = field(default_factory=dict)
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            word = line.decode("ascii").strip().upper()
            verb = next(
                (verb for verb in ("EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT") if word.startswith(verb)), ""
            )
            if answer := self.refuse.get(verb):
                writer.write(answer)
                continue
            if verb == "RCPT":
                self.recipients.append(line.decode("ascii").split("<")[1].split(">")[0])
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(message_from_bytes(await _mail(reader), policy=default))
            answers = {
                "EHLO": b"250-sink\r\n250 AUTH PLAIN LOGIN\r\n",
                "AUTH": b"235 welcome\r\n",
                "QUIT": b"221 bye\r\n",
            }
            writer.write(answers.get(verb, b"250 ok\r\n"))
            await writer.drain()
            if verb == "QUIT":
                break
        writer.close()


async def _mail(reader: asyncio.StreamReader) -> bytes:
    lines = []
    while (line := await reader.readline()) != b".\r\n":
        lines.append(line)
    return b"".join(lines)


@asynccontextmanager
async def mailbox(**refuse: bytes) -> AsyncIterator[Mailbox]:
    """A mail server on this machine. `AUTH=b"535 no\\r\\n"` refuses that word."""
    made = Mailbox(refuse=refuse)
    async with await asyncio.start_server(made.talk, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@dataclass
class World:
    """Clock, chance and rest as a test wants them; `pauses` are the rests that were asked for, none is taken."""

    at: datetime = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
    elapsed: float = 0.0
    pauses: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ids: int = 0

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.elapsed += seconds
        await anyio.lowlevel.checkpoint()

    def new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    def means(self, chances: Sequence[float] = (0.5,)) -> Means:
        return Means(
            emit=self.events.append,
            clock=lambda: self.at,
            monotonic=lambda: self.elapsed,
            random=lambda: chances[0],
            sleep=self.sleep,
            new_id=self.new_id,
            in_thread=in_thread,
        )
