"""What was told of a run, and what was written of it: a worker that dies may have written what it tells nobody."""

from orchestrator.core.events import Event, FilesDone
from orchestrator.core.ledger import Totals
from orchestrator.engine.books import Books
from orchestrator.engine.rooms import Rooms


class Counted:
    """Takes the events of one run on their way to those who listen, and sums what is told of each group's files."""

    def __init__(self, run: str, rooms: Rooms, books: Books) -> None:
        self._run = run
        self._rooms = rooms
        self._books = books
        self._told: dict[str, Totals] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, FilesDone) and event.run == self._run:
            self._told[event.group] = self._told.get(event.group, Totals()) + event.totals
        self._rooms.emit(event)

    async def tell_the_rest(self) -> None:
        """Tell what is written and was not told, so that the sum of what was told is what the report says."""
        written = await self._books.ask(self._rooms.outcomes.totals, self._run)
        for group in sorted({*written, *self._told}):
            rest = written.get(group, Totals()) - self._told.get(group, Totals())
            if rest != Totals():
                self(FilesDone(self._rooms.clock(), self._run, group, rest, max(0, rest.bytes)))
