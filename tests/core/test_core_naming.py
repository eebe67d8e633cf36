"""The name of a copy beside an existing file."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.naming import RENAME_PATTERN, check_pattern, renamed
from orchestrator.core.paths import PathRefused, TargetPath
from orchestrator.core.reasons import Reason

CREATED = datetime(2026, 11, 20, 6, tzinfo=UTC)


def name_of(relative: str, pattern: str = RENAME_PATTERN, attempt: int = 0) -> str:
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=3)))
    return renamed(TargetPath("/restore", relative), check_pattern(pattern), "fs01", elsewhere, attempt).relative


@pytest.mark.parametrize(
    ("relative", "attempt", "name"),
    [
        ("C/a/plan.xlsx", 0, "C/a/plan (restored 20261120T060000Z).xlsx"),
        ("C/a/plan.xlsx", 1, "C/a/plan (restored 20261120T060000Z 2).xlsx"),
        ("README", 0, "README (restored 20261120T060000Z)"),
        ("a/.bashrc", 0, "a/.bashrc (restored 20261120T060000Z)"),
        ("a.tar.gz", 0, "a.tar (restored 20261120T060000Z).gz"),
    ],
)
def test_a_renamed_copy_stands_beside_the_file_with_the_points_time_in_utc(
    relative: str, attempt: int, name: str
) -> None:
    assert name_of(relative, attempt=attempt) == name


@pytest.mark.parametrize(
    ("pattern", "attempt", "name"),
    [
        ("{stem}.restored{suffix}", 0, "a/plan.restored.xlsx"),
        ("{stem}.restored{suffix}", 1, "a/plan.restored 2.xlsx"),
        ("{name}.{vm}.{date}", 0, "a/plan.xlsx.fs01.2026-11-20"),
        ("{name}.{vm}.{date}", 2, "a/plan.xlsx.fs01.2026-11-20 3"),
        ("_{count}_{name}", 0, "a/__plan.xlsx"),
        ("_{count}_{name}", 1, "a/_ 2_plan.xlsx"),
    ],
)
def test_the_pattern_of_the_job_names_the_copy(pattern: str, attempt: int, name: str) -> None:
    assert name_of("a/plan.xlsx", pattern, attempt) == name


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{stem}{suffix}", "must add something"),
        ("{name}", "must add something"),
        ("{stem}", "must add something"),
        ("{stem}{count}{suffix}", "must add something"),
        ("restored {point}", "needs {stem} or {name}"),
        ("{stem} {run}{suffix}", "'{run}' is not known"),
        ("{stem} }{suffix}", "'}' is not known"),
        ("old/{name}", "'/' cannot be part"),
        ("..\\{name}", "cannot be part"),
        ("{name}:stream", "':' cannot be part"),
        ("{name}\x07", "cannot be part"),
        ("{name} old.", "ends with a space or a dot"),
    ],
)
def test_a_pattern_that_could_not_name_every_copy_is_refused_with_what_to_do(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("{", r"\{").replace("}", r"\}")):
        check_pattern(pattern)


def test_a_name_that_becomes_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(PathRefused) as caught:
        name_of("a/" + "n" * 250 + ".txt")
    assert caught.value.reason is Reason.TOO_LONG


def test_a_machine_whose_name_holds_separators_leads_nowhere_else() -> None:
    target = TargetPath("/restore", "a/plan.xlsx")
    assert renamed(target, "{name}.{vm}", "../../etc", CREATED).relative.count("/") == 1


@given(st.lists(st.integers(0, 50), unique=True, min_size=2), st.sampled_from([RENAME_PATTERN, "{name}.old"]))
def test_no_two_attempts_give_one_name(attempts: list[int], pattern: str) -> None:
    assert len({name_of("a/b.c", pattern, attempt) for attempt in attempts}) == len(attempts)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80), st.integers(0, 5))
def test_the_copy_stays_in_the_folder_of_its_file_under_another_name(name: str, attempt: int) -> None:
    if "/" in name or "\x00" in name or name in (".", ".."):
        return
    try:
        given_name = name_of(f"a/{name}", attempt=attempt)
    except PathRefused:
        return
    assert given_name.rpartition("/")[0] == "a"
    assert given_name.rpartition("/")[2] not in ("", ".", "..", name)
