"""Whether a folder takes names that differ only in letter case for one; and what such a trial may leave behind."""

import os
import re
import threading
from contextlib import suppress

from orchestrator.files.system import WINDOWS

PARTIAL_SUFFIX = ".orchestrator-partial"


def folds_case(folder: str) -> bool:
    """Whether two spellings of one name are one file in `folder`; tried out, because no system call tells."""
    _forget_probes(folder)
    probe = os.path.join(folder, f".case-{os.getpid()}-{threading.get_ident()}{PARTIAL_SUFFIX}")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            return os.path.lexists(os.path.join(folder, os.path.basename(probe).upper()))
        finally:
            os.unlink(probe)
    except OSError:
        return False


def _forget_probes(folder: str) -> None:
    """Remove what processes that were killed while they tried `folder`, or the one above it, have left there. When they
    did so the folder itself may not have been there yet."""
    for place in (folder, os.path.dirname(folder)):
        with suppress(OSError):
            for entry in os.scandir(place):
                found = re.fullmatch(rf"\.case-(\d+)-\d+{re.escape(PARTIAL_SUFFIX)}", entry.name)
                if found and not _is_alive(int(found[1])):
                    os.unlink(entry.path)


def _is_alive(process: int) -> bool:
    if WINDOWS:
        return True  # there, signal 0 would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
