"""What the ledgers need of a database: named queries, transactions, and what it holds on to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from orchestrator.ledgers.rows import Parameters

Result = TypeVar("Result")


class Batch(Protocol):
    """What is read and written within one transaction."""

    def known(self, query: str, asked: Sequence[Parameters]) -> Iterator[Any]:
        """The rows of a query that is asked for many things at once."""
        ...

    def write(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for many rows; of rows with one key the last counts as if they came one by one."""
        ...

    def each(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for each row."""
        ...


class Queries(Protocol):
    """Named queries and statements. Any thread may call, but never two at once. Every error of the database leaves as
    a StateError, and the transaction it happened in is rolled back."""

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Every row of a query."""
        ...

    def stream(self, query: str, **parameters: Any) -> Iterator[Any]:
        """The rows of a query, a page at a time; closing the iterator frees it. Others may write meanwhile."""
        ...

    def write(self, query: str, parameters: Parameters) -> int:
        """One statement, durable when it returns; the number of rows it changed."""
        ...

    def write_all(self, statements: Iterable[tuple[str, Parameters]]) -> None:
        """Several statements in one transaction, durable when it returns."""
        ...

    def batch(self, work: Callable[[Batch], Result]) -> Result:
        """`work` in one transaction for many rows, which a power cut may take away as a whole. It may be called again,
        after what it did was rolled back."""
        ...

    def erase(self, query: str, parameters: Parameters) -> None:
        """A deletion of a secret."""
        ...


class Store(Queries, Protocol):
    """A database that holds a journal, opened."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    def run_key(self, run: str) -> int:
        """The short key of a run; RunUnknown when there is none."""
        ...

    def forget_run_key(self, run: str) -> None:
        """A run is gone, and its key may be given to another."""
        ...

    def compact(self) -> None:
        """Give the room of what was deleted back."""
        ...

    def shrink(self) -> None:
        """Let go of the memory that only makes the next question faster."""
        ...

    def close(self) -> None:
        """Close it. Harmless when it is closed."""
        ...
