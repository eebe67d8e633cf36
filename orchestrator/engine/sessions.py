"""The session as a failure domain: when it is renewed, every mount of an older generation is gone at once."""

from anyio import Event, get_cancelled_exc_class, sleep

from orchestrator.core.errors import Blast, EmError
from orchestrator.core.events import Notice, SessionRenewed
from orchestrator.engine.ports import Clock, Emit, Session


class SessionWatch:
    """Tells the holders of mounts that their session has ended. `renewed` is called by the session's owner."""

    def __init__(self, emit: Emit, clock: Clock) -> None:
        self._ended: dict[int, Event] = {}
        self._live = 0
        self._emit = emit
        self._clock = clock
        self.renewals = 0

    def renewed(self, generation: int, cause: str) -> None:
        """A new session is live; wakes everyone who holds a mount of an older one."""
        self._live = generation
        self.renewals += 1
        self._emit(SessionRenewed(self._clock(), generation, cause))
        for older in [one for one in self._ended if one < generation]:
            self._ended.pop(older).set()

    async def ended(self, generation: int) -> None:
        """Return when the session `generation` is no longer the live one."""
        if generation < self._live:
            return
        await self._ended.setdefault(generation, Event()).wait()


async def keep_alive(session: Session, every: float, emit: Emit, clock: Clock) -> None:
    """Touch the session for ever. Only what ends the whole process is raised; the rest is tried at the next beat."""
    while True:
        await sleep(every)
        try:
            await session.touch()
        except get_cancelled_exc_class():
            raise
        except EmError as error:
            if error.blast is Blast.PROCESS and not error.transient:
                raise
            emit(Notice(clock(), f"heartbeat failed, tried again in {every:g} s: {error}"))
