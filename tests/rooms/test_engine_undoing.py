"""Undoing and discarding over real folders: only what is the run's goes, and the report counts what went."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import CapacityLimiter

from orchestrator.core.fidelity import Kept, Property
from orchestrator.core.paths import HOLDING, TargetPath
from orchestrator.core.plan import Plan
from orchestrator.core.replaced import Stood, UndoReport
from orchestrator.engine.stopping import Stop
from orchestrator.engine.undoing import Undo
from orchestrator.files import LocalTarget
from orchestrator.files.undoing import LocalUndo
from tests.core.values import group
from tests.support.disk import entry_of, put, source_of, tree
from tests.support.fakes import MemoryJournal
from tests.support.ledger_rows import make_outcome, make_run


def now() -> datetime:
    return datetime(2026, 11, 25, tzinfo=UTC)


class Ground:
    """A destination, and the journal of the run r1 that has restored to it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.share = folder / "fs01", folder / "share"
        self.root.mkdir()
        self.target = LocalTarget([str(folder)])
        self.journal = MemoryJournal()
        self.journal.begin(make_run())
        one = group("fs01")
        (wanted,) = one.selections
        self.plan = Plan("r1", "j", (replace(one, selections=(replace(wanted, destination=str(self.root)),)),))

    def path(self, relative: str) -> TargetPath:
        return TargetPath(str(self.root), relative)

    def replaced(self, relative: str) -> None:
        """A file there made room for a restored one."""
        put(self.root / relative, b"mine", mtime_ns=5)
        new = put(self.share / "new", b"restored")
        self.target.set_aside(
            source_of(new),
            entry_of(new),
            self.path(relative),
            "r1",
            lambda _: None,
            lambda aside: self.journal.write_asides("r1", [aside]),
        )

    def restored(self, relative: str, **more: Any) -> None:
        """What the journal knows of a restored file."""
        target = f"{self.root}/{relative}"
        self.journal.record("r1", [make_outcome(f"C:\\{relative}", target_path=target, **more)])

    def undo(self) -> UndoReport:
        return anyio.run(self._undo, False)

    def discard(self) -> UndoReport:
        return anyio.run(self._undo, True)

    async def _undo(self, discard: bool) -> UndoReport:
        self.journal.note_made("r1", self.target.take_made())
        ground = LocalUndo(self.target, "blake3", dry=False)
        stop = Stop(lambda event: None, now)
        undo = Undo(self.plan, self.journal, ground, stop, now, CapacityLimiter(2), lambda files, size: None)
        return await (undo.discard() if discard else undo.run())


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_to_discard_what_was_set_aside_leaves_every_restored_folder(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engine.undoing.PAGE", 2)
    for number in range(5):
        ground.target.make_folder(ground.path(f"C/empty{number}"))
    for name in ("C/a", "C/b/c", "C/d/e"):
        ground.replaced(name)
    report = ground.discard()
    assert (report.complete, report.discarded) == (True, 3)
    assert not (ground.root / HOLDING).exists()
    empty = {f"C/empty{number}" for number in range(5)}
    assert set(tree(ground.root)) == {"C", "C/a", "C/b", "C/b/c", "C/d", "C/d/e"} | empty


def test_what_has_no_content_stays_and_is_told_as_what_it_is(ground: Ground) -> None:
    (ground.root / "link").symlink_to("anywhere")
    ground.restored("link", size=0, fidelity={Property.LINK: Kept.KEPT, Property.TIMES: Kept.KEPT})
    put(ground.root / "dressed", b"mine")
    ground.restored("dressed", size=0, fidelity={Property.MODE: Kept.KEPT, Property.OWNER: Kept.SIDECAR})
    put(ground.root / "old", b"restored")
    ground.restored("old", checksum="ab12")
    report = ground.undo()
    told = {one.target_path.rpartition("/")[2]: one.message for one in report.left}
    assert (report.left_count, set(told)) == (3, {"link", "dressed", "old"})
    assert "a symbolic link" in told["link"]
    assert "only its permissions were put on" in told["dressed"]
    assert "an older version" in told["old"]
    assert set(tree(ground.root)) == {"link", "dressed", "old"}


def test_a_file_that_is_back_does_not_leave_the_restored_one_that_found_nothing_in_its_place(ground: Ground) -> None:
    """As after a death between the two moves: the resumed run restores to a name that is nobody's."""
    ground.replaced("a")
    ground.restored("a", stood=Stood.NOTHING, checksum="ab12")
    put(ground.root / "b", b"worked on")
    ground.restored("b", stood=Stood.NOTHING, checksum="ab12")
    report = ground.undo()
    assert (report.complete, report.returned, report.gone) == (True, 1, 1)
    assert [one.target_path for one in report.left] == [f"{ground.root}/b"]
    assert (ground.root / "a").read_bytes() == b"mine"
    assert ground.undo().left_count == 1


def test_only_what_was_there_counts_as_discarded(ground: Ground) -> None:
    for name in ("C/a", "C/b"):
        ground.replaced(name)
    (ground.root / HOLDING / "r1" / "C" / "a").unlink()
    report = ground.discard()
    assert (report.discarded, report.gone, report.bytes, report.left_count) == (1, 1, len(b"mine"), 0)
    assert ground.discard().discarded == 0
