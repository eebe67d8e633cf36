"""The proof of a copy that was written: it is read from the disk again, and not from memory."""

import os
from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.reasons import Reason
from orchestrator.files.checksums import Digest
from orchestrator.files.copying import own_buffer
from orchestrator.files.folder import Folder
from orchestrator.files.system import forget_cached, read_into
from orchestrator.files.translate import Side, Translating


def prove_content(
    folder: Folder, name: str, entry: Entry, digest: Digest, expected: str, check: Callable[[int], None]
) -> None:
    """Read `name` of `folder`, which has been flushed, with a new `digest`. FileError with READ_BACK_DIFFERS when its
    checksum is not `expected`. `check` is called for each piece, with 0: these are no bytes that were copied."""
    with Translating(Side.TARGET, entry.relative):
        descriptor = folder.read(name)
        try:
            forget_cached(descriptor)
            buffer = own_buffer()
            view = memoryview(buffer)
            while count := read_into(descriptor, buffer):
                digest.update(view[:count])
                check(0)
        finally:
            os.close(descriptor)
    prove_same(entry, expected, digest.hexdigest())


def prove_same(entry: Entry, expected: str, found: str) -> None:
    """FileError with READ_BACK_DIFFERS when the checksum `found` of a copy is not `expected`."""
    if found != expected:
        what = f"{Reason.READ_BACK_DIFFERS.cause}: checksum {found} instead of {expected}"
        raise FileError(reason=Reason.READ_BACK_DIFFERS, guest_path=entry.relative, what=what)
