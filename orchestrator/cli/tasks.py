"""What commands are given to do: job files, and plans that were frozen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from orchestrator.core.dropped import is_document
from orchestrator.core.errors import JobInvalid, WordsError
from orchestrator.core.job import read_job
from orchestrator.listing import NamedJob

if TYPE_CHECKING:
    from orchestrator.freezing import FrozenPlan

Result = TypeVar("Result")

Jobs = Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files (TOML).")]

JOB_SIZE_LIMIT = 64 << 20
"""A job file larger than this is something else."""


def read_jobs(files: Sequence[Path]) -> list[NamedJob]:
    """Every job file; WordsError with the problems of all of them."""
    return _each(files, _job)


def read_tasks(files: Sequence[Path]) -> "list[NamedJob | FrozenPlan]":
    """Every job file, or plan that was frozen; WordsError with the problems of all of them."""
    return _each(files, _task)


def _job(content: bytes, file: Path) -> NamedJob:
    if is_document(content):
        raise JobInvalid(place=str(file), problems="is no job but JSON, such as a plan; only `run` takes a plan")
    return NamedJob(read_job(content, str(file)), str(file), content, file.parent)


def _task(content: bytes, file: Path) -> "NamedJob | FrozenPlan":
    if not is_document(content):
        return _job(content, file)
    from orchestrator.freezing import read_frozen  # all that looks at plans, for who has one

    return read_frozen(content, str(file))


def _each(files: Sequence[Path], read: Callable[[bytes, Path], Result]) -> list[Result]:
    jobs: list[Result] = []
    problems: list[WordsError] = []
    for file in files:
        try:
            jobs.append(read(_content(file), file))
        except WordsError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise WordsError(what="\n".join(map(str, problems)))
    return jobs


def _content(file: Path) -> bytes:
    try:
        if file.is_dir():
            raise JobInvalid(place=str(file), problems="is a folder; name a job file")
        if file.stat().st_size > JOB_SIZE_LIMIT:
            raise JobInvalid(place=str(file), problems=f"is larger than {JOB_SIZE_LIMIT >> 20} MiB; is it a job file?")
        return file.read_bytes()
    except OSError as cause:
        raise JobInvalid(place=str(file), problems=f"cannot be read: {cause.strerror}") from cause
