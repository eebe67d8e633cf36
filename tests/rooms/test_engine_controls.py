"""Limits that are changed while a process works: by hand, by the clock, of all, of a backup server, of one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core.errors import WordsError
from orchestrator.core.events import Event, LimitChanged, RunPaused
from orchestrator.core.limiting import Limit, LimitWish
from orchestrator.core.limits import Limits
from orchestrator.core.rates import Bandwidths, Timetable
from orchestrator.engine.allowance import Bandwidth
from orchestrator.engine.controls import Controls, RunControl
from orchestrator.engine.rooms import EngineSettings
from tests.views.samples import sample_plan

MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)
OFFICE = Timetable.of(["Mon-Fri 08:00-18:00 20 MB/s"], "UTC", 200_000_000)
PLAN = replace(sample_plan(), run="r", bandwidth=9_000_000)


class Desk:
    """Controls on a clock that is put forward by hand."""

    def __init__(self, bandwidths: Bandwidths) -> None:
        self.now = MONDAY
        self.told: list[Event] = []
        self.stirred = 0
        settings = EngineSettings(Limits(20), lambda name: None, bandwidths=bandwidths)
        self.bandwidth = Bandwidth()
        self.controls = Controls(settings, self.told.append, lambda: self.now, self._stir, self.bandwidth)

    def _stir(self) -> None:
        self.stirred += 1

    def changes(self) -> list[tuple[str, ...]]:
        """What was told since the last look: (which, before, now, why)."""
        found = [
            (f"{one.what}:{one.run or one.backup_server}", one.before, one.value, one.cause)
            for one in self.told
            if isinstance(one, LimitChanged)
        ]
        self.told.clear()
        return found

    def change(self, **wish: object) -> None:
        self.controls.change(LimitWish.model_validate(wish), "uid 7")


class Noted(Bandwidth):
    """Keeps what it was last told of each run and backup server."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[tuple[str, str], int | None] = {}

    def limit(self, rate: int | None, *, run: str = "", server: str = "") -> None:
        self.told[run, server] = rate


@contextmanager
def at_work(bandwidths: Bandwidths | None = None) -> Iterator[tuple[Desk, RunControl]]:
    desk = Desk(bandwidths or Bandwidths())
    with desk.controls.of(PLAN) as run:
        yield desk, run


async def test_what_is_in_force_at_the_beginning_is_told_and_what_is_not_limited_is_not() -> None:
    with at_work(Bandwidths(OFFICE, {"vbr01": 5_000_000})) as (desk, _):
        assert desk.changes() == [
            ("bandwidth:", "", "200 MB/s", "timetable"),
            ("bandwidth:vbr01", "", "5 MB/s", "config"),
            ("bandwidth:r", "", "9 MB/s", "job"),
        ]


async def test_the_timetable_changes_the_limit_when_its_hour_comes_unless_somebody_has_set_it() -> None:
    with at_work(Bandwidths(OFFICE)) as (desk, _):
        desk.changes()
        assert desk.controls.in_force().limits[0].until == MONDAY + timedelta(hours=1)
        desk.now += timedelta(hours=1)
        desk.controls.refresh()
        assert desk.changes() == [("bandwidth:", "200 MB/s", "20 MB/s", "timetable")]
        desk.change(bandwidth="1 MB/s")
        desk.now += timedelta(hours=12)
        desk.controls.refresh()
        assert desk.changes() == [("bandwidth:", "20 MB/s", "1 MB/s", "by hand")]
        assert desk.controls.in_force().limits[0].until is None
        desk.change(reset=True)
        assert desk.changes() == [("bandwidth:", "1 MB/s", "200 MB/s", "timetable")]


async def test_a_backup_server_is_known_however_it_is_spelt_and_one_that_is_not_there_is_refused() -> None:
    with at_work(Bandwidths(names=("vbr07",))) as (desk, _):
        desk.changes()
        desk.change(servers={"VBR01": "5 MB/s", "vbr07": "none"})
        assert desk.changes() == [("bandwidth:vbr01", "none", "5 MB/s", "by hand")]
        assert desk.bandwidth.of("r", "vbr01").ahead < desk.bandwidth.of("r", "vbr02").ahead
        with pytest.raises(WordsError, match=r"'vbr09' is no backup server .* known are vbr01, vbr02, vbr07"):
            desk.change(servers={"vbr09": "5 MB/s"})
        assert desk.changes() == []


async def test_a_limit_of_one_run_ends_with_it_and_is_reset_alone() -> None:
    with at_work() as (desk, run):
        desk.changes()
        desk.change(run="r", mounts=2, copies=3, bandwidth="none")
        assert desk.changes() == [
            ("bandwidth:r", "9 MB/s", "none", "by hand"),
            ("mounts:r", "none", "2", "by hand"),
            ("copies:r", "none", "3", "by hand"),
        ]
        assert (run.mounts, run.copies.total_tokens) == (2, 3)
        desk.change(mounts=7)
        desk.change(run="r", reset=True)
        assert (run.mounts, run.copies.available_tokens, desk.controls.mounts) == (None, float("inf"), 7)
        desk.change(run="r", copies=3)
    assert [one.limit.run for one in desk.controls.in_force().limits] == ["", "", ""]
    with pytest.raises(WordsError, match="no run r is going on; no run is going on"):
        desk.change(run="r", copies=3)


async def test_more_mounts_wake_those_that_wait_for_one() -> None:
    with at_work() as (desk, _):
        before = desk.stirred
        desk.change(mounts=30)
        assert (desk.controls.mounts, desk.stirred > before) == (30, True)


@pytest.mark.parametrize("which", [{}, {"run": "r"}], ids=["all", "run"])
async def test_fewer_copies_make_those_that_are_too_many_give_way(which: dict[str, str]) -> None:
    with at_work() as (desk, run):
        for batch in "ab":
            run.copies.acquire_on_behalf_of_nowait(batch)
            desk.controls.copying.acquire_on_behalf_of_nowait(batch)
        assert not desk.controls.gives_way(run)
        desk.change(copies=1, **which)
        assert desk.controls.gives_way(run)
        run.copies.release_on_behalf_of("a")
        desk.controls.copying.release_on_behalf_of("a")
        assert not desk.controls.gives_way(run)


async def test_a_pause_is_told_once_and_a_stop_lets_go_without_a_word() -> None:
    with at_work() as (desk, run):
        assert desk.controls.pause("r", True, "uid 7")
        assert not desk.controls.pause("r", True, "uid 8")
        assert desk.controls.gives_way(run)
        assert [(one.paused, one.who) for one in desk.told if isinstance(one, RunPaused)] == [(True, "uid 7")]
        desk.controls.let_go(run)
        assert not run.paused
        assert not desk.controls.gives_way(run)
        assert len([one for one in desk.told if isinstance(one, RunPaused)]) == 1
        with pytest.raises(WordsError, match="r is being stopped; `orchestrator resume r` goes on"):
            desk.controls.pause("r", True, "uid 7")
        assert not run.paused
    with pytest.raises(WordsError, match="no run r is going on"):
        desk.controls.pause("r", True, "uid 7")


async def test_a_worker_keeps_to_what_was_changed_where_its_runs_were_submitted_and_only_as_long() -> None:
    with at_work(Bandwidths(OFFICE, {"vbr01": 5_000_000})) as (desk, run):
        desk.changes()
        of_server, of_run = Limit("bandwidth", backup_server="vbr01"), Limit("mounts", "r")
        wanted = {Limit("bandwidth"): 1_000_000, of_server: None, of_run: 2, Limit("copies"): 3}
        desk.controls.obey(wanted | {Limit("mounts", "another"): 1})
        assert sorted(desk.changes()) == [
            ("bandwidth:", "200 MB/s", "1 MB/s", "by hand"),
            ("bandwidth:vbr01", "5 MB/s", "none", "by hand"),
            ("copies:", "16", "3", "by hand"),
            ("mounts:r", "none", "2", "by hand"),
        ]
        assert (run.mounts, desk.controls.copies, desk.controls.copying.total_tokens) == (2, 3, 3)
        desk.controls.obey(wanted)
        assert desk.changes() == []
        desk.controls.obey({})
        assert len(desk.changes()) == 4
        assert (run.mounts, desk.controls.copies) == (None, 16)


async def test_a_worker_has_its_part_of_every_bandwidth_and_another_part_when_others_come_and_go() -> None:
    with at_work(Bandwidths(OFFICE, {"vbr01": 6_000_000})) as (desk, _):
        limits = desk.controls.bandwidth = Noted()
        desk.controls.share_among(4)
        assert limits.told == {("", ""): 50_000_000, ("", "vbr01"): 1_500_000, ("r", ""): 2_250_000}
        desk.now += timedelta(hours=1)
        desk.controls.refresh()
        assert limits.told[("", "")] == 5_000_000, "the hour of the timetable has come"
        desk.controls.obey({Limit("bandwidth"): 8_000_000})
        assert limits.told[("", "")] == 2_000_000
        desk.controls.share_among(1)
        assert limits.told == {("", ""): 8_000_000, ("", "vbr01"): 6_000_000, ("r", ""): 9_000_000}


async def test_a_run_knows_what_was_changed_of_it_and_of_all_but_not_of_others() -> None:
    with at_work() as (desk, run), desk.controls.of(replace(PLAN, run="other")) as other:
        desk.change(mounts=4)
        desk.change(run="other", copies=2)
        assert run.by_hand == ((Limit("mounts"), 4),)
        assert other.by_hand == ((Limit("mounts"), 4), (Limit("copies", "other"), 2))
        desk.change(reset=True)
        assert (run.by_hand, other.by_hand) == ((), ())
