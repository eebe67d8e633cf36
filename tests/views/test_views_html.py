"""The page for people."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from orchestrator.core.errors import ExitCode
from orchestrator.views import report_html
from orchestrator.views.units import verdict
from tests.views.samples import clean_report, sample_report


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_asks_nothing_of_the_outside_and_runs_no_script() -> None:
    page = _Page(report_html(sample_report()))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    values = [value or "" for _, attributes in page.tags for value in attributes.values()]
    assert not [value for value in values if re.search(r"https?:|//|javascript:", value)]
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_a_hostile_name_is_text_and_nothing_else() -> None:
    page = report_html(sample_report())
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not set(page) & set("\x1b\u202e\x9b")
    page.encode("utf-8")


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_headline_says_in_words_how_it_ended(code: ExitCode) -> None:
    page = _Page(report_html(replace(sample_report(), exit_code=code)))
    assert verdict(code).replace("`", "") in page.text


@pytest.mark.parametrize(
    ("code", "tone"), [(0, "good"), (3, "fair"), (6, "fair"), (4, "bad"), (7, "bad"), (99, "bad"), (None, "open")]
)
def test_the_colour_of_the_headline_follows_the_exit_code(code: int | None, tone: str) -> None:
    assert f'class="verdict {tone}"' in report_html(replace(clean_report(), exit_code=code))


def test_every_machine_reason_and_left_mount_is_on_the_page() -> None:
    text = _Page(report_html(sample_report())).text
    for expected in (
        "18,211",
        "45.0 GiB",
        "web01",
        "7 problems: the file is held by another program",
        "Get-VBRRestoreSession",
        "/state/runs/4711/manifest.b3",
        "2026-11-20 22:24:05 UTC",
        "Mounts opened 2, deleted 1, left 1",
    ):
        assert expected in text


def test_a_clean_run_says_that_nothing_is_held_and_shows_no_problems() -> None:
    text = _Page(report_html(clean_report())).text
    assert "Enterprise Manager holds nothing of this run any more" in text
    assert "What was not restored" not in text


def test_a_running_or_empty_run_has_a_page_too() -> None:
    report = replace(clean_report(), ended=None, exit_code=None, groups=(), files={}, state="running")
    text = _Page(report_html(report)).text
    assert "The run has not ended." in text
    assert "No restore point was planned." in text
    assert "holds nothing" not in text


def test_more_problems_than_the_page_shows_are_counted() -> None:
    report = sample_report()
    many = tuple(replace(report.problems[0], guest_path=f"C:\\f{number}") for number in range(60))
    text = _Page(report_html(replace(report, problems=many, problems_by_reason={"locked": 1234}))).text
    assert "1,234 problems" in text
    assert "and 1,184 more" in text
