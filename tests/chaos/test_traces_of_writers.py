"""What the traces of copying processes say of two that met at one file: each kind of meeting, and what is none."""

import json
from pathlib import Path

import pytest

from tests.support.writers import meetings

FILE = "/restore/vm001/C/plan.txt"
A, B = 11, 12

Line = tuple[int, str, int]
"""When, what, and the inode."""


def trace(folder: Path, process: int, *lines: Line, moved: int | None = None) -> None:
    told = [{"at": at, "what": what, "path": FILE, "inode": inode} for at, what, inode in lines]
    for one in told:
        if one["what"] == "named":
            one["moved"] = one["inode"] if moved is None else moved
    (folder / f"{process}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))


def whole(begun: int, inode: int) -> list[Line]:
    """A copy that nobody disturbs."""
    what = ("opened", "writes", "writes", "named", "left")
    return [(begun + step, word, inode) for step, word in enumerate(what)]


def test_one_after_the_other_is_no_meeting(tmp_path: Path) -> None:
    trace(tmp_path, A, *whole(0, 1))
    trace(tmp_path, B, *whole(10, 1))
    met = meetings(tmp_path, {})
    assert (met.at_once, met.late, met.again, met.copies) == ([], [], 1, 2)


def test_a_process_that_was_killed_holds_its_file_until_its_end_and_no_longer(tmp_path: Path) -> None:
    trace(tmp_path, A, *whole(0, 1)[:2])
    trace(tmp_path, B, *whole(10, 1))
    assert meetings(tmp_path, {A: 5}).at_once == []
    [said] = meetings(tmp_path, {A: 15}).at_once
    assert f"{A} and {B} had it open" in said


def test_a_piece_that_is_begun_after_another_has_begun_the_file_anew_is_late(tmp_path: Path) -> None:
    trace(tmp_path, A, (0, "opened", 1), (1, "writes", 1), (20, "writes", 1), (21, "left", 1))
    trace(tmp_path, B, *whole(10, 2))
    met = meetings(tmp_path, {})
    assert met.at_once == []
    assert met.late == [f"{FILE}: {A} after {B}"]


def test_a_frozen_process_that_writes_nothing_more_met_nobody(tmp_path: Path) -> None:
    trace(tmp_path, A, (0, "opened", 1), (1, "writes", 1))
    trace(tmp_path, B, *whole(10, 2))
    met = meetings(tmp_path, {A: 30})
    assert (met.at_once, met.late) == ([], [])


def test_a_name_that_is_given_to_what_another_writes_is_noticed(tmp_path: Path) -> None:
    trace(tmp_path, A, *whole(0, 1), moved=2)
    trace(tmp_path, B, (2, "opened", 2), (9, "left", 2))
    [said] = meetings(tmp_path, {}).at_once
    assert f"{A} named what it had not written" in said


def test_a_trace_that_makes_no_sense_is_an_error(tmp_path: Path) -> None:
    trace(tmp_path, A, (0, "writes", 1))
    with pytest.raises(KeyError):
        meetings(tmp_path, {})
