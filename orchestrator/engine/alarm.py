"""What this process waits for is done by others: they give signs, and here is who is woken by them.

A sign only saves a look. Whoever rests looks again by himself, seldom while signs are known to arrive, and often while
they are not.
"""

from weakref import WeakSet

from anyio import CapacityLimiter, Event, move_on_after, sleep, to_thread

from orchestrator.engine.ports_dispatch import ANYTHING, Signs

HOLD = 5.0
"""Seconds that a thread waits for a sign before it is asked anew."""

LULL = 0.2
"""Seconds after a sign in which those that follow it are gathered: the work of many workers must not make each of them
look all the time."""


class Bell:
    """Wakes one task. What rings while nobody rests is not lost."""

    def __init__(self, alarm: "Alarm", about: str) -> None:
        self._alarm = alarm
        self._about = about
        self._rung = Event()

    def ring(self) -> None:
        """Wake who rests, or who is going to."""
        self._rung.set()

    def heed(self, abouts: frozenset[str]) -> None:
        """Ring if signs were about what is waited for."""
        if ANYTHING in (self._about, *abouts) or self._about in abouts:
            self.ring()

    async def rest(self, often: float, seldom: float) -> bool:
        """Return when it rings, or after so many seconds, `seldom` while signs arrive and else `often`; whether it
        rang."""
        with move_on_after(seldom if self._alarm.arrives else often):
            await self._rung.wait()
        rung = self._rung.is_set()
        if rung:
            self._rung = Event()
        return rung


class Alarm:
    """Hears the signs while it is kept, in a thread, and rings the bells of this process."""

    def __init__(self, signs: Signs) -> None:
        self._signs = signs
        self._bells = WeakSet[Bell]()
        self._one = CapacityLimiter(1)

    @property
    def arrives(self) -> bool:
        """Whether signs are known to arrive."""
        return self._signs.arrives

    def bell(self, about: str = ANYTHING) -> Bell:
        """A bell that rings for signs about that, for as long as somebody has it."""
        bell = Bell(self, about)
        self._bells.add(bell)
        return bell

    async def keep(self) -> None:
        """Hear signs until cancelled; whoever cancels it closes the alarm."""
        while True:
            abouts = await to_thread.run_sync(self._signs.wait, HOLD, limiter=self._one, abandon_on_cancel=True)
            if abouts:
                for bell in list(self._bells):
                    bell.heed(abouts)
                await sleep(LULL)

    def close(self) -> None:
        """No more signs are heard, and no thread waits for one."""
        self._signs.close()
