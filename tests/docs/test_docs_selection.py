"""Every example of the reference that says which files land where is executed: planned, and walked on a real disk."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.job import Job
from orchestrator.listing import NamedJob, with_lists
from tests.docs.reading import REFERENCE, codes, section, table
from tests.support.guests import GuestFile, walked

NOT_RESTORED = "not restored"
EXAMPLES = re.findall(
    r"^```toml\n(.*?)^```\n\n(?:```list\n(.*?)^```\n\n)?(\| guest path .*?)\n\n",
    section(REFERENCE, "Job files"),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize(
    ("text", "paths", "shown"), EXAMPLES, ids=[f"example {number}" for number in range(len(EXAMPLES))]
)
def test_an_example_puts_each_file_where_its_table_says(tmp_path: Path, text: str, paths: str, shown: str) -> None:
    heads = [head.strip() for head in shown.splitlines()[0].strip("|").split("|")]
    rows = [dict(zip(heads, row, strict=True)) for row in table(shown)]
    (tmp_path / "found.txt").write_text(paths)
    job = with_lists(
        NamedJob(Job.model_validate({"name": "example", **tomllib.loads(text)}), "example.toml", b"", tmp_path)
    )
    files = {codes(row["guest path"])[0]: _file(row) for row in rows}
    found = walked(job, tmp_path / "share", files)
    landed = {path: [target for target in found.get(path, []) if target.startswith("/")] for path in files}
    assert landed == {codes(row["guest path"])[0]: codes(row["target"]) for row in rows}
    assert all(codes(row["target"]) or row["target"] == NOT_RESTORED for row in rows)


def test_the_examples_are_found() -> None:
    assert len(EXAMPLES) >= 6


def _file(row: dict[str, str]) -> GuestFile:
    day = row.get("changed", "2026-01-01")
    return GuestFile(int(row.get("bytes", "1")), datetime.fromisoformat(day).replace(tzinfo=UTC))
