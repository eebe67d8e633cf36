"""Out of a group of errors, the one that tells what happened."""

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.core.errors import Blast, MountLeft, MountLost, OrchestratorError, SessionEnded


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the most telling error of an exception group instead of the group, which stays its cause.

    A mount that stays is told before anything; a bug before the rest that we understand; what ends the process before
    a lost mount; a lost mount before the file errors that it brings with it.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        raise min(_leaves(group), key=_rank) from group


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _rank(error: BaseException) -> int:
    if isinstance(error, MountLeft):
        return -1
    if not isinstance(error, OrchestratorError):
        return 0
    if error.blast is Blast.PROCESS:
        return 1
    return 2 if isinstance(error, MountLost | SessionEnded) else 3
