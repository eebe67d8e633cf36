"""gitignore-style patterns, relative to the requested path."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core.errors import JobInvalid
from orchestrator.core.job import read_job
from orchestrator.core.select import Bounds, Selector
from orchestrator.core.sizes import age_of, size_of


def selector(include: list[str] | None = None, exclude: list[str] | None = None, ignore_case: bool = False) -> Selector:
    return Selector(include or [], exclude or [], ignore_case=ignore_case)


@pytest.mark.parametrize(
    ("include", "exclude", "file", "wanted"),
    [
        ([], [], "a/b.txt", True),
        (["*.docx"], [], "deep/down/a.docx", True),
        (["*.docx"], [], "a.txt", False),
        (["/*.docx"], [], "deep/a.docx", False),
        (["Reports/"], [], "x/Reports/a.txt", True),
        (["a/**/z.txt"], [], "a/b/c/z.txt", True),
        ([], ["~$*"], "a/~$b.docx", False),
        (["*.docx"], ["~$*"], "~$b.docx", False),
        ([], ["*.tmp", "!keep.tmp"], "keep.tmp", True),
        ([], ["*.tmp", "!keep.tmp"], "other.tmp", False),
        ([], ["**/Temp/"], "a/Temp/b.txt", False),
        ([], ["Temp/"], "Temp", True),
        (["*.DOCX"], [], "a.docx", False),
    ],
)
def test_a_file_is_wanted_as_gitignore_would_match_it(
    include: list[str], exclude: list[str], file: str, wanted: bool
) -> None:
    assert selector(include, exclude).wants(file) is wanted


def test_letter_case_does_not_count_for_windows_guests() -> None:
    windows = selector(["*.DOCX"], ["Secret/"], ignore_case=True)
    assert windows.wants("a.docx")
    assert not windows.enters("SECRET")


def test_an_excluded_folder_is_not_entered_and_an_include_pattern_keeps_none_out() -> None:
    chosen = selector(["*.docx"], ["**/Temp/", "*.bak"])
    assert chosen.enters("a")
    assert not chosen.enters("a/Temp")
    assert not chosen.enters("old.bak")


def test_include_patterns_that_match_nothing_are_remembered_in_the_jobs_order() -> None:
    chosen = selector(["*.z", "*.a", "*.b"], ["skip.z"])
    chosen.wants("x.a")
    chosen.wants("skip.z")
    assert chosen.unmatched == ["*.z", "*.b"]


def test_only_include_patterns_choose() -> None:
    assert selector(["*.a"]).chooses
    assert not selector([], ["*.a"]).chooses
    assert selector().unmatched == []


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("bounds", "size", "mtime_ns", "held"),
    [
        (Bounds(), 0, 0, True),
        (Bounds(larger_than=10), 10, 0, False),
        (Bounds(larger_than=10), 11, 0, True),
        (Bounds(smaller_than=10), 10, 0, False),
        (Bounds(smaller_than=10), 9, 0, True),
        (Bounds(modified_after=NOON), 0, NOON_NS - 1, False),
        (Bounds(modified_after=NOON), 0, NOON_NS, True),
        (Bounds(modified_before=NOON), 0, NOON_NS - 1, True),
        (Bounds(modified_before=NOON), 0, NOON_NS, False),
        (Bounds(modified_before=NOON), 0, -(10**18), True),
    ],
)
def test_a_file_is_wanted_within_its_bounds(bounds: Bounds, size: int, mtime_ns: int, held: bool) -> None:
    assert Selector((), (), ignore_case=True, bounds=bounds).fits(size, mtime_ns) is held


def test_bounds_choose_files_so_that_no_empty_folders_are_made() -> None:
    assert Selector((), (), ignore_case=True, bounds=Bounds(larger_than=0)).chooses


def test_what_another_path_would_take_does_not_count_as_matched() -> None:
    chosen = selector(["*.a"])
    assert chosen.would_want("x.a", 1, 1)
    assert chosen.unmatched == ["*.a"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("10 MB", 10_000_000), ("1.5GiB", 1_610_612_736), ("2 kb", 2000), ("7 B", 7), ("1TiB", 1 << 40)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "ten", "10 XB", "-1", "1e3", "10 MB/s", "1,5 GB"])
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write it as 10 MB"):
        size_of(text)


@pytest.mark.parametrize(("text", "hours"), [("36h", 36), ("30d", 720), ("2 w", 336), ("90m", 1.5), ("3600s", 1)])
def test_ages_are_read_as_people_write_them(text: str, hours: float) -> None:
    assert age_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "d", "1y", "-1d", "1.5d", "1d2h"])
def test_a_text_that_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time; write it as 90m"):
        age_of(text)


HEAD = 'name = "j"\n[[restore]]\nvm = "fs01"\npaths = ["/a"]\nto = "/r"\n'


def test_an_age_counts_back_from_the_restore_point_and_an_instant_is_itself() -> None:
    text = (
        'modified_after = "2d"\nmodified_before = 2026-11-20T14:00:00+02:00\nlarger_than = "1 kB"\nsmaller_than = 5000'
    )
    entry = read_job((HEAD + text).encode(), "j").restore[0]
    assert entry.bounds(NOON) == Bounds(1000, 5000, NOON - timedelta(days=2), NOON)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('larger_than = "big"', "restore[1].larger_than: 'big' is no size; write it as 10 MB, 1.5 GiB or 4096"),
        ("larger_than = -1", "restore[1].larger_than: -1 is no size"),
        ("smaller_than = true", "restore[1].smaller_than: True is no size"),
        ("smaller_than = 1.5", "restore[1].smaller_than: 1.5 is no size"),
        ("larger_than = 10\nsmaller_than = 11", "no file has more than 10 and fewer than 11 bytes"),
        ('modified_after = "yesterday"', "restore[1].modified_after: 'yesterday' is neither an instant such as"),
        ("modified_after = 5", "restore[1].modified_after: '5' is neither an instant"),
        ("modified_before = 2026-11-20T06:00:00", "2026-11-20 06:00:00 has no time zone; add Z for UTC"),
        ("modified_before = 2026-11-20", "restore[1].modified_before: '2026-11-20' is neither an instant"),
        ('modified_after = "1d"\nmodified_before = "2d"', "no file was changed both after modified_after and before"),
        (
            "modified_after = 2026-11-20T06:00:00Z\nmodified_before = 2026-11-20T06:00:00Z",
            "no file was changed both after modified_after and before modified_before",
        ),
    ],
)
def test_bounds_that_cannot_be_meant_are_named_with_their_key(line: str, said: str) -> None:
    with pytest.raises(JobInvalid) as refused:
        read_job((HEAD + line).encode(), "j")
    assert said in str(refused.value)
