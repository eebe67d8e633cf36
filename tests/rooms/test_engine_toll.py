"""What a batch tells of while it waits for bandwidth."""

import anyio
import pytest

from orchestrator.engine import toll as toll_module
from orchestrator.engine.allowance import Gate
from orchestrator.engine.ports import Beat
from orchestrator.engine.pulse import Progress
from orchestrator.engine.toll import Toll


class AlwaysWaits:
    """A line that is never free at once."""

    ahead = 0.0

    def take(self, size: int, beat: Beat) -> None:
        del size
        beat()


@pytest.mark.parametrize(("tells", "told"), [(True, [1 << 20]), (False, [])], ids=["copied", "only compared"])
async def test_what_is_only_compared_is_not_told_as_copied_however_long_it_waits(
    tells: bool, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toll_module, "TELL_EVERY", 0.0)
    heard: list[int] = []
    toll = Toll(AlwaysWaits(), Gate(), Progress(), heard.append)
    await anyio.to_thread.run_sync(toll.of(2 << 20, tells=tells), 1 << 20)
    assert heard == told
