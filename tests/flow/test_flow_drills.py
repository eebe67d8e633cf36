"""Restore drills: restored, verified, timed and removed; the trend stays."""

import json
from pathlib import Path

import anyio
import pytest

from orchestrator.core.drops import DrillRow
from orchestrator.journal import open_journal
from tests.flow.test_flow_watch import WATCH, stopped, watching
from tests.support.flow import Flow, entry_of, flow, small, toml

pytestmark = pytest.mark.flow


def drills_in(state: Path) -> list[DrillRow]:
    with open_journal(state, read_only=True) as journal:
        return journal.drills()


def drill_of(em: Flow, **more: object) -> str:
    entries = [{**entry_of(machine), "to": "/nowhere"} for machine in em.estate.machines]
    return toml({"name": "drill", "drill": True, **more, "restore": entries})


async def test_a_drill_restores_verifies_and_leaves_nothing_but_its_figures(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(drill={"folder": str(em.target / "drills")})
        (tmp_path / "drill.toml").write_text(drill_of(em))
        done = await em.run("--json", "run", "drill.toml")
        assert done.code == 0, done.everything
        assert done.json["totals"]["restored"] == len([one for one in em.expected().values() if one])
        assert list((em.target / "drills").iterdir()) == []
        em.assert_nothing_left()
        (row,) = await anyio.to_thread.run_sync(drills_in, em.state)
        assert (row.job, row.groups, row.differences, row.exit_code) == ("drill", 2, 0, 0)
        assert row.files == row.removed == done.json["totals"]["restored"]
        assert row.slowest_vm in ("fs01", "lx01")
        assert 0 < row.slowest <= row.seconds
        shown = json.loads((await em.run("--json", "drills")).out)
        assert done.json["run"] in json.dumps(shown)
        planned = await em.run("plan", "drill.toml")
        assert "/drills/drill/fs01/" in planned.out


async def test_a_dropped_drill_ends_in_done_and_its_copies_are_gone(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH, drill={"folder": str(em.target / "drills")})
        watcher = await watching(em)
        em.drop(drill_of(em, windows=["00:00-24:00"]), "drill.toml")
        ended = await watcher.event("drill_ended")
        assert ended["differences"] == 0
        done = await watcher.event("job_ended", job="drill")
        assert (done["exit_code"], done["folder"]) == (0, "done")
        await stopped(watcher)
        assert not any((em.target / "drills").iterdir())


async def test_a_drill_without_a_scratch_folder_is_refused_with_the_key_to_set(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "drill.toml").write_text(drill_of(em))
        done = await em.run("run", "drill.toml")
        assert done.code == 2
        assert "set [drill] folder" in done.err
        em.configure(drill={"folder": "/elsewhere"})
        done = await em.run("run", "drill.toml")
        assert done.code == 2
        assert "does not lie below targets.allow" in done.err
        em.assert_untouched()
