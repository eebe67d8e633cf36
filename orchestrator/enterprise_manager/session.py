"""The one logon session: made, kept, renewed once for everybody, ended.

Sources: pages "Logging On", "Logging Out", "HTTP Authentication". EM ends a session after 15 idle minutes and answers
401 from then on; a new session sees nothing of what the old one held, so each has its own `generation`.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from orchestrator.core.errors import (
    AnswerUnreadable,
    EmError,
    EmUnreachable,
    LogonRefused,
    RenewalRefused,
    SessionEnded,
)
from orchestrator.enterprise_manager.translate import explanation, read, refusal
from orchestrator.enterprise_manager.transport import Transport
from orchestrator.enterprise_manager.wire import requests
from orchestrator.enterprise_manager.wire.document import error_message
from orchestrator.enterprise_manager.wire.exchange import Reply, Request
from orchestrator.enterprise_manager.wire.records import LogonSession, logon_session

OnRenewed = Callable[[int, str], None]
"""Told of a renewal: the new generation, and what the old session was refused for. Must not block."""

_TOKEN = "x-restsvcsessionid"  # noqa: S105 - the name of the header, not its value
_LOGOFF_SECONDS = 30.0
# A session refused this soon after its renewal was never accepted: another logon would not cure that.
_FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs on. `source` says where the password comes from, for messages."""

    username: str
    password: str
    source: str

    def header(self) -> str:
        """The `Authorization` header; EM's encoding is not documented, other clients succeed with UTF-8."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.username!r})"


@dataclass(frozen=True, slots=True)
class Live:
    """A session as long as EM knows it."""

    generation: int
    logon: LogonSession
    born: float
    renewal: bool


class LogonKeeper:
    """Holds at most one live session. Every method may be called from any number of tasks."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        *,
        monotonic: Callable[[], float],
        on_renewed: OnRenewed | None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._monotonic = monotonic
        self._on_renewed = on_renewed
        self._lock = anyio.Lock()
        self._live: Live | None = None
        self._generation = 0
        self._served = 0
        self._attempts = 0
        self._failed: EmError | None = None
        transport.mask.learn(credentials.password, credentials.header().removeprefix("Basic "))

    @property
    def generation(self) -> int:
        return self._generation

    def live(self) -> Live:
        """The live session; SessionEnded when there is none, RenewalRefused when its renewal was refused."""
        if self._live is not None:
            return self._live
        if isinstance(self._failed, RenewalRefused):
            raise _again(self._failed)
        raise SessionEnded(what="nobody is logged on")

    def served(self, live: Live) -> None:
        """EM accepted a request under `live`: a later 401 means that it ended, not that it never worked."""
        self._served = max(self._served, live.generation)

    async def open(self) -> int:
        """Log on unless there is a live session; its generation."""
        async with self._lock:
            if self._live is None:
                self._failed = None
                await self._log_on(renewal=False)
            return self._generation

    async def renew(self, refused: Live, cause: str) -> Live:
        """The session after `refused`, which EM answered with 401.

        Of all tasks that come with the same session one logs on, the others get its session or its failure.
        RenewalRefused when EM refuses the logon, or has refused a session that it had only just made.
        """
        attempts = self._attempts
        async with self._lock:
            if self._live is not refused:
                return self.live()
            if self._attempts != attempts and self._failed is not None:
                raise _again(self._failed)
            self._forbid_loop(refused)
            await self._log_on(renewal=True)
            live = self.live()
        if self._on_renewed is not None:
            self._on_renewed(live.generation, cause)
        return live

    def _forbid_loop(self, refused: Live) -> None:
        unproven = refused.renewal and self._served < refused.generation
        if unproven and self._monotonic() - refused.born < _FRESH_SECONDS:
            raise RenewalRefused(
                username=self._credentials.username, cause="it answers 401 to a session that it has only just made"
            )

    async def _log_on(self, *, renewal: bool) -> None:
        try:
            logon = await self._logon(renewal=renewal)
        except EmError as failed:
            self._attempts += 1
            self._failed = failed
            if isinstance(failed, RenewalRefused):
                # Every further attempt with a wrong password brings the account closer to being locked.
                self._live = None
            raise
        self._attempts += 1
        self._failed = None
        self._generation += 1
        self._live = Live(self._generation, logon, self._monotonic(), renewal)

    async def _logon(self, *, renewal: bool) -> LogonSession:
        request, mask = requests.logon(), self._transport.mask
        reply = await self._transport.send(request, authorization=self._credentials.header())
        token = reply.headers.get(_TOKEN, "").strip()
        mask.learn(token)
        if error := self._refusal(reply, request, renewal=renewal):
            raise error
        if not token:
            raise AnswerUnreadable(what=request.what, cause="it has no header X-RestSvcSessionId")
        logon = read(lambda root: logon_session(root, self._transport.base, token), reply, request, mask)
        mask.learn(logon.session_id, logon.href, logon.delete_href)
        return logon

    def _refusal(self, reply: Reply, request: Request, *, renewal: bool) -> EmError | None:
        username, source = self._credentials.username, self._credentials.source
        if reply.status in (404, 405):
            said = explanation(reply, self._transport.mask)
            return AnswerUnreadable(what=request.what, cause=f"the answer was {reply.status}: {said}")
        if reply.status not in (401, 403):
            return refusal(reply, request, self._transport.mask)
        cause = (
            "user name or password is wrong"
            if reply.status == 401
            else "the account has no role in Enterprise Manager that may log on"
        )
        if said := error_message(reply.body):
            cause += f" ({self._transport.mask(said)})"
        if renewal:
            return RenewalRefused(username=username, cause=cause)
        return LogonRefused(username=username, cause=cause, password_source=source)

    async def close(self) -> None:
        """Log off, whatever EM still knows of the session; raises EmError when EM cannot be told."""
        # Under the lock: a renewal in flight would otherwise leave a session behind that nobody ends.
        async with self._lock:
            live, self._live = self._live, None
            if live is None:
                return
            await log_off(self._transport, live.logon.token, live.logon.delete_href)

    def forget(self) -> None:
        """Leave the session as EM has it; the next `open` logs on anew."""
        self._live = None


async def log_off(transport: Transport, token: str, delete_href: str) -> None:
    """DELETE of one logon session, by its own link and in bounded time. 401 and 404 mean that it is gone."""
    request = requests.logoff(delete_href)
    with anyio.move_on_after(_LOGOFF_SECONDS):
        reply = await transport.send(request, token=token)
        error = refusal(reply, request, transport.mask)
        if error is not None and reply.status not in (401, 404):
            raise error
        return
    raise EmUnreachable(url=transport.base.url, cause=f"no answer to the logoff within {_LOGOFF_SECONDS:g} s")


def _again(failed: EmError) -> EmError:
    """The same failure for another task: one exception object must not collect the traces of many."""
    return type(failed)(**failed.facts)
