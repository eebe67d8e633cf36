"""Operating-system errors of the drop folder in our own words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.core.errors import DropFolderUnusable

_HINTS = {
    errno.EACCES: "; give the account of the watcher the right to write there",
    errno.EPERM: "; give the account of the watcher the right to write there",
    errno.EROFS: "; mount it for writing",
    errno.ENOSPC: "; make room",
    errno.EDQUOT: "; make room",
    errno.ENOENT: "; check that the share is mounted",
    errno.ENOTDIR: "; a file stands where the folder belongs",
    errno.ESTALE: "; mount the share again",
    errno.EHOSTDOWN: "; check that the file server is up",
    errno.EXDEV: "; all four folders must be on one file system",
}


@contextmanager
def translating(folder: Path, *expected: type[OSError]) -> Iterator[None]:
    """DropFolderUnusable for every OSError but the `expected` ones."""
    try:
        yield
    except OSError as error:
        if isinstance(error, expected):
            raise
        hint = _HINTS.get(error.errno or 0, "")
        raise DropFolderUnusable(folder=folder, cause=f"{error.strerror or error}{hint}") from error
