"""What the documents say, as values: tables, command lines, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer
from pydantic import BaseModel

from orchestrator.cli.commands import cli

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
QUOTING = [
    ROOT / "README.md",
    REFERENCE,
    ROOT / "docs" / "runbook.md",
    ROOT / "docs" / "card.md",
    ROOT / "docs" / "fleet.md",
    ROOT / "docs" / "deploy" / "README.md",
    *sorted((ROOT / "jobs/examples").glob("*.toml")),
]
COMMANDS = {name: one.loaded() for name, one in vars(typer.main.get_command(cli))["commands"].items()}


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next one of the same or a higher level."""
    text = page.read_text("utf-8")
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{page.name} has no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", _without_code(rest), re.MULTILINE)
    return rest[: end.start()] if end else rest


def _without_code(text: str) -> str:
    """`text` with the content of code blocks blanked, every place the same."""
    return re.sub(r"^```.*?^```", lambda block: re.sub(r"[^\n]", " ", block[0]), text, flags=re.MULTILINE | re.DOTALL)


def table(text: str) -> list[tuple[str, ...]]:
    """The cells of every table row in `text`, without header rows."""
    lines = text.splitlines()
    rows = [line for line, below in zip(lines, [*lines[1:], ""], strict=True) if not below.startswith("|---")]
    return [
        tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|")))
        for row in rows
        if row.startswith("|") and not row.startswith("|---")
    ]


def codes(cell: str) -> list[str]:
    """What stands in backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def global_options() -> set[str]:
    """The options that stand before the command."""
    return {name for one in typer.main.get_command(cli).params for name in one.opts} | {"--help", "-h"}


def options_of(command: str) -> set[str]:
    """The options of one command, or of all commands of a group."""
    group = vars(COMMANDS[command]).get("commands", {"": COMMANDS[command]})
    named = [one for command in group.values() for one in command.params]
    return {name for one in named if one.param_type_name == "option" for name in one.opts} | {"--help", "-h"}


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words after `orchestrator` of every command line that a page quotes in code."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    typed = [block for kind, block in blocks if kind != "text"]
    lines = [line.strip().removeprefix("$ ") for block in typed for line in block.splitlines()]
    quoted = [*lines, *re.findall(r"`([^`\n]+)`", _without_code(text))]
    for line in quoted:
        if line.startswith("orchestrator "):
            yield shlex.split(re.split(r" [>|] ", line)[0])[1:]


def keys_of(model: type[BaseModel]) -> set[str]:
    """The keys of one model, as they stand in TOML."""
    return {field.alias or name for name, field in model.model_fields.items()}


def links_of(page: Path) -> list[str]:
    """The relative links of a page."""
    found = re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text("utf-8")))
    return [link for link in found if not link.startswith(("http://", "https://"))]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
