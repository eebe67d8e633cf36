"""Blocking calls to shares and disks, each for as long as it gets on: slow is waited for, hung is given up."""

import errno
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread

from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Beat
from orchestrator.engine.pulse import Patience, Pulse

Result = TypeVar("Result")


class Calls:
    """Runs what blocks in threads. A call that has not moved for `stall` seconds is left behind in its thread; while it
    hangs there, others at the same place fail at once: a dead share costs one wait and one thread, not one for each
    question."""

    def __init__(self, stall: float, threads: CapacityLimiter | None = None) -> None:
        self._stall = stall
        self._threads = threads
        self._hanging: dict[str, tuple[Pulse, str]] = {}

    async def run(
        self,
        where: str,
        call: Callable[[Beat], Result],
        threads: CapacityLimiter | None = None,
        patience: Patience | None = None,
    ) -> Result:
        """What `call` returns. It is given what to call as often as it gets on, and runs in a thread that a cancel does
        not wait for. `where` is the share or folder that is asked. TimeoutError, which is an OSError, when it hangs, or
        when the `patience` with it is short and at its end; and whatever `call` raises."""
        hanging, told = self._hanging.get(where, (None, ""))
        if hanging is not None and not hanging.over:
            raise TimeoutError(errno.ETIMEDOUT, told, where)
        pulse, results = Pulse(), list[Result]()
        with one_error():
            async with create_task_group() as beside:
                beside.start_soon(pulse.watch, self._stall, patience)
                with pulse.scope:
                    work = to_thread.run_sync(pulse.run, call, limiter=threads or self._threads, abandon_on_cancel=True)
                    results.append(await work)
                beside.cancel_scope.cancel()
        if results:
            self._hanging.pop(where, None)
            return results[0]
        told = late(patience.seconds) if patience and patience.short else hangs(self._stall)
        self._hanging[where] = pulse, told
        raise TimeoutError(errno.ETIMEDOUT, told, where)


def late(patience: float) -> str:
    """What is said of a share for which those that have answered do not wait."""
    return f"no answer for {patience:g} s (limits.probe_timeout)"


def hangs(stall: float) -> str:
    """What is said of a share or a disk that does not answer."""
    return f"nothing moved for {stall:g} s (limits.stall_timeout); the share or the disk hangs"
