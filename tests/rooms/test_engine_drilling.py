"""The end of a drill over real files: what differs is kept, and nothing else."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import DrillLeft, DrillStopped
from orchestrator.core.events import Event
from orchestrator.engine.drilling import Drilled, prove_and_remove
from orchestrator.engine.ports import Beat
from orchestrator.engine.stopping import Stop
from orchestrator.files import remove_scratch, verify_file
from tests.support.felt_time import LONG, FeltTime
from tests.support.ledger_rows import make_outcome


def restored(folder: Path, count: int = 3) -> list[Outcome]:
    """Files of a drill, as the journal knows them."""
    found = []
    for number in range(count):
        path = folder / "fs01" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
        size, checksum = verify_file(str(path), "blake3", lambda _: None)
        found.append(make_outcome(str(number), target_path=str(path), size=size, checksum=checksum))
    return found


def a_stop() -> Stop:
    told: list[Event] = []
    return Stop(told.append, lambda: datetime.now(UTC))


async def end_of(
    folder: Path,
    rows: list[Outcome],
    stop: Stop | None = None,
    remove: Callable[[Beat], int] | None = None,
    stall: float = LONG,
) -> Drilled:
    return await prove_and_remove(
        iter(rows),
        lambda path, check: verify_file(path, "blake3", check),
        remove or partial(remove_scratch, folder),
        2,
        stop or a_stop(),
        str(folder),
        stall,
    )


async def test_copies_that_are_as_they_were_read_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    drilled = await end_of(folder, restored(folder))
    assert (drilled.verified.files, drilled.verified.differences, drilled.removed) == (3, [], 3)
    assert not folder.exists()


async def test_one_copy_that_differs_keeps_all_of_them_as_evidence(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    rows = restored(folder)
    (folder / "fs01" / "1.txt").write_bytes(b"CONTENT")
    drilled = await end_of(folder, rows)
    assert [one.target_path for one in drilled.verified.differences] == [rows[1].target_path]
    assert drilled.removed == 0
    assert len(list((folder / "fs01").iterdir())) == 3


async def test_a_stop_while_verifying_removes_nothing(tmp_path: Path) -> None:
    folder, stop = tmp_path / "run-1", a_stop()
    rows = restored(folder)
    stop.drain()
    with pytest.raises(DrillStopped, match="run-1"):
        await end_of(folder, rows, stop)
    assert len(list((folder / "fs01").iterdir())) == 3


async def test_a_disk_that_hangs_while_the_copies_are_removed_is_left_behind(tmp_path: Path) -> None:
    folder, answers = tmp_path / "run-1", threading.Event()
    try:
        with pytest.raises(DrillLeft, match=r"from \S+run-1: nothing moved for 0.05 s .* some may be gone already"):
            await end_of(folder, restored(folder), remove=lambda beat: int(answers.wait()), stall=0.05)
    finally:
        answers.set()


async def test_removing_many_copies_may_take_longer_than_a_stall(tmp_path: Path) -> None:
    folder, clock = tmp_path / "run-1", FeltTime()

    def remove(beat: Beat) -> int:
        for _ in range(10):
            clock.passes(LONG / 2)
            beat()
        return remove_scratch(folder, beat)

    with clock.governs():
        assert (await end_of(folder, restored(folder), remove=remove)).removed == 3


def test_every_entry_that_is_removed_is_a_beat(tmp_path: Path) -> None:
    restored(tmp_path / "run-1", 5)
    beats: list[None] = []
    assert remove_scratch(tmp_path / "run-1", lambda: beats.append(None)) == 5
    assert len(beats) == 6


def test_a_scratch_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    (tmp_path / "run-1").symlink_to(tmp_path / "precious")
    with pytest.raises(DrillLeft, match="it is a link"):
        remove_scratch(tmp_path / "run-1")
    assert (tmp_path / "precious" / "file").exists()


def test_a_link_inside_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    (tmp_path / "run-1").mkdir()
    (tmp_path / "run-1" / "link").symlink_to(tmp_path / "precious")
    remove_scratch(tmp_path / "run-1")
    assert (tmp_path / "precious" / "file").exists()
    assert not (tmp_path / "run-1").exists()


def test_a_scratch_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    assert remove_scratch(tmp_path / "none") == 0
