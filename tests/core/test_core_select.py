"""gitignore-style patterns, relative to the requested path."""

import pytest

from orchestrator.core.select import Selector


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
