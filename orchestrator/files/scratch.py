"""Scratch folders: what a drill has written there is removed, and nothing else."""

import os
import shutil
from pathlib import Path

from orchestrator.core.errors import DrillLeft


def remove_scratch(folder: Path) -> int:
    """Remove `folder` with all that is in it; the number of files. No link is followed. DrillLeft when something stays.
    Blocks."""
    if folder.is_symlink():
        raise DrillLeft(folder=folder, cause="it is a link")
    files = sum(len(names) for _, _, names in os.walk(folder))
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise DrillLeft(folder=folder, cause=error.strerror or error) from error
    return files
