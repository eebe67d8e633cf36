"""Which run is meant: a new one, under a name that no other has, or one to go on with."""

from collections.abc import Collection, Sequence

from orchestrator.core.errors import RunUnknown, WordsError
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.looks import is_look
from orchestrator.journal import Journal
from orchestrator.opening import now


def new_run(journal: Journal, job: str, planned: Sequence[str] = (), wanted: str = "", tag: str = "") -> str:
    """A run id that a person can read, that the journal does not have yet and that no other job of this command has;
    `wanted`, if that is one. `tag` keeps it from being that of a job elsewhere which begins within the same second."""
    stem = f"{job}-{now():%Y%m%dT%H%M%SZ}" + (f"-{tag}" if tag else "")
    names = (wanted or stem, stem, *(f"{stem}-{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in planned and not _knows(journal, name))


def _knows(journal: Journal, run: str) -> bool:
    try:
        journal.run(run)
    except RunUnknown:
        return False
    return True


def resumable(journal: Journal, run: str | None, followed: Collection[str] = ()) -> RunRow:
    """`run`, or the newest that has not come to its end, and that nobody else follows (`followed` are). RunUnknown;
    WordsError when there is none. Blocks."""
    if run is not None:
        row = journal.run(run)
        if is_look(row.id):
            raise WordsError(what=f"{run} is no run but a close look at a plan; `orchestrator plan --deep` looks anew")
        return row
    unfinished = [row for row in journal.runs() if row.state is not RunState.FINISHED and not is_look(row.id)]
    unfinished = [row for row in unfinished if row.id not in followed]
    if not unfinished:
        raise WordsError(
            what="there is no unfinished run. To try the failed machines of a finished one again, name it: "
            "orchestrator resume RUN; `orchestrator status` lists the runs"
        )
    return unfinished[0]
