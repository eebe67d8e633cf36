"""The client against a real TLS server that says what the test scripts, and remembers what it was asked.

The ids `14-n` and `15-n` are rows of the two tables of tolerant-reader cases in the project's fact sheet on the
Enterprise Manager web API; rows that need no exchange are in test_em_wire.py.
"""

import asyncio
import base64
import errno
import functools
import inspect
import logging
import re
import ssl
import traceback
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import aiohttp
import anyio
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import FlrState, GuestOs, Listed, MountRoot, Question, RestorePoint, TaskPhase
from orchestrator.core.errors import (
    AnswerUnreadable,
    CertificateUntrusted,
    ConfigInvalid,
    EmBusy,
    EmFault,
    EmUnreachable,
    Forbidden,
    LogonRefused,
    MountNotOffered,
    NotFound,
    OutcomeUnknown,
    RenewalRefused,
    SealBroken,
    SessionEnded,
)
from orchestrator.engine import ports
from orchestrator.enterprise_manager import Client, PastSession, seal, ssl_context, translate, transport
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.wire.exchange import Request
from orchestrator.enterprise_manager.wire.instants import instant, written
from orchestrator.simulator.certificate import identity_in

NS = 'xmlns="http://www.veeam.com/ent/v1.0"'
ELSEWHERE = "http://local.host:9399/api"
GUID = "0b7f7d0e-5a4e-4c39-8d0d-0d1a5a3b9c21"
MOUNTS = f"/api/vmRestorePoints/{GUID}/mounts"
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
POINT = RestorePoint(f"urn:veeam:VmRestorePoint:{GUID}", "fs01", NOW, "vbr01", MOUNTS, MOUNTS)
ROOT = MountRoot("C:", f"{MOUNTS}/1/C:")
TASK = f'<Task {NS} Href="{ELSEWHERE}/tasks/task-1"><State>Running</State></Task>'
MOUNT = f'<VmRestorePointMount {NS} Href="{ELSEWHERE[:-4]}{MOUNTS}/1"><FSRoots/></VmRestorePointMount>'
EMPTY_QUERY = f"<QueryResult {NS}/>"
DROP = object()
HANG = object()
GARBLED = object()


def say(status, body="", **headers):
    return status, body.encode(), {name.replace("_", "-"): text for name, text in headers.items()}


def error(message, status=500):
    return say(status, f'<Error Message="{message}" StatusCode="{status}" {NS}/>')


class Scripted:
    """Plays EM's logon by itself; everything else is what the test says. Cookies win over the header, as with EM."""

    def __init__(self):
        self.asked = []
        self.live = {}
        self.logons = 0
        self.logon_replies = []
        self.token = "token-{}-with+/chars=="
        self.script = {}
        self.released = asyncio.Event()
        self.logging_on = asyncio.Event()

    def on(self, method, path, *replies):
        """The replies to that verb and path, in order; the last one stays."""
        self.script[method, path] = list(replies)

    def calls(self, method, path=""):
        return [each for each in self.asked if each[0] == method and each[1].startswith(path)]

    async def handle(self, request):
        path = request.raw_path.partition("?")[0]
        self.asked.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        if path == "/api/sessionMngr/":
            await asyncio.sleep(0)
            return self.log_on()
        token = request.cookies.get("X-RestSvcSessionId") or request.headers.get("X-RestSvcSessionId")
        if token not in self.live and ("*", path) not in self.script:
            return self.answer(error("not logged on", 401))
        if path.startswith("/api/logonSessions/") and (request.method, path) not in self.script:
            if request.method == "DELETE":
                del self.live[token]
            return self.answer(say(204) if request.method == "DELETE" else say(200, self.session(token)))
        replies = self.script.get((request.method, path)) or self.script.get(("*", path)) or [error("no script", 404)]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply is HANG:
            await self.released.wait()
        if reply is GARBLED:
            request.transport.write(b"HTTP/1.1 twohundred OK\r\nSet-Cookie: x\r\n\r\n")
            request.transport.close()
            return web.Response()
        if reply in (DROP, HANG):
            request.transport.abort()
            return web.Response()
        return self.answer(reply)

    def log_on(self):
        self.logons += 1
        self.logging_on.set()
        if self.logon_replies:
            return self.answer(self.logon_replies.pop(0))
        token = self.token.format(self.logons)
        self.live[token] = f"session-{self.logons}"
        cookie = f"X-RestSvcSessionId={token}; Path=/api"
        return self.answer(say(201, self.session(token), X_RestSvcSessionId=token, Set_Cookie=cookie))

    def session(self, token):
        name = self.live[token]
        return (
            f'<LogonSession {NS} Href="{ELSEWHERE}/logonSessions/{name}"><Links>'
            f'<Link Rel="Down" Type="QueryService" Href="{ELSEWHERE}/querySvc"/>'
            f'<Link Rel="Delete" Href="{ELSEWHERE}/logonSessions/{name}"/></Links><SessionId>{name}</SessionId>'
            "</LogonSession>"
        )

    @staticmethod
    def answer(reply):
        status, body, headers = reply
        return web.Response(status=status, body=body, headers=headers)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.naps = []

    async def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def monotonic(self):
        return self.now


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return identity_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def cheap_key(monkeypatch):
    """The real cost of the sealing key, 50 ms for every client, is what test_em_wire.py pays."""
    monkeypatch.setattr(seal, "_LOG_N", 4)


@functools.lru_cache
def trusted(ca_file):
    return ssl_context(settings("https://x", ca_file=ca_file))


def settings(url, **changes):
    known = {
        "url": url,
        "username": "CORP\\rüstung",
        "password_env": "EM_PASSWORD",
        "request_timeout": 5.0,
        "retry_for": 60.0,
        "page_size": 50,
    }
    return EnterpriseManagerSettings(**{**known, **changes})


def make_client(url, identity, time, trust=None, password="pässword", **changes):  # noqa: S107
    extra = {key: changes.pop(key) for key in ("on_renewed", "on_request") if key in changes}
    return Client(
        settings(url, **changes),
        password,
        ssl=trust or trusted(identity.ca_file),
        clock=lambda: NOW,
        random=lambda: 0.5,
        sleep=time.sleep,
        monotonic=time.monotonic,
        **extra,
    )


@asynccontextmanager
async def listening(server, context=None, host="127.0.0.1"):
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=context).start()
        yield f"{'https' if context else 'http'}://{host}:{runner.addresses[0][1]}"
    finally:
        server.released.set()
        await runner.cleanup()


@pytest.fixture
def em(identity):
    """Makes a server and a client that is logged on to it (unless `opened` is False)."""

    @asynccontextmanager
    async def make(opened=True, **changes):
        async with AsyncExitStack() as stack:
            server, time = Scripted(), Time()
            url = await stack.enter_async_context(listening(server, identity.context()))
            client = await stack.enter_async_context(make_client(url, identity, time, **changes))
            client.time = time
            if opened:
                await client.open()
            yield client, server

    return make


async def together(number, call):
    """The results of so many calls at once; exceptions are results."""
    return await asyncio.gather(*(call() for _ in range(number)), return_exceptions=True)


MOUNT_CALLS = {
    "existing": lambda client, generation: client.existing(POINT, generation),
    "request": lambda client, generation: client.request(POINT, None, generation),
    "task": lambda client, generation: client.task("/api/tasks/task-1", generation),
    "mount": lambda client, generation: client.mount(f"{MOUNTS}/1", generation),
    "listing": lambda client, generation: client.listing(ROOT, generation),
    "delete": lambda client, generation: client.delete(f"{MOUNTS}/1", generation),
}
each_mount_call = pytest.mark.parametrize("call", MOUNT_CALLS.values(), ids=MOUNT_CALLS)


# --- what it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "kind"),
    [
        (ports.Catalogue, Client),
        (ports.Mounts, Client),
        (ports.Session, Client),
        (ports.Reviver, Client),
        (ports.Revived, PastSession),
    ],
)
def test_the_client_has_every_method_of_the_ports_it_fulfils(port, kind):
    for name, wanted in inspect.getmembers(port, lambda member: callable(member) or isinstance(member, property)):
        if name.startswith("_"):
            continue
        have = getattr(kind, name)
        assert isinstance(have, property) == isinstance(wanted, property)
        if not isinstance(wanted, property):
            assert list(inspect.signature(have).parameters) == list(inspect.signature(wanted).parameters)
            assert inspect.iscoroutinefunction(have) == inspect.iscoroutinefunction(wanted)


# --- logon ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize((), [pytest.param(id="14-36")])
async def test_the_logon_is_a_bodyless_post_with_basic_credentials_and_no_content_type(em):
    async with em() as (client, server):
        method, path, headers, body = server.asked[0]
        assert (method, path, body) == ("POST", "/api/sessionMngr/?v=latest", b"")
        assert headers["Content-Length"] == "0"
        assert "Content-Type" not in headers
        assert headers["Accept-Encoding"] == "identity"
        scheme, _, credentials = headers["Authorization"].partition(" ")
        assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", "CORP\\rüstung:pässword")
        assert client.generation == 1


@pytest.mark.parametrize(
    ("status", "header", "token"),
    [
        pytest.param(201, "X-RestSvcSessionId", "c" * 22 + "==", id="14-7 24 characters"),
        pytest.param(200, "X-RestSvcSessionId", "a+b/" * 13 + "=", id="14-7 15-3 200, longer, with + / ="),
        pytest.param(201, "x-restsvcsessionid", "t0ken", id="14-7 lower case"),
    ],
)
async def test_the_token_of_the_logon_header_is_sent_unchanged(em, status, header, token):
    async with em(opened=False) as (client, server):
        server.live[token] = "session-x"
        body = server.session(token)
        server.logon_replies = [
            (status, body.encode(), {header: token, "Set-Cookie": "X-RestSvcSessionId=other; Path=/api"})
        ]
        await client.open()
        await client.touch()
        assert server.asked[-1][2]["X-RestSvcSessionId"] == token


@pytest.mark.parametrize((), [pytest.param(id="14-7 15-1 15-2")])
async def test_no_cookie_is_ever_sent_so_that_the_second_token_counts(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        server.live.clear()
        await client.find(Question())
        assert all("Cookie" not in headers for _, _, headers, _ in server.asked)
        assert server.asked[-1][2]["X-RestSvcSessionId"] == server.token.format(2)


@pytest.mark.parametrize(
    ("reply", "raised", "says"),
    [
        pytest.param(error("Access denied", 401), LogonRefused, r"wrong.*Access denied", id="401"),
        pytest.param(say(403), LogonRefused, r"role.*\$EM_PASSWORD", id="403"),
        pytest.param(say(201, f"<LogonSession {NS}/>"), AnswerUnreadable, "X-RestSvcSessionId", id="15-3 no header"),
        pytest.param(say(201, "<html>", X_RestSvcSessionId="t0ken"), AnswerUnreadable, "HTML", id="HTML"),
        pytest.param(say(302, "", Location="https://portal.example/"), AnswerUnreadable, "redirects", id="redirect"),
        pytest.param(say(404, "nothing here"), AnswerUnreadable, "nothing here", id="another service"),
        pytest.param(say(503, "<html>"), EmBusy, "logon", id="14-37 503"),
        pytest.param(error("broken"), EmFault, "broken", id="500"),
    ],
)
async def test_a_logon_that_fails_says_why_and_is_not_repeated(em, reply, raised, says):
    async with em(opened=False) as (client, server):
        server.logon_replies = [reply]
        with pytest.raises(raised, match=f"(?s){says}"):
            await client.open()
        assert server.logons == 1
        assert client.generation == 0


async def test_a_hundred_tasks_that_open_make_one_logon(em):
    async with em(opened=False) as (client, server):
        assert await together(100, client.open) == [1] * 100
        assert server.logons == 1


async def test_nothing_works_before_the_logon(em):
    async with em(opened=False) as (client, server):
        for call in (client.find(Question()), client.touch(), client.existing(POINT, 0)):
            with pytest.raises(SessionEnded):
                await call
        with pytest.raises(SessionEnded):
            client.sealed()
        assert server.asked == []


# --- renewal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, pytest.param(100, id="14-9 15-16 of a hundred tasks one logs on")])
async def test_queries_are_repeated_under_the_one_new_session(em, number):
    renewed = []
    async with em(on_renewed=lambda generation, cause: renewed.append((generation, cause))) as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        server.live.clear()
        assert await together(number, lambda: client.find(Question())) == [[]] * number
        assert server.logons == 2
        assert renewed == [(2, "the query for restore points")]
        assert client.generation == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'<Error Message="x" StatusCode="401" {NS}/>', id="14-9 XML"),
        pytest.param('{"Message": "x"}', id="14-9 JSON"),
        pytest.param("", id="14-9 empty"),
        pytest.param("<html>Unauthorized", id="14-9 HTML"),
    ],
)
async def test_a_401_ends_the_session_whatever_its_body_is(em, body):
    async with em() as (client, server):
        server.on("GET", "/api/tasks/task-1", say(401, body))
        with pytest.raises(SessionEnded, match="401"):
            await client.task("/api/tasks/task-1", 1)
        assert client.generation == 2


@each_mount_call
async def test_a_call_on_a_mount_is_never_repeated_under_another_session(em, call):
    async with em() as (client, server):
        server.live.clear()
        with pytest.raises(SessionEnded):
            await call(client, 1)
        assert server.logons == 2
        assert len([each for each in server.asked if "sessionMngr" not in each[1]]) == 1


@each_mount_call
async def test_a_call_on_a_mount_of_an_old_session_sends_nothing(em, call):
    async with em() as (client, server):
        server.live.clear()
        await client.touch()
        before = len(server.asked)
        with pytest.raises(SessionEnded, match="session 1"):
            await call(client, 1)
        assert len(server.asked) == before


async def test_a_hundred_polls_that_meet_a_401_make_one_logon_and_all_end(em):
    async with em() as (client, server):
        server.live.clear()
        results = await together(100, lambda: client.task("/api/tasks/task-1", 1))
        assert {type(result) for result in results} == {SessionEnded}
        assert server.logons == 2


@pytest.mark.parametrize((), [pytest.param(id="15-17")])
async def test_a_new_session_that_meets_a_401_at_once_stops_the_logons(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(401))
        results = await together(20, lambda: client.find(Question()))
        assert {type(result) for result in results} == {RenewalRefused}
        with pytest.raises(RenewalRefused, match="only just made"):
            await client.find(Question())
        assert server.logons == 2


async def test_a_new_session_that_worked_may_end_and_be_renewed_again(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        for _ in range(3):
            server.live.clear()
            await client.find(Question())
        assert client.generation == 4


async def test_a_new_session_that_was_never_used_may_end_of_idleness(em):
    async with em() as (client, server):
        for _ in range(2):
            server.live.clear()
            client.time.now += 901
            await client.touch()
        assert client.generation == 3


async def test_a_refused_renewal_is_not_tried_again_until_it_is_opened(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        server.live.clear()
        server.logon_replies = [error("locked out", 401)]
        results = await together(50, lambda: client.find(Question()))
        assert {type(result) for result in results} == {RenewalRefused}
        assert all("locked out" in str(result) for result in results)
        with pytest.raises(RenewalRefused):
            await client.touch()
        assert server.logons == 2
        assert await client.open() == 2
        assert await client.find(Question()) == []


async def test_a_renewal_that_fails_fails_for_all_who_wait_and_may_be_tried_later(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        server.live.clear()
        server.logon_replies = [say(503)]
        results = await together(30, lambda: client.find(Question()))
        assert {type(result) for result in results} == {EmBusy}
        assert len(set(map(id, results))) == 30
        assert server.logons == 2
        assert await client.find(Question()) == []


async def test_a_cancelled_renewal_leaves_the_way_free_for_the_next(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        server.live.clear()
        server.logging_on.clear()
        first = asyncio.create_task(client.find(Question()))
        await server.logging_on.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        server.live.clear()
        assert await client.find(Question()) == []


# --- keeping alive and ending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize((), [pytest.param(id="14-33 15-44")])
async def test_touching_asks_for_the_own_session_and_nothing_else(em):
    async with em() as (client, server):
        await client.touch()
        assert [each[:2] for each in server.asked[1:]] == [("GET", "/api/logonSessions/session-1")]
        assert client.generation == 1


async def test_touching_renews_a_session_that_em_has_ended(em):
    async with em() as (client, server):
        server.live.clear()
        await client.touch()
        assert (client.generation, server.logons) == (2, 2)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(say(204), id="204"),
        pytest.param(say(200), id="200"),
        pytest.param(say(401), id="14-9 401"),
        pytest.param(say(404), id="404"),
    ],
)
async def test_logging_off_deletes_the_own_session_and_it_can_be_opened_again(em, reply):
    async with em() as (client, server):
        server.on("DELETE", "/api/logonSessions/session-1", reply)
        await client.close()
        await client.close()
        assert [each[1] for each in server.calls("DELETE")] == ["/api/logonSessions/session-1"]
        assert server.logons == 1
        with pytest.raises(SessionEnded):
            await client.existing(POINT, 1)
        assert await client.open() == 2


async def test_a_logoff_that_em_does_not_take_is_an_error(em):
    async with em(retry_for=0.0) as (client, server):
        server.on("DELETE", "/api/logonSessions/session-1", error("busy"))
        with pytest.raises(EmFault, match="busy"):
            await client.close()


async def test_leaving_the_client_does_not_end_the_session(em):
    async with em() as (_, server):
        pass
    assert server.calls("DELETE") == []


# --- mounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("os", "kind"),
    [(None, None), (GuestOs.WINDOWS, b"<OsKind>Windows</OsKind>"), (GuestOs.LINUX, b"<OsKind>Linux</OsKind>")],
)
async def test_a_mount_is_one_post_and_answers_with_its_task(em, os, kind):
    async with em() as (client, server):
        server.on("POST", MOUNTS, say(202, TASK))
        task = await client.request(POINT, os, 1)
        assert (task.href, task.phase) == ("/api/tasks/task-1", TaskPhase.RUNNING)
        ((_, _, headers, body),) = server.calls("POST", MOUNTS)
        if kind is None:
            assert (body, headers["Content-Length"], "Content-Type" in headers) == (b"", "0", False)
        else:
            assert kind in body
            assert headers["Content-Type"] == "application/xml"


@pytest.mark.parametrize("status", [pytest.param(code, id=f"14-11 {code}") for code in (200, 201, 202)])
async def test_any_success_with_a_task_is_a_mount_begun(em, status):
    async with em() as (client, server):
        server.on("POST", MOUNTS, say(status, TASK))
        assert (await client.request(POINT, None, 1)).href == "/api/tasks/task-1"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(DROP, id="14-17 15-32 connection lost"),
        pytest.param(HANG, id="14-17 no answer"),
        pytest.param(error("broken"), id="14-17 500"),
        pytest.param(say(503, "", Retry_After="1"), id="503"),
        pytest.param(say(302, "", Location="/elsewhere"), id="302"),
        pytest.param(say(202, "<html>"), id="202 with HTML"),
        pytest.param(say(202, ""), id="202 without a task"),
        pytest.param(say(204), id="204"),
        pytest.param(say(202, TASK[:40]), id="202 cut off"),
        pytest.param(say(200, f'<Error Message="x" {NS}/>'), id="200 with an error"),
    ],
)
async def test_a_mount_whose_fate_is_unknown_is_never_asked_for_twice(em, reply):
    async with em(request_timeout=1.5 if reply is HANG else 30) as (client, server):
        server.on("POST", MOUNTS, reply)
        with pytest.raises(OutcomeUnknown, match="fs01"):
            await client.request(POINT, None, 1)
        assert len(server.calls("POST", MOUNTS)) == 1
        assert client.time.naps == []


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        pytest.param(403, Forbidden, id="14-34 15-18 403"),
        (404, NotFound),
        (400, EmFault),
        (405, EmFault),
        (415, EmFault),
        (429, EmBusy),
        (501, EmFault),
    ],
)
async def test_a_mount_that_em_refuses_is_known_not_to_be_made(em, status, raised):
    async with em() as (client, server):
        server.on("POST", MOUNTS, error("because", status))
        with pytest.raises(raised, match="because"):
            await client.request(POINT, None, 1)
        assert len(server.calls("POST", MOUNTS)) == 1
        assert client.time.naps == []


async def test_a_mount_that_never_left_this_machine_is_known_not_to_be_made(identity):
    server, time = Scripted(), Time()
    async with AsyncExitStack() as stack:
        async with listening(server, identity.context()) as url:
            client = await stack.enter_async_context(make_client(url, identity, time))
            await client.open()
        with pytest.raises(EmUnreachable, match="refuses the connection"):
            await client.request(POINT, None, 1)
        assert server.calls("POST", MOUNTS) == []


@pytest.mark.parametrize((), [pytest.param(id="15-30")])
async def test_a_point_without_a_create_link_is_not_asked_for(em):
    async with em() as (client, server):
        bare = RestorePoint(POINT.uid, "fs01", NOW, "vbr01", "", "")
        for call in (client.request(bare, None, 1), client.existing(bare, 1)):
            with pytest.raises(MountNotOffered):
                await call
        assert len(server.asked) == 1


@pytest.mark.parametrize("href", ["/api/vmRestorePoints/1?action=restore", "/api/vmReplicaPoints/1?action=failover"])
@pytest.mark.parametrize((), [pytest.param(id="14-5")])
async def test_a_link_that_acts_on_the_whole_machine_is_never_requested(em, href):
    async with em() as (client, server):
        trap = RestorePoint(POINT.uid, "fs01", NOW, "vbr01", href, href)
        for call in (
            client.request(trap, None, 1),
            client.existing(trap, 1),
            client.delete(href, 1),
            client.listing(MountRoot("C:", href), 1),
        ):
            with pytest.raises(AnswerUnreadable, match="nothing was sent"):
                await call
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "hrefs"),
    [
        pytest.param(say(404), set(), id="14-18 15-31 404"),
        pytest.param(say(200, f"<VmRestorePointMounts {NS}/>"), set(), id="14-18 15-31 empty"),
        pytest.param(say(200, MOUNT), {f"{MOUNTS}/1"}, id="14-18 14-6 single, under another authority"),
    ],
)
async def test_the_existing_mounts_are_a_set(em, reply, hrefs):
    async with em() as (client, server):
        server.on("GET", MOUNTS, reply)
        assert await client.existing(POINT, 1) == hrefs


@pytest.mark.parametrize((), [pytest.param(id="14-16 15-15")])
async def test_a_task_or_mount_that_is_gone_is_not_found(em):
    async with em() as (client, _):
        with pytest.raises(NotFound, match="task-1"):
            await client.task("/api/tasks/task-1", 1)
        with pytest.raises(NotFound, match="mounts/1"):
            await client.mount(f"{MOUNTS}/1", 1)


async def test_a_mount_is_read_with_its_roots(em):
    async with em() as (client, server):
        entry = f'<DirectoryEntry Href="{ELSEWHERE[:-4]}{MOUNTS}/1/Volume$0:"><Name>Volume$0:</Name></DirectoryEntry>'
        server.on("GET", f"{MOUNTS}/1", say(200, MOUNT.replace("<FSRoots/>", f"<FSRoots>{entry}</FSRoots>")))
        mount = await client.mount(f"{MOUNTS}/1", 1)
        assert mount.roots == (MountRoot("Volume$0:", f"{MOUNTS}/1/Volume$0:"),)
        server.on("GET", f"{MOUNTS}/1/Volume$0:", say(200, f"<FileSystemEntries {NS}/>"))
        assert await client.listing(mount.roots[0], 1) == {}
        assert server.asked[-1][1] == f"{MOUNTS}/1/Volume$0:"


@pytest.mark.parametrize("with_next", [True, False], ids=["14-22 Next", "14-22 only PagesCount"])
@pytest.mark.parametrize("links_first", [True, False], ids=["14-20 FileSystemEntry", "14-20 FileSystemEntries"])
async def test_a_listing_has_every_page_in_both_forms_of_answer(em, with_next, links_first):
    def page(name, number):
        target = f"{ELSEWHERE[:-4]}{MOUNTS}/1/C:?action=listAll&amp;pageSize=100&amp;page={number + 1}"
        link = f'<Links><Link Rel="Next" Href="{target}"/></Links>' if with_next and number == 1 else ""
        info = f'<PagingInfo PagesCount="2" PageSize="100" PageNum="{number}">{link}</PagingInfo>'
        file = f"<Files><FileEntry><Name>{name}</Name><Size>1</Size></FileEntry></Files>"
        return say(200, f"<FileSystemEntries {NS}>{file}{info}</FileSystemEntries>")

    link = f'<Link Rel="Down" Href="{ELSEWHERE[:-4]}{MOUNTS}/1/C:?action=listAll&amp;pageSize=100&amp;page=1"/>'
    entry = f"<FileSystemEntry {NS}><DirectoryEntry><Links>{link}</Links></DirectoryEntry></FileSystemEntry>"
    async with em() as (client, server):
        server.on("GET", ROOT.href, *([say(200, entry)] if links_first else []), page("a", 1), page("b", 2))
        one = Listed(folder=False, size=1)
        assert await client.listing(ROOT, 1) == {"a": one, "b": one}
        asked = [each[1].removeprefix(ROOT.href) for each in server.calls("GET")]
        listed = [f"?action=listAll&pageSize=100&page={number}" for number in ((1, 2) if links_first else (2,))]
        assert asked == ["", *listed]


async def test_a_listing_that_only_ever_links_to_itself_is_an_error(em):
    async with em() as (client, server):
        server.on("GET", ROOT.href, say(200, f"<FileSystemEntry {NS}/>"))
        with pytest.raises(AnswerUnreadable, match="circle"):
            await client.listing(ROOT, 1)


@pytest.mark.parametrize(
    ("replies", "result"),
    [
        pytest.param([say(204)], None, id="14-28 15-41 204"),
        pytest.param([say(200)], None, id="14-28 15-41 200"),
        pytest.param([say(200, MOUNT)], None, id="14-28 200 with the mount"),
        pytest.param([say(202)], None, id="14-28 202 without a task"),
        pytest.param([say(202, TASK)], "/api/tasks/task-1", id="14-28 15-41 202 with a task"),
        pytest.param([say(404)], None, id="14-28 15-41 404"),
        pytest.param([error("busy"), say(204)], None, id="14-28 15-41 500 then 204"),
        pytest.param([DROP, DROP, say(404)], None, id="14-28 lost, but done"),
    ],
)
async def test_a_deleted_mount_is_gone_whatever_the_answer(em, replies, result):
    async with em() as (client, server):
        server.on("DELETE", f"{MOUNTS}/1", *replies)
        task = await client.delete(f"{MOUNTS}/1", 1)
        assert (task.href if task else None) == result


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        pytest.param(error("in use"), EmFault, id="15-42 500 for good"),
        pytest.param(say(403), Forbidden, id="403"),
        pytest.param(say(200, "<html>portal"), AnswerUnreadable, id="200 of a portal"),
        pytest.param(say(200, f'<Error Message="x" {NS}/>'), AnswerUnreadable, id="200 with an error"),
    ],
)
async def test_a_mount_that_may_still_be_there_is_an_error(em, reply, raised):
    async with em() as (client, server):
        server.on("DELETE", f"{MOUNTS}/1", reply)
        with pytest.raises(raised):
            await client.delete(f"{MOUNTS}/1", 1)


@pytest.mark.parametrize("status", [pytest.param(code, id=f"14-29 15-43 {code}") for code in (204, 404)])
async def test_a_task_can_be_deleted_too(em, status):
    async with em() as (client, server):
        server.on("DELETE", "/api/tasks/task-1", say(status))
        assert await client.delete("/api/tasks/task-1", 1) is None


# --- trying again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "naps"),
    [
        pytest.param([say(503, "<html>Service Unavailable")], [0.5], id="14-37 15-19 503 with HTML"),
        pytest.param([say(503, "", Retry_After="7")], [7.5], id="14-37 seconds"),
        pytest.param([say(503, "", Retry_After="Fri, 20 Nov 2026 06:00:20 GMT")], [20.5], id="14-37 date"),
        pytest.param([say(429, "", Retry_After="2")], [2.5], id="429"),
        pytest.param([error("broken"), error("broken")], [0.5, 1.0], id="500 twice"),
    ],
)
async def test_what_is_safe_to_repeat_is_repeated_with_jitter(em, replies, naps):
    async with em() as (client, server):
        server.on("GET", "/api/tasks/task-1", *replies, say(200, TASK))
        assert (await client.task("/api/tasks/task-1", 1)).phase is TaskPhase.RUNNING
        assert client.time.naps == naps


async def test_over_time_no_more_requests_are_sent_than_the_cap_allows_whoever_sends_them(em):
    async with em(requests_per_second=2) as (client, server):
        server.on("GET", "/api/tasks/task-1", say(200, TASK))
        begun = client.time.monotonic()
        for _ in range(5):
            await client.task("/api/tasks/task-1", 1)
        await together(5, lambda: client.task("/api/tasks/task-1", 1))
        assert len(server.calls("GET", "/api/tasks")) == 10
        # A burst of one second's worth, of which the logon has taken one; then one in half a second.
        assert client.time.monotonic() - begun >= 9 * 0.5


async def test_a_lost_connection_is_no_reason_to_give_up_a_request_that_is_safe_to_repeat(em):
    async with em() as (client, server):
        # aiohttp by itself asks once more when a kept connection breaks; the rest is ours.
        server.on("GET", "/api/tasks/task-1", *[DROP] * 4, say(200, TASK))
        assert (await client.task("/api/tasks/task-1", 1)).phase is TaskPhase.RUNNING
        assert len(server.calls("GET", "/api/tasks")) == 5
        assert client.time.naps == [0.5, 1.0, 2.0][: len(client.time.naps)]
        assert len(client.time.naps) >= 2


@pytest.mark.parametrize(
    ("reply", "raised", "naps"),
    [
        pytest.param(say(503, "", Retry_After="61"), EmBusy, [], id="14-37 longer than allowed: not even begun"),
        pytest.param(say(503, "", Retry_After="25"), EmBusy, [25.5, 26.0], id="14-37 time is up"),
        pytest.param(error("broken"), EmFault, [0.5, 1.0, 2.0], id="a 500 that stays is no outage"),
        pytest.param(error("no", 403), Forbidden, [], id="403 is final"),
        pytest.param(error("no", 501), EmFault, [], id="501 is final"),
    ],
)
async def test_trying_again_ends_within_the_time_allowed(em, reply, raised, naps):
    async with em(retry_for=60.0) as (client, server):
        server.on("GET", "/api/tasks/task-1", reply)
        with pytest.raises(raised):
            await client.task("/api/tasks/task-1", 1)
        assert client.time.naps == naps
        assert sum(naps) <= 60


UNREACHABLE = [
    pytest.param(OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 9398)"),
                 "em.example.com:9398 refuses the connection: nothing listens there, or a firewall rejects it",
                 id="refused"),
    pytest.param(OSError(errno.ETIMEDOUT, "Connect call failed ('10.0.0.1', 9398)"),
                 "em.example.com:9398 lets no connection come about: nothing answers there, or a firewall drops it",
                 id="dropped"),
    pytest.param(OSError(errno.EHOSTUNREACH, "Connect call failed"), "there is no route to em.example.com", id="route"),
    pytest.param(OSError(errno.ENETUNREACH, "Connect call failed"), "there is no route to em.example.com", id="net"),
    pytest.param(OSError("Multiple exceptions: [Errno 111] ..."), "there is no connection to em.example.com:9398",
                 id="several addresses, several causes"),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "words"), UNREACHABLE)
def test_why_there_is_no_connection_is_said_with_host_and_port_and_not_in_the_words_of_python(cause, words):
    failed = aiohttp.ClientConnectorError(ConnectionKey("10.0.0.1", 9398, True, True, None, None, None, None), cause)
    request = Request("GET", "/api", "the API is asked")
    url = "https://em.example.com:9398"
    error = translate.failure(failed, request, url, sent=False, fingerprint="", mask=Mask())
    assert f"{url} cannot be reached: {words}. Check the address" in str(error)


async def test_a_name_that_nobody_knows_is_said_to_be_one(identity):
    async with make_client("https://em.invalid:9398", identity, Time(), retry_for=0.0) as client:
        with pytest.raises(EmUnreachable, match=r"the name em\.invalid cannot be resolved to an address"):
            await client.open()


async def test_an_answer_that_never_comes_ends_with_the_request_timeout(em):
    async with em(request_timeout=1.5, retry_for=0.0) as (client, server):
        server.on("GET", "/api/tasks/task-1", HANG)
        with pytest.raises(EmUnreachable, match="time limit"):
            await client.task("/api/tasks/task-1", 1)


# --- queries --------------------------------------------------------------------------------------------------------


def entity(name, server="vbr01", created="2026-11-20T05:00:00Z"):
    return (
        f'<VmRestorePoint Type="VmRestorePoint" UID="urn:veeam:VmRestorePoint:{name}" VmDisplayName="fs01"><Links>'
        f'<Link Rel="Restore" Href="{ELSEWHERE}/vmRestorePoints/{name}?action=restore"/>'
        f'<Link Rel="Up" Type="BackupServerReference" Href="{ELSEWHERE}/backupServers/1" Name="{server}"/>'
        f'<Link Rel="Create" Type="VmRestorePointMount" Href="{ELSEWHERE}/vmRestorePoints/{name}/mounts"/>'
        f"</Links><CreationTimeUTC>{created}</CreationTimeUTC></VmRestorePoint>"
    )


def query_page(number, count, *entities, following=None):
    target = f"{ELSEWHERE}/query?type=VmRestorePoint&amp;page={following}"
    link = f'<Links><Link Rel="Next" Href="{target}"/></Links>' if following else ""
    inside = f"<Entities><VmRestorePoints>{''.join(entities)}</VmRestorePoints></Entities>"
    info = f'<PagingInfo PageNum="{number}" PagesCount="{count}" PageSize="2">{link}</PagingInfo>'
    return say(200, f"<QueryResult {NS}>{inside}{info}</QueryResult>")


@pytest.mark.parametrize((), [pytest.param(id="14-6 14-22 15-23")])
async def test_a_query_follows_its_pages_at_the_configured_address(em):
    async with em() as (client, server):
        server.on(
            "GET",
            "/api/query",
            query_page(1, 3, entity("a", created="2026-11-20T05:00:00Z"), entity("b"), following=2),
            query_page(2, 3, entity("b"), entity("c", created="2026-11-20T05:30:00Z")),
            query_page(3, 3, entity("d", created="2026-11-19T05:00:00Z")),
        )
        found = await client.find(Question(vm="fs01"))
        assert [point.uid.rpartition(":")[2] for point in found] == ["c", "a", "b", "d"]
        assert found[0].create_href == "/api/vmRestorePoints/c/mounts"
        assert len(server.calls("GET", "/api/query")) == 3


@pytest.mark.parametrize((), [pytest.param(id="15-25")])
async def test_the_backup_server_is_checked_again_by_the_client(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", query_page(1, 1, entity("a"), entity("b", server="vbr02")))
        found = await client.find(Question(vm="fs01", backup_server="VBR01"))
        assert [point.backup_server for point in found] == ["vbr01"]
        assert len(await client.find(Question(vm="fs01"))) == 2


@pytest.mark.parametrize((), [pytest.param(id="14-22 15-24")])
async def test_a_query_whose_pages_lead_in_a_circle_is_an_error(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", query_page(1, 9, entity("a"), following=2))
        with pytest.raises(AnswerUnreadable, match="circle"):
            await client.find(Question(vm="fs01"))
        assert len(server.calls("GET", "/api/query")) == 2


@pytest.mark.parametrize("status", [pytest.param(code, id=f"14-8 14-34 {code}") for code in (403, 404)])
async def test_an_account_that_may_not_query_is_told_which_role_may(em, status):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(status))
        with pytest.raises(Forbidden, match="File Restore Operator"):
            await client.find(Question(vm="fs01"))


async def test_the_filter_reaches_em_as_it_was_encoded(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        await client.find(Question(vm='a "b"; +Ü'))
        assert server.asked[-1][1].endswith(
            "&pageSize=50&page=1&filter=VmDisplayName%3D%3D%22a%20%22%22b%22%22%3B%20%2B%C3%9C%22"
        )


SECOND = timedelta(seconds=1)


def filters(server):
    targets = [target for method, target, *_ in server.asked if "/query" in target]
    return [unquote(target.partition("&filter=")[2]) for target in targets]


async def test_a_thousand_machines_are_asked_for_in_a_few_queries_short_enough_for_any_server(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        asked = [Question(vm=f"büro-server-{number:04d}", backup_server="vbr01", until=NOW) for number in range(1000)]
        await client.find_all(asked)
        sent = filters(server)
        assert len(sent) < 20
        assert all(len(target) < 8000 for _, target, *_ in server.asked)
        ends = f';CreationTime<="{written(NOW + SECOND)}";BackupServerName=="vbr01"'
        assert all(text.endswith(ends) for text in sent)
        names = [name for text in sent for name in re.findall(r'VmDisplayName=="([^"]+)"', text)]
        assert names == [question.vm for question in asked]


async def test_a_query_for_a_span_takes_in_the_digits_that_are_not_kept_of_an_instant(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        created = instant("2026-11-20T06:00:00.2099139Z")
        await client.find_all([Question(vm="a", since=created, until=created)])
        [sent] = filters(server)
        assert sent.endswith(';CreationTime>="2026-11-20T06:00:00Z";CreationTime<="2026-11-20T06:00:01Z"')


async def test_questions_that_go_together_are_asked_with_the_widest_of_their_instants(em):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(200, EMPTY_QUERY))
        await client.find_all(
            [
                Question(vm="a", until=NOW, since=NOW - timedelta(days=2)),
                Question(vm="b", until=NOW - timedelta(days=1), since=NOW - timedelta(days=3)),
            ]
        )
        await client.find_all([Question(vm="a", until=NOW), Question(vm="b")])
        await client.find_all([Question(vm="a"), Question(), Question(vm="a", backup_server="vbr02")])
        assert filters(server) == [
            f'(VmDisplayName=="a",VmDisplayName=="b");CreationTime>="{written(NOW - timedelta(days=3))}"'
            f';CreationTime<="{written(NOW + SECOND)}"',
            '(VmDisplayName=="a",VmDisplayName=="b")',
            "",
            'VmDisplayName=="a";BackupServerName=="vbr02"',
        ]


@pytest.mark.parametrize("status", [400, 413, 414, 431])
async def test_a_query_that_is_too_long_for_a_server_is_asked_in_halves(em, status):
    async with em() as (client, server):
        server.on("GET", "/api/query", say(status), say(200, EMPTY_QUERY))
        await client.find_all([Question(vm=name) for name in "abc"])
        assert filters(server)[1:] == ['VmDisplayName=="a"', '(VmDisplayName=="b",VmDisplayName=="c")']
        server.on("GET", "/api/query", say(status))
        with pytest.raises(EmFault):
            await client.find_all([Question(vm=name) for name in "abcdefgh"])
        assert len(filters(server)) <= 3 + 4


async def test_the_state_of_file_level_restores_is_asked_for(em):
    async with em() as (client, server):
        session = "<RestoreSession Type='RestoreSession' VmDisplayName='fs01'><State>Working</State></RestoreSession>"
        found = f"<QueryResult {NS}><Entities><RestoreSessions>{session}</RestoreSessions></Entities></QueryResult>"
        server.on(
            "GET", "/api/query", say(200, found), say(200, found.replace("Working", "Stopped")), say(200, EMPTY_QUERY)
        )
        states = [await client.restore_state(POINT, NOW) for _ in range(3)]
        assert states == [FlrState.WORKING, FlrState.STOPPED, FlrState.UNKNOWN]


# --- secrets, limits, observation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [pytest.param(code, id=f"14-38 {code}") for code in (200, 400, 403, 404, 500, 503)])
async def test_no_error_and_no_log_ever_shows_a_secret(em, status, caplog):
    caplog.set_level(logging.DEBUG)
    async with em(retry_for=0.0) as (client, server):
        token = server.token.format(1)
        header = server.asked[0][2]["Authorization"]
        secrets = [
            token,
            "session-1",
            "pässword",
            header.removeprefix("Basic "),
            base64.b64encode(token.encode()).decode(),
        ]
        leak = f"You sent {header} and {' '.join(secrets)} for /api/logonSessions/session-1"
        for body in (leak, f'<Error Message="{leak}" {NS}/>', f"<Wrong {NS}>{leak}</Wrong>", "x" * 90 + leak):
            for method, path in (("POST", MOUNTS), ("GET", MOUNTS), ("GET", "/api/query"), ("DELETE", f"{MOUNTS}/1")):
                server.on(method, path, say(status, body))
            server.on("DELETE", "/api/logonSessions/session-1", say(status, body))
            calls = [
                client.existing(POINT, 1),
                client.request(POINT, None, 1),
                client.find(Question()),
                client.delete(f"{MOUNTS}/1", 1),
            ]
            failures = [failed for failed in await asyncio.gather(*calls, return_exceptions=True) if failed]
            assert failures
            for failed in failures:
                shown = f"{failed} {failed!r} {getattr(failed, 'facts', '')}"
                assert not [secret for secret in secrets if secret in shown], shown
    assert not [secret for secret in secrets if secret in caplog.text]


@pytest.mark.parametrize((), [pytest.param(id="14-38")])
async def test_no_traceback_shows_a_secret_either(em):
    async with em(retry_for=0.0) as (client, server):
        server.on("GET", "/api/logonSessions/session-1", GARBLED)
        with pytest.raises(EmUnreachable) as caught:
            await client.touch()
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__cause__)
        assert caught.value.__cause__ is not None
        assert "***" in shown
        assert "logonSessions/session-1" not in shown
        assert server.token.format(1) not in shown


async def test_a_redirect_is_not_followed_and_the_token_stays_here(em, identity):
    other = Scripted()
    async with em() as (client, server), listening(other, identity.context()) as url:
        server.on("GET", "/api/tasks/task-1", say(307, "", Location=f"{url}/api/tasks/task-1"))
        with pytest.raises(AnswerUnreadable, match="redirects"):
            await client.task("/api/tasks/task-1", 1)
    assert other.asked == []


@pytest.mark.parametrize("call", ["task", "request"])
async def test_an_answer_without_end_is_not_read_to_the_end(em, call, monkeypatch):
    monkeypatch.setattr(transport, "BODY_LIMIT", 1000)
    async with em() as (client, server):
        server.on("GET", "/api/tasks/task-1", say(200, " " * 5000))
        server.on("POST", MOUNTS, say(202, " " * 5000))
        with pytest.raises(OutcomeUnknown if call == "request" else AnswerUnreadable, match="larger"):
            await MOUNT_CALLS[call](client, 1)


async def test_every_request_is_observed(em):
    seen = []
    async with em(on_request=lambda *facts: seen.append(facts[:3]), retry_for=0.0) as (client, server):
        server.on("GET", MOUNTS, say(404))
        server.on("GET", "/api/tasks/task-1", DROP)
        await client.existing(POINT, 1)
        with pytest.raises(EmUnreachable):
            await client.task("/api/tasks/task-1", 1)
    assert seen == [
        ("/sessionMngr", "POST", 201),
        ("/vmRestorePoints/{id}/mounts", "GET", 404),
        ("/tasks/{id}", "GET", None),
    ]


async def test_a_request_that_was_called_off_is_no_request_without_an_answer(em):
    seen = []
    async with em(on_request=lambda *facts: seen.append(facts[:3])) as (client, server):
        server.on("GET", MOUNTS, HANG)
        with anyio.move_on_after(0.05):
            await client.existing(POINT, 1)
    assert seen == [("/sessionMngr", "POST", 201)]


async def test_an_answer_that_is_too_large_counts_as_none(em, monkeypatch):
    seen = []
    monkeypatch.setattr(transport, "BODY_LIMIT", 1000)
    async with em(on_request=lambda *facts: seen.append(facts[:3])) as (client, server):
        server.on("GET", "/api/tasks/task-1", say(200, " " * 5000))
        with pytest.raises(AnswerUnreadable):
            await client.task("/api/tasks/task-1", 1)
    assert seen[1:] == [("/tasks/{id}", "GET", None)]


# --- sessions of earlier processes ----------------------------------------------------------------------------------


async def test_a_later_process_deletes_the_mounts_of_a_sealed_session_and_ends_it(em, identity):
    async with em() as (client, server):
        sealed = client.sealed()
        later_client = make_client(client._transport.base.url, identity, client.time)
        async with later_client as later:
            past = await later.revive(sealed)
            server.on("GET", MOUNTS, say(200, MOUNT))
            server.on("DELETE", f"{MOUNTS}/1", say(204))
            assert await past.mounts.existing(POINT, 0) == {f"{MOUNTS}/1"}
            assert await past.mounts.delete(f"{MOUNTS}/1", 0) is None
            with pytest.raises(SessionEnded):
                await past.mounts.existing(POINT, 1)
            await past.close()
        assert server.live == {}
        assert server.logons == 1
        assert server.asked[-1][:2] == ("DELETE", "/api/logonSessions/session-1")
        assert server.asked[-2][2]["X-RestSvcSessionId"] == server.token.format(1)


async def test_a_sealed_session_that_em_has_ended_is_not_renewed(em):
    async with em() as (client, server):
        past = await client.revive(client.sealed())
        sealed = client.sealed()
        server.live.clear()
        with pytest.raises(SessionEnded):
            await client.revive(sealed)
        with pytest.raises(SessionEnded):
            await past.mounts.existing(POINT, 0)
        await past.close()
        assert server.logons == 1


async def test_a_sealed_session_does_not_open_under_another_password(em, identity):
    async with em() as (client, _):
        other = make_client(client._transport.base.url, identity, client.time, password="other")
        async with other:
            with pytest.raises(SealBroken):
                await other.revive(client.sealed())


# --- trust ----------------------------------------------------------------------------------------------------------


async def test_a_pinned_certificate_is_trusted_without_a_ca(em, identity):
    trust = ssl_context(settings("https://x", fingerprint_sha256=identity.fingerprint_sha256))
    async with em(trust=trust) as (client, _):
        assert client.generation == 1


@pytest.mark.parametrize("pinned", [True, False], ids=["another certificate pinned", "unknown CA"])
async def test_an_untrusted_certificate_is_shown_and_gets_no_password(em, identity, pinned):
    trust = ssl_context(settings("https://x", fingerprint_sha256="ab" * 32 if pinned else None))
    async with em(trust=trust, opened=False) as (client, server):
        with pytest.raises(CertificateUntrusted, match=identity.fingerprint_sha256):
            await client.open()
        assert server.asked == []
        assert client.time.naps == []


async def test_a_certificate_for_another_name_is_untrusted(em, identity):
    server = Scripted()
    async with listening(server, identity.context(), "127.0.0.2") as url, make_client(url, identity, Time()) as client:
        with pytest.raises(CertificateUntrusted, match=r"127\.0\.0\.2"):
            await client.open()
    assert server.asked == []


async def test_a_port_without_tls_is_unreachable_and_says_so(identity):
    server = Scripted()
    async with listening(server) as url, make_client(url.replace("http:", "https:"), identity, Time()) as client:
        with pytest.raises(EmUnreachable, match="TLS"):
            await client.open()
    assert server.asked == []


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigInvalid, match=r"enterprise_manager\.ca_file.*ca\.pem"):
        ssl_context(settings("https://x", ca_file=file))


def test_verification_is_on_with_and_without_a_ca_file(identity):
    for context in (ssl_context(settings("https://x")), ssl_context(settings("https://x", ca_file=identity.ca_file))):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
