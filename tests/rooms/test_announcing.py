"""A command that breaks off tells of every job that it leaves, before its services are closed."""

from datetime import UTC, datetime

import pytest

from orchestrator.announcing import Docket, announce_unopened, announced
from orchestrator.core.announce import Announcer, Kind
from orchestrator.core.errors import EmUnreachable, ExitCode, OrchestratorError, StateUnusable, StoppedEarly
from orchestrator.core.events import Event, JobEnded, JobNotStarted, RunEnded, RunStarted
from orchestrator.core.ledger import Totals

AT = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
FULL = StateUnusable(folder="state", cause="the disk is full")


async def broken(docket: Docket, error: Exception, *events: Event) -> list[Event]:
    """What is told when a command breaks off after these events."""
    told: list[Event] = []

    async def command() -> None:
        async with announced([], told.append, lambda: AT, docket):
            for event in events:
                docket.add(event)
            raise error

    with pytest.raises(type(error)):
        await command()
    return told


def begun(job: str) -> RunStarted:
    return RunStarted(AT, f"{job}-1", job, 1)


def ended(job: str) -> RunEnded:
    return RunEnded(AT, f"{job}-1", 0, Totals(), 1, 1, 0)


async def test_every_job_of_a_command_that_never_began_is_told() -> None:
    error = EmUnreachable(url="https://em", cause="refused")
    told = await broken(Docket(["a", "b"]), error)
    assert told == [JobNotStarted(AT, "", job, ExitCode.EM, str(error)) for job in ("a", "b")]


async def test_the_run_that_was_going_on_is_told_with_its_cause_and_the_jobs_after_it_as_not_started() -> None:
    first, second = await broken(Docket(["a", "b", "c"]), FULL, begun("a"), ended("a"), begun("b"))
    assert first == JobEnded(AT, "", "b", "b-1", ExitCode.STATE, "", str(FULL))
    assert second == JobNotStarted(AT, "", "c", ExitCode.STATE, str(FULL))


async def test_what_is_told_of_a_broken_run_is_worth_an_announcement() -> None:
    announcer = Announcer()
    announcer.add(begun("a"))
    (told,) = await broken(Docket(["a"]), FULL, begun("a"))
    one = announcer.add(told)
    assert one is not None
    assert (one.kind, one.job, one.message) == (Kind.FAILED, "a", str(FULL))


async def test_of_a_group_of_errors_the_most_telling_one_is_told() -> None:
    told: list[Event] = []
    with pytest.raises(StateUnusable):
        async with announced([], told.append, lambda: AT, Docket(["a"])):
            raise ExceptionGroup("several", [FULL])
    assert told == [JobNotStarted(AT, "", "a", ExitCode.STATE, str(FULL))]


async def test_a_mistake_of_ours_is_told_without_what_it_says() -> None:
    (told,) = await broken(Docket(["a"]), KeyError("s3cr3t"), begun("a"))
    assert isinstance(told, JobEnded)
    assert told.exit_code == ExitCode.BUG
    assert "KeyError" in told.line
    assert "s3cr3t" not in told.line


async def test_who_stops_a_command_before_it_has_begun_is_not_woken() -> None:
    assert await broken(Docket(["a"]), StoppedEarly()) == []


async def test_a_command_that_ends_well_tells_nothing_of_its_own() -> None:
    told: list[Event] = []
    docket = Docket(["a"])
    async with announced([], told.append, lambda: AT, docket):
        docket.add(begun("a"))
        docket.add(ended("a"))
    assert told == []


async def test_a_watcher_that_breaks_off_tells_of_all_its_runs() -> None:
    told = await broken(Docket(), FULL, begun("a"), begun("b"), ended("a"), begun("c"))
    assert [(one.job, one.run) for one in told if isinstance(one, JobEnded)] == [("b", "b-1"), ("c", "c-1")]
    assert len(told) == 2


async def test_a_run_that_goes_on_is_known_by_its_job_once_the_journal_has_been_asked() -> None:
    docket = Docket([""])
    docket.expect(["nightly"])
    (told,) = await broken(docket, FULL)
    assert isinstance(told, JobNotStarted)
    assert told.job == "nightly"


async def test_a_command_whose_rooms_cannot_be_opened_is_told() -> None:
    told: list[Event] = []
    error: OrchestratorError = FULL
    await announce_unopened([], told.append, lambda: AT, Docket(["a"]), error)
    assert told == [JobNotStarted(AT, "", "a", ExitCode.STATE, str(FULL))]
