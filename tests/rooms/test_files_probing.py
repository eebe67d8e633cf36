"""What a killed process has left of its trial of letter case is removed by the next."""

import os
from pathlib import Path

from orchestrator.files.probing import PARTIAL_SUFFIX, folds_case

DEAD = 2**22 + 1
"""No process has this number: it is above the largest that Linux gives."""


def test_a_trial_of_a_dead_process_is_removed_here_and_above_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "fs01"
    folder.mkdir()
    left = [place / f".case-{DEAD}-1{PARTIAL_SUFFIX}" for place in (tmp_path, folder)]
    kept = [folder / f".case-{os.getpid()}-1{PARTIAL_SUFFIX}", folder / f".abc{PARTIAL_SUFFIX}", folder / ".case-x"]
    for file in (*left, *kept):
        file.touch()
    assert not folds_case(str(folder))
    assert not any(file.exists() for file in left)
    assert all(file.exists() for file in kept)
