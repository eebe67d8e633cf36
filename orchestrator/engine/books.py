"""The journal, one caller at a time: every read and write runs in a thread of its own, never two at once."""

from collections.abc import Callable, Mapping
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, Lock, move_on_after, to_thread

from orchestrator.core.errors import JournalSilent
from orchestrator.core.ledger import LeaseRow, SessionRow
from orchestrator.engine.ports import Clock, LeaseLedger, Session
from orchestrator.engine.pulse import Pulse

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


ANSWER_WITHIN = 600.0
"""Seconds that one call may take, with its wait for those before it: longer than the manifest of many million files."""


class Books:
    """The way to the journal. A write that has begun is finished even when its caller is cancelled."""

    def __init__(
        self, leases: LeaseLedger, session: Session, em_url: str, new_id: Callable[[], str], clock: Clock
    ) -> None:
        self._turn = Lock()
        self._limiter = CapacityLimiter(1)
        self._hanging: Pulse | None = None
        self._leases = leases
        self._session = session
        self._em_url = em_url
        self._new_id = new_id
        self._clock = clock
        self._known_sessions: dict[int, str] = {}
        self._session_lock = Lock()

    async def ask(self, function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Run one blocking journal call. Shielded: SQLite answers in milliseconds, and half a write is no write.
        JournalSilent when the disk hangs; at once while an earlier call still does."""
        pulse = Pulse()
        with move_on_after(ANSWER_WITHIN, shield=True):
            async with self._turn:
                if self._hanging is not None and not self._hanging.over:
                    raise JournalSilent(seconds=ANSWER_WITHIN)
                self._hanging = pulse
                return await to_thread.run_sync(
                    pulse.run, lambda beat: function(*arguments), limiter=self._limiter, abandon_on_cancel=True
                )
        raise JournalSilent(seconds=ANSWER_WITHIN)

    async def write_lease(self, row: LeaseRow) -> None:
        """Durable when it returns."""
        await self.ask(self._leases.write_lease, row)

    async def session_id(self, generation: int) -> str:
        """The journal's id of the live session; its sealed token is written before the first mount is asked for."""
        async with self._session_lock:
            if generation not in self._known_sessions:
                row = SessionRow(self._new_id(), generation, self._em_url, self._clock(), self._session.sealed())
                await self.ask(self._leases.write_session, row)
                self._known_sessions[generation] = row.id
            return self._known_sessions[generation]

    def owns(self, session: str) -> bool:
        """Whether `session` is one of this process's own."""
        return session in self._known_sessions.values()

    def disown(self, generation: int) -> None:
        """That session counts as an earlier process's from now on: it is swept like theirs."""
        self._known_sessions.pop(generation, None)

    def knows(self, generation: int) -> bool:
        """Whether that session is in the journal; one made by a late renewal never held a mount and is not."""
        return generation in self._known_sessions

    async def settled_sessions(self) -> dict[int, str]:
        """Our sessions that hold nothing any more: the journal's id by generation."""
        held = {row.session for row in await self.ask(self._leases.open_leases)}
        return {number: session for number, session in self._known_sessions.items() if session not in held}

    async def erase_sessions(self, sessions: Mapping[int, str]) -> None:
        """Erase the tokens of sessions that are over."""
        for generation, session in sessions.items():
            await self.ask(self._leases.erase_session, session)
            self._known_sessions.pop(generation, None)
