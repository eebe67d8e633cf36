"""What runs beside the work for as long as it lasts: notifications, and whatever else serves the outside."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from anyio import CancelScope, create_task_group, current_time, to_thread

from orchestrator.core.events import Notice
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Clock, Emit

Result = TypeVar("Result")


class Service(Protocol):
    """Something that serves until it is closed and what it still holds is through."""

    @property
    def linger(self) -> float:
        """Seconds that `serve` gets to return in after `close`; then it is cancelled."""

    async def serve(self) -> None:
        """Serve. Returns some time after `close`."""

    def close(self) -> None:
        """Nothing comes any more. May be called before `serve`, and more than once."""


@asynccontextmanager
async def beside(services: Sequence[Service], emit: Emit, clock: Clock) -> AsyncIterator[None]:
    """Run `services` for as long as the block lasts, and then for at most as long as each lingers: also when the block
    is cancelled or fails, because its end is what they have to tell. A service that breaks is told of and missed; the
    block goes on. Of a group of errors that the block raises, the most telling one comes out."""
    scopes = [CancelScope(shield=True) for _ in services]
    with one_error():
        async with create_task_group() as tasks:
            for service, scope in zip(services, scopes, strict=True):
                tasks.start_soon(_serve, service, scope, emit, clock)
            try:
                yield
            finally:
                for service, scope in zip(services, scopes, strict=True):
                    scope.deadline = current_time() + service.linger
                    service.close()


async def _serve(service: Service, scope: CancelScope, emit: Emit, clock: Clock) -> None:
    with scope:
        try:
            await service.serve()
        except Exception as error:
            emit(Notice(clock(), f"a mistake in orchestrator: {type(service).__name__} broke: {type(error).__name__}"))


async def in_thread(function: Callable[[], Result]) -> Result:
    """Run what blocks for a service in a thread. Cancelling ends the wait, and the thread ends by itself."""
    return await to_thread.run_sync(function, abandon_on_cancel=True)
