"""When a dropped file is taken: whole, and not before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.settling import SIZE_LIMIT, DropFile, NameKind, Settled, Settling, kind_of


def file(name: str = "night.toml", size: int = 10, mtime: int = 1, inode: int = 7, regular: bool = True) -> DropFile:
    return DropFile(name, size, mtime, (1, inode), regular)


def names(found: list[Settled]) -> list[str]:
    return [one.file.name for one in found]


def test_a_file_is_taken_when_two_looks_show_the_same_and_it_has_been_quiet() -> None:
    settling = Settling(2.0)
    assert settling.look([file()], 0.0) == []
    assert settling.look([file()], 1.9) == []
    assert settling.look([file()], 2.0) == [Settled(file())]


def test_one_look_is_never_enough_however_late_it_comes() -> None:
    assert Settling(0.0).look([file()], 1000.0) == []


@pytest.mark.parametrize("changed", [file(size=11), file(mtime=2), file(inode=8)])
def test_a_file_that_changes_is_waited_for_anew(changed: DropFile) -> None:
    settling = Settling(2.0)
    settling.look([file()], 0.0)
    assert settling.look([changed], 1.0) == []
    assert settling.look([changed], 2.9) == []
    assert settling.look([changed], 3.0) == [Settled(changed)]


@pytest.mark.parametrize("draft", ["night.toml.tmp", ".night.toml.x7", "night.part", "upload"])
def test_a_file_that_is_renamed_into_place_is_taken_at_once(draft: str) -> None:
    settling = Settling(2.0)
    assert settling.look([file(draft)], 0.0) == []
    assert settling.look([file()], 0.1) == [Settled(file(), patient=True)]


def test_a_draft_that_grew_while_it_was_renamed_is_waited_for() -> None:
    settling = Settling(2.0)
    settling.look([file("night.toml.tmp", size=5)], 0.0)
    assert settling.look([file(size=10)], 0.1) == []


def test_a_job_that_is_renamed_to_another_job_is_waited_for_because_somebody_may_still_write_to_it() -> None:
    settling = Settling(2.0)
    settling.look([file("other.toml")], 0.0)
    assert settling.look([file()], 0.1) == []


@pytest.mark.parametrize("marker", ["night.toml.ready", "night.ready"])
def test_a_marker_makes_a_file_whole_at_once(marker: str) -> None:
    found = Settling(2.0).look([file(), file(marker, 0, inode=9)], 0.0)
    assert found == [Settled(file(), patient=True)]


def test_an_empty_file_is_waited_for_longer_and_a_marker_declares_it_whole() -> None:
    empty = file(size=0)
    settling = Settling(2.0)
    settling.look([empty], 0.0)
    assert settling.look([empty], 29.0) == []
    assert names(settling.look([empty], 30.0)) == ["night.toml"]
    assert names(Settling(2.0).look([empty, file("night.ready", 0)], 0.0)) == ["night.toml"]


def test_broken_content_is_final_only_after_a_longer_time() -> None:
    settling = Settling(2.0)
    settling.look([file()], 0.0)
    assert [settling.look([file()], at)[0].patient for at in (2.0, 9.9, 10.0)] == [False, False, True]


def test_what_is_no_regular_file_or_far_too_large_is_answered() -> None:
    settling = Settling(2.0)
    folder, huge = file(regular=False), file("huge.toml", SIZE_LIMIT + 1, inode=8)
    assert [one.fault for one in settling.look([folder, huge], 0.0)] == ["is no regular file; drop the job file itself"]
    assert "larger than 64 MiB" in settling.look([folder, huge], 2.0)[0].fault


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.toml", NameKind.JOB),
        ("Ä b.TOML", NameKind.JOB),
        ("a\nb.toml", NameKind.JOB),
        ("a.toml~", NameKind.TEMPORARY),
        (".a.toml.swp", NameKind.TEMPORARY),
        ("~$a.toml", NameKind.TEMPORARY),
        ("#a.toml#", NameKind.TEMPORARY),
        (".a.toml", NameKind.TEMPORARY),
        ("4913", NameKind.TEMPORARY),
        ("a.toml.filepart", NameKind.TEMPORARY),
        ("a.toml.ready", NameKind.MARKER),
        ("a.toml.rejected.txt", NameKind.ANSWER),
        ("a.yaml", NameKind.STRANGER),
        ("README", NameKind.STRANGER),
    ],
)
def test_a_name_says_what_a_file_is(name: str, kind: NameKind) -> None:
    assert kind_of(name) is kind


def test_the_next_look_is_when_the_first_file_may_have_settled() -> None:
    settling = Settling(2.0)
    assert settling.next_look(0.0) is None
    settling.look([file()], 0.0)
    settling.look([file(), file("b.toml", inode=8)], 1.5)
    assert settling.next_look(1.5) == 0.5
    assert settling.next_look(2.5) == 1.0
    assert settling.next_look(9.0) is None
    assert settling.pending
    settling.look([file("c.yaml"), file("folder.toml", regular=False)], 9.0)
    assert settling.next_look(9.0) is None
    assert not settling.pending


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3)), max_size=30))
def test_a_file_that_was_written_to_within_the_settling_time_is_never_taken(looks: list[tuple[int, float]]) -> None:
    settling, now, last, size = Settling(2.0), 0.0, 0.0, -1
    for grown, pause in looks:
        now += pause
        if grown or size < 0:
            last, size = now, max(size, 0) + grown
        if settling.look([file(size=size)], now):
            assert now - last >= 2.0
