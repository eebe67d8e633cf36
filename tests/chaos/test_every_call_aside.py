"""A run that sets files aside, killed or cancelled around the calls that do it; then resumed, and then undone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core.entry import Conflict
from orchestrator.core.paths import HOLDING
from orchestrator.journal import open_journal
from orchestrator.simulator import Estate
from orchestrator.undoing import undo_run
from tests.support.chaos import Fate, House, house, live, report_of

STUBBORN: dict[str, Any] = {"session_end_unmounts": "never"}
OTHERS = b"somebody's own"
STRIKES = ("target.set_aside", "journal.write_asides", "journal.record", "journal.note_made")


def arrange(home: House) -> Mapping[Path, bytes]:
    """Other files under some of the names that are wanted, and a job that sets them aside."""
    stand = [path for path in home.wanted if path.suffix == ".txt"]
    for path in stand:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OTHERS + path.name.encode())
    defaults = home.job.defaults.model_copy(update={"on_conflict": Conflict.ASIDE})
    home.job = home.job.model_copy(update={"defaults": defaults})
    return {path: path.read_bytes() for path in stand}


def held(home: House) -> list[bytes]:
    return sorted(path.read_bytes() for path in home.target.rglob("*") if HOLDING in path.parts and path.is_file())


def demand_nobody_has_lost_anything(home: House, others: Mapping[Path, bytes]) -> None:
    """Each file of somebody's is under its name or held, and every name is that of a whole file."""
    for path, content in others.items():
        found = path.read_bytes()
        assert found in (content, home.wanted[path].read_bytes()), path
        assert found == content or content in held(home), f"{path} is lost"


async def number_of(estate: Estate, folder: Path, name: str) -> int:
    """The number of the first call of that name, in a rehearsal."""
    async with house(estate, folder, **STUBBORN) as home:
        arrange(home)
        fate = Fate()
        await live(home, fate)
        return fate.calls.index(name) + 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", STRIKES)
@pytest.mark.parametrize("how", ["kill", "cancel"])
async def test_a_run_that_sets_files_aside_loses_none_is_completed_by_resuming_and_can_be_undone(
    estate: Estate, tmp_path: Path, how: str, name: str, after: bool
) -> None:
    number = await number_of(estate, tmp_path / "rehearsal", name)
    async with house(estate, tmp_path / "played", **STUBBORN) as home:
        others = arrange(home)
        await live(home, Fate(how, call=number, after=after))
        demand_nobody_has_lost_anything(home, others)
        report = report_of(await live(home, resume=True))
        assert (report.exit_code, report.problems) == (0, ())
        assert home.missing() == []
        assert home.partial() == []
        assert [path for path, source in home.wanted.items() if path.read_bytes() != source.read_bytes()] == []
        assert held(home) == sorted(others.values())

        config = home.config()
        with await anyio.to_thread.run_sync(open_journal, config.state.folder) as journal:
            undone = await undo_run(config, journal, report.run, lambda event: None, lambda *_: None, dry=False)
        assert undone.complete
        assert undone.returned == len(others)
        left = {path for path in home.target.rglob("*") if path.is_file()}
        told = {Path(one.target_path) for one in undone.left}
        assert {path: path.read_bytes() for path in left if path in others} == others
        assert left - set(others) == told or how == "kill", "what was lost with the process is not guessed at"
        assert held(home) == []
