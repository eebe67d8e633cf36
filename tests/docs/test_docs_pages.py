"""The pages hold together: links lead somewhere, quoted command lines parse, records are numbered."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.commands import cli
from tests.docs.reading import (
    COMMANDS,
    PAGES,
    QUOTING,
    ROOT,
    anchors_of,
    command_lines,
    global_options,
    links_of,
    options_of,
)

TAKES_VALUE = {"--config", "--log-format", "--log-file", "--log-level"}
MACHINE_PATH = re.compile(r"/(?:work|root|home|Users)/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_relative_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_is_plain_and_names_no_path_of_the_machine_it_was_written_on(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "\u2014" not in text
    assert "\u2013" not in text
    assert not MACHINE_PATH.search(text.replace("C:/Users/", ""))


@pytest.mark.parametrize("page", QUOTING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_line_that_a_page_quotes_is_one_that_exists(page: Path) -> None:
    for words in command_lines(page):
        before, command, after = _split(words)
        assert before <= global_options(), words
        if command:
            assert command in COMMANDS, words
            assert {word for word in after if word.startswith("--")} <= options_of(command), words


def _split(words: list[str]) -> tuple[set[str], str, list[str]]:
    """(global options, command, words after it)."""
    before = set()
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return before, word, list(rest)
        before.add(word)
        if word in TAKES_VALUE:
            next(rest, None)
    return before, "", []


def test_the_pages_quote_every_command() -> None:
    quoted = {_split(words)[1] for page in QUOTING for words in command_lines(page)}
    assert set(COMMANDS) <= quoted


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_shows_its_help(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert "orchestrator" in result.output


def test_the_commands_that_the_readme_begins_with_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text("utf-8")))
    assert {"demo", "test"} <= told <= targets


def test_the_decisions_are_numbered_without_a_gap_and_tell_context_decision_and_consequences() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert numbers == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text("utf-8")
        assert text.startswith(f"# {record.name[:4]}: ")
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, record.name


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
