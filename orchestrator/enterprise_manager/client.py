"""Enterprise Manager as the engine sees it: catalogue, mounts, session, and sessions of earlier processes."""

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeVar

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import FlrState, Greeting, PointKind, Question, RestorePoint
from orchestrator.core.errors import AgentsHidden, Forbidden, SessionEnded
from orchestrator.enterprise_manager.catalogue import Catalogue
from orchestrator.enterprise_manager.files import FileCalls
from orchestrator.enterprise_manager.guest_index import GuestIndex
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.pacing import Pacer
from orchestrator.enterprise_manager.past import PastSession
from orchestrator.enterprise_manager.refreshing import Refresher
from orchestrator.enterprise_manager.retrying import Random, Retrying, Sleep
from orchestrator.enterprise_manager.seal import Entropy, Seal
from orchestrator.enterprise_manager.session import Credentials, Live, LogonKeeper, OnRenewed
from orchestrator.enterprise_manager.streams import Incoming
from orchestrator.enterprise_manager.translate import read, refusal
from orchestrator.enterprise_manager.transport import Observer, Transport
from orchestrator.enterprise_manager.trust import Trust
from orchestrator.enterprise_manager.wire import points, records, requests
from orchestrator.enterprise_manager.wire.document import Element
from orchestrator.enterprise_manager.wire.exchange import Reply, Request
from orchestrator.enterprise_manager.wire.paging import Pages, paging

Record = TypeVar("Record")


class Client(FileCalls):
    """One EM, one account, at most one logon session. Fulfils Catalogue, Mounts, MountedFiles, Session and Reviver
    of the engine.

    Make it before the event loop has much to do: deriving the sealing key takes about 50 ms. `async with` opens and
    closes the connections only; `open` logs on and `close` logs off, because whoever holds mounts must decide
    when their session ends. After `close` it can be opened again.
    """

    def __init__(
        self,
        settings: EnterpriseManagerSettings,
        password: str,
        *,
        ssl: Trust,
        clock: Callable[[], datetime],
        random: Random,
        sleep: Sleep,
        on_renewed: OnRenewed | None = None,
        on_request: Observer | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        mask = Mask()
        self._monotonic = monotonic
        self._page_size = settings.page_size
        self._seal = Seal(password, settings.url, settings.username, entropy)
        self._transport = Transport(
            settings,
            trust=ssl,
            retrying=Retrying(settings.retry_for, clock=clock, monotonic=monotonic, random=random, sleep=sleep),
            pacer=Pacer(settings.requests_per_second, monotonic=monotonic, sleep=sleep),
            monotonic=monotonic,
            observer=on_request,
            mask=mask,
        )
        self._keeper = LogonKeeper(
            self._transport,
            Credentials(settings.username, password, settings.password_source),
            monotonic=monotonic,
            on_renewed=on_renewed,
        )
        self._refresher = Refresher(
            self._renewing, self._every_page, self._query_path, self._transport.base, mask, sleep, settings
        )
        super().__init__(self._under, self._fetch_under, self._transport.base, mask)
        self._catalogue = Catalogue(
            self._every_page, self._one_point, self._query_path, self._transport.base, settings.page_size
        )

    @property
    def guest_index(self) -> GuestIndex:
        """What EM's catalogue says of indexed guests; the session is renewed when needed."""
        return GuestIndex(self._renewing, self._base, self._mask)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def generation(self) -> int:
        """Counts logons, from 1; 0 before the first."""
        return self._keeper.generation

    async def greet(self) -> Greeting:
        """What EM says to anybody, without a logon, asked once. EmError when it does not, or is not EM."""
        request, begun = requests.greeting(), self._monotonic()
        reply = await self._transport.send(request)
        seconds = self._monotonic() - begun
        if error := refusal(reply, request, self._mask):
            raise error
        names = read(records.versions, reply, request, self._mask)
        return Greeting(names, _date(reply), await self._transport.certificate_ends(), seconds)

    async def glimpse(self) -> list[RestorePoint]:
        """The newest restore point that this account can see, alone; empty when it sees none."""
        first = requests.question(self._query_path(), Question(), 1)
        reply = await self._renewing(first)
        if error := refusal(reply, first, self._mask):
            raise error
        return read(lambda root: points.points(root, self._base, PointKind.VM), reply, first, self._mask)[:1]

    async def open(self) -> int:
        """Log on if there is no live session; its generation. LogonRefused, EmUnreachable, CertificateUntrusted,
        AnswerUnreadable. Never repeated by itself: every attempt with a wrong password counts against the account."""
        return await self._keeper.open()

    async def touch(self) -> None:
        """One cheap request that keeps the session alive; a session that EM has ended is renewed."""
        live = self._keeper.live()
        request = requests.own_session(live.logon.href)
        reply = await self._transport.send(request, token=live.logon.token)
        if reply.status == 401:
            await self._keeper.renew(live, request.what)
            return
        # Whatever else EM thinks of the request, it knew the token, and that is what resets its idle clock.
        self._keeper.served(live)

    async def close(self) -> None:
        """Log off. A session that EM no longer knows is logged off; EmError when EM cannot be told in time."""
        await self._keeper.close()

    def forget(self) -> None:
        """Leave the session as it is, for whoever holds its sealed token; the next `open` logs on anew."""
        self._keeper.forget()

    def sealed(self) -> bytes:
        """Token and href of the live session under authenticated encryption; SessionEnded when there is none."""
        logon = self._keeper.live().logon
        return self._seal.seal(logon.token, logon.delete_href)

    async def revive(self, sealed: bytes) -> PastSession:
        """The session in `sealed`. SealBroken for another password, address or user; SessionEnded when EM no longer
        knows the session."""
        past = PastSession(self._transport, *self._seal.unseal(sealed))
        await past.verify()
        return past

    async def find(self, question: Question) -> list[RestorePoint]:
        """Every restore point that answers `question`, all pages, newest first. The session is renewed when needed.

        A URN in `question.uid` asks for points of its kind, everything else for those of `question.kind`.
        """
        first = requests.question(self._query_path(), question, self._page_size)
        kind = points.kind_of(question)
        try:
            found = await self._every_page(first, lambda root: points.points(root, self._base, kind))
        except Forbidden as error:
            if kind is not PointKind.AGENT:
                raise
            if question.uid is None:
                raise AgentsHidden(what=error.facts["what"], cause=error.facts["cause"]) from error
            found = await self._one_point(question.uid, kind)
        return points.on_server(points.distinct(found), question.backup_server)

    async def _one_point(self, uid: str, kind: PointKind) -> list[RestorePoint]:
        """The restore point of that id, read without a query; none when EM does not have it."""
        request = requests.one_point(uid, kind)
        reply = await self._renewing(request)
        if reply.status == 404:
            return []
        if error := refusal(reply, request, self._mask):
            raise error
        return [read(lambda root: points.point(root, self._base, kind), reply, request, self._mask)]

    async def find_all(self, questions: Iterable[Question]) -> list[RestorePoint]:
        """Every restore point that answers one of the questions, newest first, with few queries; others may be among
        them. The session is renewed when needed."""
        return await self._catalogue.find_all(questions)

    async def refresh(self, backup_server: str | None) -> None:
        """Have EM collect what is new on one backup server, or on all. RefreshRefused when it does not."""
        await self._refresher.refresh(backup_server)

    async def restore_state(self, point: RestorePoint, since: datetime) -> FlrState:
        """WORKING while any file-level restore of that machine begun at or after `since` is not `Stopped`."""
        first = requests.restore_sessions(self._query_path(), point, since, self._page_size)
        states = await self._every_page(first, lambda root: points.restore_states(root, point.vm, since))
        return points.flr_state(states)

    def _query_path(self) -> str:
        return self._keeper.live().logon.query_path

    async def _every_page(self, first: Request, reader: Callable[[Element], list[Record]]) -> list[Record]:
        pages, found = Pages(first.target), list[Record]()
        while (target := pages.target) is not None:
            request = requests.page(first, target)
            reply = await self._renewing(request)
            if reply.status == 404:
                raise Forbidden(what=request.what, cause="it offers this account no query service")
            if error := refusal(reply, request, self._mask):
                raise error

            def page(root: Element) -> list[Record]:
                pages.advance(paging(root, self._base))
                return reader(root)

            found += read(page, reply, request, self._mask)
        return found

    async def _renewing(self, request: Request) -> Reply:
        """Sends, and once more under a new session when EM has ended the old one."""
        live = self._keeper.live()
        reply = await self._send(request, live)
        if reply.status == 401:
            live = await self._keeper.renew(live, request.what)
            reply = await self._send(request, live)
            if reply.status == 401:
                await self._keeper.renew(live, request.what)
                raise SessionEnded(what=f"{request.what} was answered with 401 again")
        return reply

    async def _under(self, request: Request, generation: int) -> Reply:
        """Sends under that session only. A 401 renews the session for the others and ends this call."""
        live = self._of_generation(request, generation)
        reply = await self._send(request, live)
        if reply.status == 401:
            await self._keeper.renew(live, request.what)
            raise SessionEnded(what=f"{request.what} was answered with 401")
        return reply

    def _of_generation(self, request: Request, generation: int) -> Live:
        live = self._keeper.live()
        if live.generation != generation:
            raise SessionEnded(what=f"{request.what} belongs to session {generation}, now it is {live.generation}")
        return live

    async def _fetch_under(self, request: Request, generation: int) -> Incoming:
        """As `_under`, with the body of the answer yet to be read."""
        live = self._of_generation(request, generation)
        incoming = await self._transport.fetch(request, token=live.logon.token)
        if incoming.status == 401:
            incoming.close()
            await self._keeper.renew(live, request.what)
            raise SessionEnded(what=f"{request.what} was answered with 401")
        self._keeper.served(live)
        return incoming

    async def _send(self, request: Request, live: Live) -> Reply:
        reply = await self._transport.send(request, token=live.logon.token)
        if reply.status != 401:
            self._keeper.served(live)
        return reply


def _date(reply: Reply) -> datetime | None:
    """EM's clock when it answered (RFC 9110, Date); None when it does not say."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None
