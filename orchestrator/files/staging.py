"""One file, staged: written under a partial name in its own folder, proved, given its times, renamed.

The partial name depends on the final name and its author, who is mostly a process alone; see `authors`.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.core.entries import Entry, Placed
from orchestrator.core.paths import SourcePath
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.checksums import Algorithm, Digest, new_digest
from orchestrator.files.continuing import BLOCK, FROM_SIZE, leave_behind, take_up, worth_keeping
from orchestrator.files.copying import BUFFER, copy_bytes, own_buffer
from orchestrator.files.fitting import BARE, Fitting
from orchestrator.files.folder import Folder
from orchestrator.files.proving import prove_content
from orchestrator.files.readers import Opening, Reader, open_local
from orchestrator.files.system import set_mode
from orchestrator.files.translate import Side, Translating

Settle = Callable[[str, Placed], None]
"""Gives a complete file, named by its partial name, its final one; OSError."""


@dataclass(frozen=True)
class Staging:
    """How files are staged.

    `opening` opens the files that are copied. `durable` also flushes each file and its folder to the disk. `read_back`
    reads each copy from the disk again before it gets its name. Files from `continue_from` bytes on are continued after
    an interruption, in whole blocks of `block` bytes. `author` is asked before a copy gets its name.
    """

    checksum: Algorithm = "blake3"
    durable: bool = False
    continue_from: int = FROM_SIZE
    block: int = BLOCK
    opening: Opening = open_local
    read_back: bool = False
    author: Author = ALONE

    def staged(
        self,
        source: SourcePath,
        entry: Entry,
        folder: Folder,
        name: str,
        replace: bool,
        check: Callable[[int], None],
        settle: "Settle | None" = None,
        fitting: Fitting = BARE,
    ) -> Placed:
        """Copy `entry` to the free or (`replace`) the taken name `name` of `folder`; the file is the caller's alone.
        With `settle`, that gives the complete file its name. `fitting` does what is asked besides the bytes.

        FileError, or whatever `check` raises; then nothing is left of the copy but, of a large file that was
        interrupted, its whole blocks.
        """
        partial = self.author.begun(folder, name)
        translating = Translating(Side.TARGET, entry.relative)
        reading = self.opening(source, entry)
        try:
            fitting.look(reading)
            if not replace and entry.size > BUFFER:
                with translating:
                    _refuse_taken(folder, name)
            kept = self._kept(folder, partial, entry, reading, check)
            with translating:
                writing, digest, done = kept or (_create(folder, partial, entry.mode), new_digest(self.checksum)(), 0)
            self._fill(reading, writing, folder, partial, entry, digest, check, done, fitting)
            try:
                with translating:
                    os.close(writing)
                    self.author.check()
                    if settle is None:
                        _rename(folder, partial, name, replace)
                    else:
                        settle(partial, Placed(entry.size, digest.hexdigest()))
            except BaseException as error:
                self._drop(folder, partial, entry, error)
                raise
        finally:
            reading.close()
        if self.durable:
            with translating:
                folder.sync()
        return Placed(entry.size, digest.hexdigest(), fitting.fidelity)

    def _kept(
        self, folder: Folder, partial: str, entry: Entry, reading: Reader, check: Callable[[int], None]
    ) -> tuple[int, Digest, int] | None:
        """What an interrupted copy of a large file has left to go on with."""
        if entry.size < self.continue_from:
            return None
        return take_up(folder, partial, entry, reading, new_digest(self.checksum), self.block, check)

    def _drop(self, folder: Folder, partial: str, entry: Entry, error: BaseException) -> None:
        """Remove a partial file, or keep what is proved of a large one."""
        with suppress(OSError):
            large = entry.size >= self.continue_from and worth_keeping(error)
            if not (large and leave_behind(folder, partial, entry, self.block)):
                folder.remove(partial)

    def _fill(
        self,
        reading: Reader,
        writing: int,
        folder: Folder,
        partial: str,
        entry: Entry,
        digest: Digest,
        check: Callable[[int], None],
        done: int,
        fitting: Fitting,
    ) -> None:
        """Make the partial file complete, with all but its name; after an exception it is closed and dropped."""
        try:
            copy_bytes(reading, writing, own_buffer(), entry, digest, check, done)
            with Translating(Side.TARGET, entry.relative):
                _prove(writing, entry, partial)
                folder.set_file_times(partial, writing, entry.mtime_ns)
                if self.read_back:
                    os.fsync(writing)
            if self.read_back:
                prove_content(folder, partial, entry, new_digest(self.checksum)(), digest.hexdigest(), check)
            with Translating(Side.TARGET, entry.relative):
                fitting.fit(writing)  # the last: it may take from this account the right to read the file
                if self.durable:
                    os.fsync(writing)
        except BaseException as error:
            # The error that is on its way says more than one of closing would. What another orchestrator has put
            # under the partial name meanwhile is not ours to drop.
            ours = False
            with suppress(OSError):
                ours = os.fstat(writing).st_nlink > 0
            with suppress(OSError):
                os.close(writing)
            if ours:
                self._drop(folder, partial, entry, error)
            raise


def _refuse_taken(folder: Folder, name: str) -> None:
    """Tell before a long copy what the rename would tell after it."""
    try:
        status = folder.status(name)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)


def _rename(folder: Folder, partial: str, name: str, replace: bool) -> None:
    try:
        folder.rename(partial, name, replace=replace)
    except FileExistsError:
        _refuse_taken(folder, name)
        raise


def _create(folder: Folder, partial: str, mode: int) -> int:
    mode = 0o600 | mode & 0o555
    try:
        return folder.create(partial, mode)
    except FileExistsError:
        # A leftover of a run that was killed; or a link somebody put there, which is removed and not followed.
        folder.remove(partial)
        return folder.create(partial, mode)


def _prove(writing: int, entry: Entry, partial: str) -> None:
    """One look at a partial file that is complete: it is still the one of that name (an orchestrator with another
    state folder may write to the same place, and would have removed it), the disk has all of it, and its mode is the
    wanted one whatever the umask."""
    status = os.fstat(writing)
    if not status.st_nlink:
        raise OSError(errno.EBUSY, "another program is writing the same file", partial)
    if status.st_size != entry.size:
        raise OSError(errno.EIO, f"{status.st_size} of {entry.size} bytes arrived", partial)
    set_mode(writing, status.st_mode, 0o600 | entry.mode & 0o555)
