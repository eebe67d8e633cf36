"""What the watcher says of its jobs, one line each, for a log that somebody reads at night."""

from datetime import UTC, datetime

import pytest

from orchestrator.cli.watching import job_line
from orchestrator.core.events import JobRejected

AT = datetime(2026, 11, 23, 20, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("night.toml: the file is empty", "the file is empty"),
        (
            "night.toml: \n  restore[1].paths: missing\n  restore[1].pathz: unknown key; did you mean paths?",
            "restore[1].paths: missing; restore[1].pathz: unknown key; did you mean paths?",
        ),
        ("is larger than 64 MiB; is it a job file?", "is larger than 64 MiB; is it a job file?"),
    ],
)
def test_a_file_that_was_rejected_is_named_once_with_all_that_is_wrong_and_what_to_do(message: str, told: str) -> None:
    event = JobRejected(AT, "night.toml", "00", "ann", message)
    assert job_line(event) == f"night.toml: rejected, correct it and drop it again: {told}"
