"""The runbook and its card: no command that nobody has tried, no symptom that leads nowhere."""

import re
import shlex
from pathlib import Path

import pytest

from tests.docs.reading import COMMANDS, ROOT, codes, command_lines, section, table
from tests.support.runbook import ELSEWHERE, NOT_EXECUTED, Block, Typed, blocks, chapters, first_word, shows
from tests.support.worlds import WORLDS

RUNBOOK = ROOT / "docs" / "runbook.md"
CARD = ROOT / "docs" / "card.md"
TYPED = [step for chapter in chapters(RUNBOOK) for step in chapter.steps if isinstance(step, Typed)]

Words = tuple[str, frozenset[str]]
"""A command of orchestrator with its options, without what they are given."""


def words_of(line: list[str]) -> Words:
    command = next((word for word in line if word in COMMANDS), "")
    return command, frozenset(word for word in line if word.startswith("--"))


def executed() -> set[Words]:
    """Every command line of orchestrator that a test types."""
    lines = [re.split(r" [>|] ", line)[0] for step in TYPED for line in step.commands]
    return {words_of(shlex.split(line)[1:]) for line in lines if line.startswith("orchestrator ")}


# --- what the page may say ---


def test_every_world_of_the_runbook_is_there_and_each_is_used_once() -> None:
    assert sorted(chapter.world for chapter in chapters(RUNBOOK)) == sorted(WORLDS)


@pytest.mark.parametrize("page", [RUNBOOK, CARD], ids=lambda page: page.stem)
def test_every_command_that_a_page_quotes_in_its_text_is_executed_somewhere_in_the_runbook(page: Path) -> None:
    tried = executed()
    for line in command_lines(page):
        assert words_of(line) in tried, shlex.join(line)


def test_what_is_not_executed_is_on_the_list_and_all_of_the_list_is_needed() -> None:
    left_out = {first_word(command) for step in TYPED if not step.executed for command in step.commands}
    assert left_out == set(NOT_EXECUTED)
    assert {block.kind for block in blocks(RUNBOOK.read_text("utf-8"))} >= set(ELSEWHERE)


@pytest.mark.parametrize("step", TYPED, ids=lambda step: f"line {step.line}")
def test_a_block_of_commands_hides_none_that_a_shell_would_leave_out(step: Typed) -> None:
    assert not any(word in step.text for word in ("&&", "||", ";")), "a command behind these may not be reached"
    if step.code:
        assert len(step.commands) == 1, "one that fails ends the block"
    if not step.executed:
        assert len(step.commands) == 1, "the others in its block would not be executed"
    else:
        assert not any(first_word(command) in NOT_EXECUTED for command in step.commands)


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("## A\n```sh\nls\n```\n", "no test executes"),
        ("## A\n<!-- world: quiet -->\n```sh\nls\n```\n## B\n```sh\nls\n```\n", "no test executes"),
        ("## A\n<!-- world: quiet -->\n```\nls\n```\n", "a block of the kind ''"),
        ("## A\n<!-- world: quiet -->\n```bash\nls\n```\n", "a block of the kind 'bash'"),
        ("## A\n<!-- world: quiet -->\n```text\nls\n```\n", "nothing was typed"),
        ("## A\n<!-- world: quiet -->\n```sh\nls\n```\n```text\na\n```\n```text\nb\n```\n", "stands there already"),
        ("## A\n<!-- world: quiet -->\n```toml\na = 1\n```\n", "no name to be saved under"),
        ("## A\n<!-- wrold: quiet -->\n", "wrold"),
    ],
)
def test_a_page_with_a_command_that_no_test_would_execute_is_refused(tmp_path: Path, page: str, complaint: str) -> None:
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(AssertionError, match=complaint):
        chapters(tmp_path / "page.md")


def test_a_chapter_ends_where_the_next_world_or_heading_begins(tmp_path: Path) -> None:
    text = "## A\n<!-- world: one -->\n### B\n```sh\nls\n```\n### C\n<!-- world: two -->\n```sh\ndf\n```\n"
    (tmp_path / "page.md").write_text(text)
    found = [(one.name, one.world, [step.text for step in one.steps]) for one in chapters(tmp_path / "page.md")]  # type: ignore[union-attr] # commands
    assert found == [("A", "one", ["ls"]), ("C", "two", ["df"])]


# --- how what is shown is compared ---


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("mounts cleared 1, left 0", "mounts cleared 1, left 0\n", True),
        ("mounts cleared 1, left 0", "mounts cleared 1, left 1\n", False),
        ("20:26:02Z mounted fs01 on vbr01 in 0.8 s", "03:14:15Z mounted fs01 on vbr01 in 4 min 02 s\n", True),
        ("20:26:02Z mounted fs01 on vbr01 in 0.8 s", "03:14:15Z mounted fs02 on vbr01 in 0.8 s\n", False),
        ("job-20261123T202602Z  5 files, 42.9 KiB", "job-20270101T000000Z    5 files, 1023 B\n", True),
        ("5 files, 42.9 KiB", "6 files, 42.9 KiB\n", False),
        ("...\nleft 0", "a\nb\n\nleft 0\n", True),
        ("...\nleft 0", "left 0\n", True),
        ("...\nleft 0", "a\nleft 0\nmore\n", False),
        ("error: ... mounted.", "error: it is not mounted.\n", True),
        ("", "", True),
        ("", "error: something\n", False),
        ("something", "", False),
    ],
)
def test_times_sizes_and_ids_may_differ_and_nothing_else(expected: str, actual: str, same: bool) -> None:
    assert shows(expected, actual) is same


# --- where to look ---


SYMPTOMS = table(section(RUNBOOK, "Where to look"))


def _anchors(page: Path) -> dict[str, str]:
    headings = [block.text for block in blocks(page.read_text("utf-8")) if block.kind.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"): heading for heading in headings}


@pytest.mark.parametrize("row", SYMPTOMS, ids=lambda row: row[0][:40])
def test_a_symptom_is_found_where_its_row_leads(row: tuple[str, ...]) -> None:
    headings = _anchors(RUNBOOK)
    led = [section(RUNBOOK, headings[anchor]) for anchor in re.findall(r"\(#([^)]+)\)", row[1])]
    assert led
    text = " ".join("\n".join(led).split())
    for code in codes(row[0]):
        for piece in code.split("..."):
            assert piece.strip(" ;[]") in text, code


def test_every_trouble_has_a_row_that_leads_to_it() -> None:
    parts = ("#", "##", "###")
    part, troubles = "", set()
    for block in blocks(RUNBOOK.read_text("utf-8")):
        if block.kind in parts:
            part = block.text if block.kind == "##" else part
            if block.kind == "###" and not part.startswith("The night"):
                troubles.add(block.text)
    led = {_anchors(RUNBOOK)[anchor] for row in SYMPTOMS for anchor in re.findall(r"\(#([^)]+)\)", row[1])}
    assert troubles == led


# --- the card ---


def test_the_card_has_twelve_commands_and_fits_on_one_page() -> None:
    rows = table(section(CARD, "Card"))[:12]
    commands = [codes(row[1])[0].split()[1] for row in rows]
    assert len(set(commands)) == 12
    assert set(commands) <= set(COMMANDS)
    lines = CARD.read_text("utf-8").splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 125


def test_a_heading_and_a_comment_are_blocks_too() -> None:
    assert list(blocks("## A\n<!-- exit: 4 -->\n  ```sh\n  ls\n  ```\n")) == [
        Block(1, "##", "A"),
        Block(2, "!", "<!-- exit: 4 -->"),
        Block(3, "sh", "ls"),
    ]
