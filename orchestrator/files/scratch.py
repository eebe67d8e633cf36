"""Scratch folders: what a drill has written there is removed, and nothing else."""

import os
import shutil
from pathlib import Path

from orchestrator.core.causes import plain_cause
from orchestrator.core.errors import DrillLeft
from orchestrator.files.walk import Beat, unheard


def remove_scratch(folder: Path, beat: Beat = unheard) -> int:
    """Remove `folder` with all that is in it; the number of files. No link is followed. `beat` is called for each
    entry. DrillLeft when something stays. Blocks."""
    if folder.is_symlink():
        raise DrillLeft(folder=folder, cause="it is a link")
    try:
        return _remove(folder, beat)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise DrillLeft(folder=folder, cause=plain_cause(error)) from error


def _remove(folder: Path, beat: Beat) -> int:
    if not hasattr(os, "fwalk"):  # Windows: folders have no descriptors, and one of its trees is one beat
        files = sum(len(names) for _, _, names in os.walk(folder))
        shutil.rmtree(folder)
        return files
    files = 0
    for _, folders, names, here in os.fwalk(folder, topdown=False, onerror=_give_up):
        for name in names:
            os.unlink(name, dir_fd=here)
            files += 1
            beat()
        for name in folders:
            try:
                os.rmdir(name, dir_fd=here)
            except NotADirectoryError:  # a link to a folder
                os.unlink(name, dir_fd=here)
            beat()
    os.rmdir(folder)
    return files


def _give_up(error: OSError) -> None:
    raise error
