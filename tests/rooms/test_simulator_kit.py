"""What the tests of the simulator share: a small estate, and a bare client that hides nothing."""

import base64
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import anyio
from lxml import etree
from yarl import URL

from orchestrator.simulator import Estate, Fault, Server, Settings, Simulator, serving

NS = "{http://www.veeam.com/ent/v1.0}"
QUICK = Settings(task_seconds=0.001, operation_finished_seconds=0.0)
SPEC = b'<StartMountSpec xmlns="http://www.veeam.com/ent/v1.0"><OsKind>%s</OsKind></StartMountSpec>'
XML = {"Content-Type": "application/xml"}


def small_estate(folder: Path) -> Estate:
    """A Windows and a Linux guest."""
    estate = Estate.empty(folder)
    files = {"Shares/a #1;x.txt": b"one", "Shares/Ünï/b+c.txt": b"twotwo", "Shares/empty/": None, "top.txt": b"t"}
    older = {"Shares/a #1;x.txt": b"elder"}
    estate.add_machine(
        "fs01",
        points=[{"C:": older, "D:": {"d.txt": b""}}, {"C:": files, "D:": {"d.txt": b"d"}}],
        folders={"C:": "Volume2", "D:": "Volume1"},
    )
    estate.add_machine("app 1", os="linux", points=[{"/": {"etc/hosts": b"127.0.0.1", "srv/data/x y": b"x"}}])
    return estate


@dataclass(frozen=True)
class Reply:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def root(self) -> Any:
        return etree.fromstring(self.body)

    def all(self, name: str) -> list[Any]:
        return list(self.root.iter(f"{NS}{name}"))

    def text(self, name: str) -> str:
        return str(self.root.findtext(f".//{NS}{name}"))

    def hrefs(self, rel: str, kind: str | None = None) -> list[str]:
        links = [link for link in self.all("Link") if link.get("Rel") == rel]
        return [link.get("Href") for link in links if kind is None or link.get("Type") == kind]


@dataclass(frozen=True)
class Client:
    """Sends what it is told to; `token` goes into the header."""

    http: aiohttp.ClientSession
    server: Server
    token: str = ""

    async def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """`path` is below /api, or a complete Href, which is rebased."""
        below = path.split("/api/", 1)[1] if "/api/" in path else path
        sent = {"X-RestSvcSessionId": self.token} if self.token else {}
        url = URL(f"{self.server.url}/api/{below}", encoded=True)
        skip = ["Content-Type"]
        async with self.http.request(
            method, url, data=body, headers={**sent, **(headers or {})}, skip_auto_headers=skip
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def logged_on(self) -> "Client":
        """A client with a session of its own."""
        reply = await self.call("POST", "sessionMngr/?v=latest", headers=basic())
        assert reply.status == 201, reply.body
        return replace(self, token=reply.headers["X-RestSvcSessionId"])

    async def get(self, path: str) -> Reply:
        return await self.call("GET", path)

    async def query(self, kind: str, text: str = "", more: str = "") -> Reply:
        condition = f"&filter={quote(text, safe='')}" if text else ""
        return await self.call("GET", f"query?type={kind}&format=Entities{more}{condition}")

    async def finished(self, task: Reply) -> Reply:
        """Poll a task to its end."""
        href = task.root.get("Href")
        while task.text("State") != "Finished":
            await anyio.sleep(0.001)
            task = await self.get(href)
        return task

    async def mounted(self, uid: str, os_kind: bytes = b"Windows") -> str:
        """Mount, and return the Href of the mount."""
        task = await self.call("POST", f"vmRestorePoints/{uid}/mounts", SPEC % os_kind, XML)
        assert task.status == 202, task.body
        return (await self.finished(task)).hrefs("Related")[0]


def basic(credentials: str = "CORP\\restore:restore") -> dict[str, str]:
    """The header of a logon."""
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


@asynccontextmanager
async def box(
    folder: Path,
    *faults: Fault,
    estate: Estate | None = None,
    build: Callable[[Path], Estate] = small_estate,
    **settings: Any,
) -> AsyncIterator[tuple[Simulator, Client]]:
    """A served simulator over an estate, and a client without session that checks the certificate."""
    estate = estate or await anyio.to_thread.run_sync(build, folder)
    simulator = Simulator(estate, replace(QUICK, **settings), faults)
    async with serving(simulator) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield simulator, Client(http, server)


async def until(condition: Any) -> None:
    """Wait until it holds; the timeout of the test is the deadline."""
    while not condition():  # noqa: ASYNC110 - the simulator is watched from outside
        await anyio.sleep(0.001)
