"""Until when a worker of a fleet may write, by its own clock."""

import os
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.engine.tenure import Fenced, Tenure
from orchestrator.files import LocalTarget
from orchestrator.files.readers import LocalReader
from tests.support.disk import entry_of, put, source_of, tree

LEASE = 10.0
PIECE = 1 << 20


class Clock:
    """A clock that goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_piece_is_written_after_a_wait_that_outlasted_the_tenure(tmp_path: Path) -> None:
    clock, root, pieces = Clock(), tmp_path / "restore", []
    root.mkdir()
    large = put(tmp_path / "share" / "large", b"x" * (3 * PIECE))

    class Counted(LocalReader):
        def read(self, buffer: bytearray) -> memoryview:
            pieces.append(clock.now)
            return super().read(buffer)

    def opened(path: SourcePath, _: Entry) -> Counted:
        return Counted(os.open(f"{path.root}/{path.relative}", os.O_RDONLY))

    def wait_for_bandwidth(_: int) -> None:
        clock.now += LEASE  # the process was frozen meanwhile

    fenced = Fenced(LocalTarget([str(root)], opening=opened), Tenure(LEASE, clock))
    with pytest.raises(MemberDead):
        fenced.place(source_of(large), entry_of(large), TargetPath(str(root), "large"), False, wait_for_bandwidth)
    assert len(pieces) == 1
    assert tree(root) == {}
