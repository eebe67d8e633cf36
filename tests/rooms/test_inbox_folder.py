"""The drop folder on a real disk: claimed once, answered whole, nothing lost."""

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.drops import DONE, FAILED, DropRow
from orchestrator.core.errors import DropFolderUnusable
from orchestrator.core.settling import DropFile
from orchestrator.inbox import DropFolder

TAKEN = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


def row(file: str = "night.toml", id: str = "abc123-00000001", digest: str = "d1") -> DropRow:
    return DropRow(id, file, TAKEN, digest=digest)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def folder(root: Path) -> DropFolder:
    opened = DropFolder(root)
    opened.prepare()
    return opened


def drop(root: Path, name: str = "night.toml", content: bytes = b'name = "x"') -> None:
    (root / "incoming" / name).write_bytes(content)


def only(folder: DropFolder, name: str = "night.toml") -> DropFile:
    return next(one for one in folder.look() if one.name == name)


def names(place: Path) -> set[str]:
    return {one.name for one in place.iterdir()}


def test_a_file_is_seen_read_claimed_and_answered_beside_its_files(
    root: Path, folder: DropFolder, tmp_path: Path
) -> None:
    drop(root)
    file = only(folder)
    assert folder.read(file) == (b'name = "x"', (root / "incoming" / "night.toml").owner())
    assert folder.claim(row(), file)
    assert names(root / "incoming") == set()
    assert folder.content(row()) == b'name = "x"'
    report = tmp_path / "report.json"
    report.write_text("{}")
    folder.end(row(), DONE, "exit 0", {".report.json": report, ".residual.toml": tmp_path / "none"})
    stem = "night.20261125T030000Z.abc123-00000001"
    assert names(root / "active") == set()
    assert {name: (root / "done" / name).read_text() for name in names(root / "done")} == {
        f"{stem}.toml": 'name = "x"',
        f"{stem}.report.json": "{}",
        f"{stem}.reason.txt": "exit 0\n",
    }
    folder.end(row(), DONE, "exit 0", {})  # a process that died before it could write that down does it again
    assert (root / "done" / f"{stem}.toml").exists()


def test_a_plan_keeps_its_ending_from_claim_to_answer_and_is_known_again(root: Path, folder: DropFolder) -> None:
    drop(root, "Plan.JSON", b"{}")
    plan = row("Plan.JSON")
    assert folder.claim(plan, only(folder, "Plan.JSON"))
    assert names(root / "active") == {"Plan.abc123-00000001.json"}
    assert folder.claimed("abc123") == [("abc123-00000001", "Plan.json")]
    folder.end(plan, DONE, "exit 0", {})
    assert names(root / "done") == {f"Plan.20261125T030000Z.abc123-00000001.{end}" for end in ("json", "reason.txt")}


def test_of_many_watchers_that_claim_one_file_exactly_one_has_it(root: Path, folder: DropFolder) -> None:
    for number in range(50):
        drop(root)
        file, start, won = only(folder), threading.Barrier(8), []

        def race(me: int, number: int = number, file: DropFile = file, start: threading.Barrier = start) -> None:
            mine = row(id=f"aaaaa{me}-{number:08x}")
            start.wait()
            if DropFolder(root).claim(mine, file):
                won.append(mine.id)  # noqa: B023 - the threads end within the turn

        threads = [threading.Thread(target=race, args=(me,)) for me in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert [id for id, _ in folder.claimed(won[0][:6]) if id == won[0]] == won


def test_a_file_that_was_written_to_after_it_was_seen_is_neither_read_nor_taken(root: Path, folder: DropFolder) -> None:
    drop(root)
    file = only(folder)
    drop(root, content=b'name = "y"\n# and more')
    assert folder.read(file) is None
    assert not folder.claim(row(), file)
    assert (root / "incoming" / "night.toml").read_bytes() == b'name = "y"\n# and more'
    assert names(root / "active") == set()


def test_a_file_that_is_gone_is_neither_read_nor_taken(root: Path, folder: DropFolder) -> None:
    drop(root)
    file = only(folder)
    (root / "incoming" / "night.toml").unlink()
    assert folder.read(file) is None
    assert not folder.claim(row(), file)
    assert folder.content(row()) is None


ODD = ("a b", "Büro & Co", "new\nline", "-rf", "$(rm)", "x" * 250, ".", "\udcff\udcfe")


@pytest.mark.parametrize("name", [f"{stem}.toml" for stem in ODD])
def test_a_name_with_odd_characters_is_taken_and_answered_under_one_that_every_system_holds(
    root: Path, folder: DropFolder, name: str
) -> None:
    drop(root, name)
    file, mine = only(folder, name), row(name)
    assert folder.claim(mine, file)
    assert [id for id, _ in folder.claimed("abc123")] == ["abc123-00000001"]
    folder.end(mine, FAILED, "why", {})
    for made in names(root / "failed"):
        assert len(made.encode()) < 200
        assert made.isprintable()
        assert not set(made) & set('/\\:*?"<>|$&\n')


def test_the_marker_and_an_old_answer_go_with_the_claim(root: Path, folder: DropFolder) -> None:
    drop(root)
    for beside in ("night.toml.ready", "night.toml.rejected.txt"):
        drop(root, beside, b"")
    assert folder.claim(row(), only(folder))
    assert names(root / "incoming") == set()


def test_a_rejected_file_is_kept_and_answered_where_it_was_dropped_and_where_it_lies(
    root: Path, folder: DropFolder
) -> None:
    drop(root)
    folder.claim(row(), only(folder))
    folder.reject(row(), "night.toml: restore: missing")
    assert (root / "incoming" / "night.toml.rejected.txt").read_text() == "night.toml: restore: missing\n"
    stem = "night.20261125T030000Z.abc123-00000001"
    assert names(root / "failed") == {f"{stem}.toml", f"{stem}.rejected.txt"}
    assert (root / "failed" / f"{stem}.toml").read_bytes() == b'name = "x"'


def test_a_folder_in_the_drop_folder_is_answered_once_and_left_alone(root: Path, folder: DropFolder) -> None:
    (root / "incoming" / "night.toml").mkdir()
    file = only(folder)
    assert not file.regular
    folder.refuse(file, "no file")
    answer = root / "incoming" / "night.toml.rejected.txt"
    before = answer.stat().st_mtime_ns
    folder.refuse(file, "no file")
    assert answer.stat().st_mtime_ns == before
    assert (root / "incoming" / "night.toml").is_dir()


def test_a_link_is_no_job_and_is_not_followed(root: Path, folder: DropFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password")
    (root / "incoming" / "night.toml").symlink_to(tmp_path / "secret")
    file = only(folder)
    assert not file.regular
    with pytest.raises(DropFolderUnusable):
        folder.read(file)


def test_one_content_is_taken_once_by_all_watchers_of_a_folder(root: Path, folder: DropFolder) -> None:
    mine, other = row(), row("other.toml", "def456-00000002")
    assert folder.first(mine) == ""
    assert folder.first(mine) == "", "a process that died in between asks again"
    assert folder.first(other) == "night.toml, dropped at 2026-11-25 03:00:00 UTC"
    assert folder.first(replace(other, digest="d2")) == ""
    folder.forget(mine)
    assert folder.first(other) == ""


def test_only_the_claims_of_this_watcher_are_its_own(root: Path, folder: DropFolder) -> None:
    for mine in (row(), row("a.b.toml", "abc123-0000000f"), row(id="def456-00000001")):
        folder.put(mine, b"x")
    assert folder.claimed("abc123") == [("abc123-0000000f", "a.b.toml"), ("abc123-00000001", "night.toml")]


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DropFolderUnusable, match="a file stands where the folder belongs"):
        DropFolder(tmp_path / "file" / "jobs").prepare()


def test_a_folder_that_has_gone_is_told(root: Path, folder: DropFolder) -> None:
    os.rename(root, root.with_name("elsewhere"))
    with pytest.raises(DropFolderUnusable, match="check that the share is mounted"):
        folder.look()
    with pytest.raises(DropFolderUnusable):
        folder.end(row(), DONE, "why", {})


def test_a_wait_ends_when_a_file_is_dropped(root: Path, folder: DropFolder) -> None:
    folder.wait(0.01)  # the first wait begins to watch
    dropper = threading.Timer(0.1, drop, (root,))
    dropper.start()
    waiting = threading.Thread(target=folder.wait, args=(15.0,))
    waiting.start()
    waiting.join(10.0)
    assert not waiting.is_alive()


def test_a_wait_on_a_folder_that_is_not_there_ends_by_the_clock(tmp_path: Path) -> None:
    DropFolder(tmp_path / "none").wait(0.01)
