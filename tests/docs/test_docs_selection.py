"""Every example of the reference that says which files land where is executed: planned, and walked on a real disk."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.job import Job
from orchestrator.core.paths import PathRefused, expand_destination
from orchestrator.core.which import Which
from orchestrator.core.which_files import WhichFiles
from orchestrator.listing import NamedJob, with_lists
from tests.docs.reading import REFERENCE, codes, section, table
from tests.docs.test_docs_which import SHOWN as SHOWN_OF_POINTS
from tests.support.guests import GuestFile, walked

MACHINES = ("fs01", "fs02", "web01")
"""All that EM knows in the examples."""

RUN = "incident-4711-20261123T031500Z"
SELECTORS = {*Which.model_fields, *WhichFiles.model_fields, "road", "os"}
"""The keys of an entry that say which machines, restore points and files, by which road, and where they land."""

NOT_RESTORED = "not restored"
EXAMPLES = re.findall(
    r"^```toml\n((?:(?!```).)*?)^```\n\n(?:```list\n(.*?)^```\n\n)?(\| guest path .*?)\n\n",
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
    found = walked(job, tmp_path / "share", files, MACHINES, RUN)
    landed = {path: sorted(target for target in found.get(path, []) if target.startswith("/")) for path in files}
    assert landed == {codes(row["guest path"])[0]: codes(row["target"]) for row in rows}
    assert all(codes(row["target"]) or row["target"] == NOT_RESTORED for row in rows)


def test_every_selector_of_a_job_has_an_example_that_is_executed() -> None:
    executed = set(SHOWN_OF_POINTS)
    for text, _, _ in EXAMPLES:
        job = tomllib.loads(text)
        executed |= {key for table in (job.get("defaults", {}), *job["restore"]) for key in table}
    assert SELECTORS - executed == set()


def test_every_placeholder_of_a_destination_has_an_example_that_is_executed() -> None:
    with pytest.raises(PathRefused) as caught:
        expand_destination("{x}", vm="", run="", created=datetime(2026, 1, 1, tzinfo=UTC))
    placeholders = set(re.findall(r"\{\w+\}", str(caught.value).partition("there are")[2]))
    assert len(placeholders) >= 5
    shown = "".join(text for text, _, _ in EXAMPLES)
    assert {one for one in placeholders if one not in shown} == set()


def _file(row: dict[str, str]) -> GuestFile:
    day = row.get("changed", "2026-01-01")
    return GuestFile(int(row.get("bytes", "1")), datetime.fromisoformat(day).replace(tzinfo=UTC))
