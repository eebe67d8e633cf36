"""What is learned of where mounts appear, kept in the journal and known to all runs of this process."""

from orchestrator.core.plan import MountGroup
from orchestrator.engine.books import Books
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats


async def recall(rooms: Rooms, books: Books, seats: Seats) -> None:
    """Let `seats` know what earlier processes have learned, once. Raises StateError."""
    if not seats.recalled:
        answers = await books.ask(rooms.answers.answers)
        seats.recalled = True
        seats.whereabouts.remember(answers)


async def learn(rooms: Rooms, books: Books, seats: Seats, group: MountGroup, share: str) -> None:
    """The mount of `group` was found on `share`. Raises StateError."""
    answer = seats.learn(group, share)
    if answer is not None:
        await books.ask(rooms.answers.write_answer, answer)
