"""What hangs costs one wait and one thread, however many ask: later questions are answered at once, by a refusal."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.errors import JournalSilent
from orchestrator.engine import books
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from tests.support.fakes import MemoryJournal


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_while_a_share_hangs_it_is_asked_nothing_more_and_others_are(let_go: threading.Event) -> None:
    calls, asked, over = Calls(0.05), list[str](), threading.Event()

    def hang(beat: Any) -> None:
        let_go.wait(15)
        over.set()

    with pytest.raises(TimeoutError, match="hangs"):
        await calls.run("//vbr01/flr", hang)
    with pytest.raises(TimeoutError, match="hangs"):
        await calls.run("//vbr01/flr", lambda beat: asked.append("the dead one"))
    await calls.run("//vbr02/flr", lambda beat: asked.append("another"))
    assert asked == ["another"]
    let_go.set()
    over.wait(15)
    while "the one that is back" not in asked:
        try:
            await calls.run("//vbr01/flr", lambda beat: asked.append("the one that is back"))
        except TimeoutError:
            continue  # its thread is about to end


async def test_while_the_journal_hangs_every_later_call_is_told_so_at_once(
    let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger: Any = MemoryJournal()
    session: Any = None
    journal = Books(ledger, session, "https://em", str, lambda: datetime.now(UTC))
    monkeypatch.setattr(books, "ANSWER_WITHIN", 0.05)
    with pytest.raises(JournalSilent):
        await journal.ask(let_go.wait, 15)
    monkeypatch.setattr(books, "ANSWER_WITHIN", 600.0)  # longer than this test may take
    with pytest.raises(JournalSilent):
        await journal.ask(ledger.runs)
