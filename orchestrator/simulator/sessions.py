"""Logon sessions: opened by Basic credentials, ended by logoff, by idleness, or by an administrator."""

import asyncio
import base64
import binascii
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.simulator.background import Background
from orchestrator.simulator.refusals import Refusal
from orchestrator.simulator.settings import Settings

CHALLENGE = {"WWW-Authenticate": "Basic Realm=RestSvc"}


@dataclass(eq=False)
class Session:
    """A live logon session. `used` is the loop's time of the last request; `label` is safe to log, `id` is not."""

    id: str
    label: str
    user: str
    used: float
    since: datetime
    alive: bool = True
    mount_numbers: dict[str, int] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """What the client must send: base64 of the SessionId, as seen on 12.1."""
        return base64.b64encode(self.id.encode()).decode()


class Sessions:
    """Every session there was; `on_end` is awaited once for each that ends."""

    def __init__(
        self, settings: Settings, background: Background, on_end: Callable[[Session], Awaitable[None]]
    ) -> None:
        self.all: list[Session] = []
        self._settings = settings
        self._background = background
        self._on_end = on_end

    def log_on(self, authorization: str | None) -> Session:
        """A new session for a Basic header; raises Refusal 401 (or as set, for an account without role)."""
        user = self._user_of(authorization)
        if not self._settings.roles:
            status = self._settings.logon_without_role
            raise Refusal(status, "The account has no role.", CHALLENGE if status == 401 else None)
        session = Session(str(uuid.uuid4()), f"session-{len(self.all) + 1}", user, self._now(), datetime.now(UTC))
        self.all.append(session)
        self._background.start(self._watch(session))
        return session

    def of_token(self, token: str | None) -> Session:
        """The live session of a token, which counts as use; raises Refusal 401 for any other (em-api 3)."""
        if not token:
            raise Refusal(401, "Header X-RestSvcSessionId is expected.", CHALLENGE)
        session = next((one for one in self.all if one.alive and one.token == token), None)
        if session is None or self._now() - session.used >= self._settings.idle_timeout:
            raise Refusal(401, "The logon session was not found or has expired.", CHALLENGE)
        session.used = self._now()
        return session

    def of_id(self, session_id: str) -> Session:
        """The live session of an id (or a label); raises Refusal 404."""
        for session in self.all:
            if session.alive and session_id.lower() in (session.id, session.label):
                return session
        raise Refusal(404, "The logon session was not found.")

    def touch(self, session: Session) -> None:
        """The session was in use until now."""
        session.used = self._now()

    async def end(self, session: Session) -> None:
        """End it; once ended, nothing more happens."""
        if session.alive:
            session.alive = False
            await self._on_end(session)

    async def _watch(self, session: Session) -> None:
        while session.alive:
            left = session.used + self._settings.idle_timeout - self._now()
            if left <= 0:
                await self.end(session)
            else:
                await asyncio.sleep(left)

    def _user_of(self, authorization: str | None) -> str:
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            decoded = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        user, _, password = decoded.partition(":")
        if user.casefold() != self._settings.username.casefold() or password != self._settings.password:
            raise Refusal(401, "Bad user name or password.", CHALLENGE)
        return user

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
