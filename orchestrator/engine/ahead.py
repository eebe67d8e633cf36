"""Writing ahead: what is going to be moved is in the journal, and on its disk, before it is moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio import Lock, from_thread

from orchestrator.core.replaced import Aside
from orchestrator.engine.books import Books
from orchestrator.engine.ports_standing import AsideLedger


@dataclass(slots=True)
class _Together:
    """Files whose threads wait at the same time: one transaction, one flush."""

    rows: list[Aside] = field(default_factory=list)
    written: bool = False


class Ahead:
    """Writes of one run. A disk that is slow to flush makes larger transactions, not a longer queue."""

    def __init__(self, ledger: AsideLedger, books: Books, run: str) -> None:
        self._ledger = ledger
        self._books = books
        self._run = run
        self._turn = Lock()
        self._next = _Together()

    def remember(self, aside: Aside) -> None:
        """In a thread: return when `aside` is on the disk. StateError, or what a cancel raises in the thread."""
        from_thread.run(self._write, aside)

    async def _write(self, aside: Aside) -> None:
        together = self._next
        together.rows.append(aside)
        async with self._turn:
            if together.written:
                return
            if together is self._next:
                self._next = _Together()
            await self._books.ask(self._ledger.write_asides, self._run, together.rows)
            together.written = True

    async def note_made(self, paths: Sequence[str]) -> None:
        """Note folders that were made."""
        if paths:
            await self._books.ask(self._ledger.note_made, self._run, paths)
