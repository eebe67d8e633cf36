"""Events in, messages out on every channel that wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.announce import Announcer, Kind
from orchestrator.core.events import Event, Notice
from orchestrator.notify.delivery import Delivery
from orchestrator.notify.means import Means, Undelivered
from orchestrator.notify.ping import Heartbeat
from orchestrator.notify.samples import sample


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a sample on one channel; `cause` is empty when it was sent."""

    channel: str
    cause: str = ""


class Notifier:
    """Takes the events of a process. Each of `services` has a `serve` that whoever opens tasks runs beside the work,
    and a `close` that ends it; `heartbeat` is there when the config asks for one, and only a watcher serves it."""

    def __init__(
        self,
        channels: Sequence[Delivery],
        means: Means,
        pings: Sequence[Delivery] = (),
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self.heartbeat = heartbeat
        self.services: tuple[Delivery, ...] = (*channels, *pings)
        self._channels = tuple(channels)
        self._means = means
        self._announcer = Announcer()
        self._broken = False

    def add(self, event: Event) -> None:
        """Take one event. Never blocks and never raises."""
        try:
            announcement = self._announcer.add(event)
            if announcement is not None:
                for service in self.services:
                    service.add(announcement)
        except Exception as error:
            # A mistake in here costs a message, and never the run that it is about.
            if not self._broken:
                self._broken = True
                text = f"notifications: a mistake in orchestrator ({type(error).__name__}); messages may be missing"
                self._means.emit(Notice(self._means.clock(), text))

    async def test(self, kind: Kind) -> list[Tried]:
        """Send a sample on every channel, whatever kinds it wants, once; pings are left out: they would lie."""
        results = []
        for channel in self._channels:
            try:
                await channel.try_once(sample(kind, self._means.clock()))
                results.append(Tried(channel.name))
            except Undelivered as failed:
                results.append(Tried(channel.name, failed.cause))
        return results
