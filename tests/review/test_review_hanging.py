"""A share that answers nothing any more, as a dead mount host under a hard mount, holds nobody beyond two signals."""

import signal
import textwrap
from pathlib import Path

import pytest

from tests.support.flow import clean_environment, flow, small

pytestmark = [pytest.mark.flow, pytest.mark.timeout(60)]

# Read by the interpreter before anything else: the room of the files hangs where HANG says.
HANGING = """
    import os, time
    from orchestrator.files import LocalSource, LocalTarget

    def hang(*_):
        open(os.environ["HUNG"], "w").close()
        time.sleep(3600)

    where, real, calls = os.environ["HANG"], LocalSource.folders, []

    def folders(self, share, *_):
        calls.append(share)
        return real(self, share) if len(calls) < 3 else hang()

    def scan(self, *_):
        hang()
        yield []

    if where == "folders":
        LocalSource.folders = folders
    elif where == "scan":
        LocalSource.scan = scan
    else:
        LocalTarget.place = hang
"""


@pytest.mark.parametrize("where", ["folders", "scan", "place"])
async def test_two_signals_end_a_run_whose_share_hangs(tmp_path: Path, where: str) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "patch").mkdir()
        (tmp_path / "patch/sitecustomize.py").write_text(textwrap.dedent(HANGING))
        path = f"{tmp_path / 'patch'}:{clean_environment(tmp_path)['PYTHONPATH']}"
        env = {"PYTHONPATH": path, "HANG": where, "HUNG": str(tmp_path / "hung")}
        running = await em.start("run", em.job(), env=env)
        await running.until((tmp_path / "hung").exists)
        running.signal(signal.SIGINT)
        await running.event("stopping", how="drain")
        running.signal(signal.SIGINT)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        em.assert_nothing_left()
        assert (await em.run("resume")).code == 0
        assert em.restored() == em.expected()
