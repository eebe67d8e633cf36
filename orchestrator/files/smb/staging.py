"""One file, staged on a share: written under a partial name in its own folder, proved, given its times, renamed.

A small file takes two round trips: one makes, fills and proves the partial file, one renames it. One alone would not
do: a server goes on with a chain after a write that failed, and half a file would stand under its final name.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.core.entries import Entry, FoundKind, Placed
from orchestrator.core.paths import SourcePath
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.checksums import Algorithm, Digest, new_digest
from orchestrator.files.continuing import BLOCK, FROM_SIZE, worth_keeping
from orchestrator.files.copying import changed, own_buffer
from orchestrator.files.proving import prove_same
from orchestrator.files.readers import Opening, Reader, open_local
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.facts import kept_time, set_times
from orchestrator.files.smb.fitting import SmbFitting
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.listing import nanoseconds
from orchestrator.files.smb.packets import SAME_FILE, Request, flush, write
from orchestrator.files.smb.partial import Partial, facts_at
from orchestrator.files.smb.reading import WHOLE
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import NO_SUCH_PATH, StatusError
from orchestrator.files.translate import Side, Translating

Result = TypeVar("Result")
Settle = Callable[[Partial, Placed, bool], None]
"""Gives a complete file its final name, flushed to the server's disk or not. OSError: then the partial file is gone."""
Check = Callable[[int], None]
Enter = Callable[[HeldFolder | None], HeldFolder]
"""The folder of the file. With the one of before, when that is not there any more, it is entered anew."""


IN_VAIN = 2
"""How often the connection may break within a large file without any answer to a write in between."""


@dataclass(frozen=True)
class SmbStaging:
    """How files are staged. The fields are those of `orchestrator.files.staging.Staging`; `durable` flushes each file
    to the server's disk before and after it gets its name, and `read_back` has it read there again. With
    `by_batch` only those are flushed that their own properties may close to the account; the rest is the caller's."""

    checksum: Algorithm = "blake3"
    durable: bool = False
    by_batch: bool = False
    read_back: bool = False
    continue_from: int = FROM_SIZE
    block: int = BLOCK
    opening: Opening = open_local
    author: Author = ALONE

    def staged(
        self,
        source: SourcePath,
        entry: Entry,
        enter: Enter,
        name: str,
        replace: bool,
        check: Check,
        fitting: SmbFitting | None = None,
        settle: Settle | None = None,
    ) -> Placed:
        """Copy `entry` to the free or (`replace`) the taken name `name`; the file is the caller's alone. With `settle`,
        that gives the complete file its name.

        FileError, or whatever `check` raises; then nothing is left of the copy but, of a large file that was
        interrupted, its whole blocks.
        """
        reading = self.opening(source, entry)
        try:
            if fitting is not None:
                fitting.look(reading)
            with Translating(Side.TARGET, entry.relative):
                folder = enter(None)
                live = folder.share.live()
            if entry.size <= min(WHOLE, live.largest_write):
                partial, digest = self._small(reading, entry, enter, name, check)
            else:
                if not replace:
                    with Translating(Side.TARGET, entry.relative):
                        _refuse_taken(folder, name)
                partial, digest = _Large(self, entry, enter, name, check).fill(reading)
        finally:
            reading.close()
        if self.read_back:
            self._read_back(partial, entry, digest.hexdigest(), check)
        if fitting is not None:
            _fit(partial, entry, fitting)
        with Translating(Side.TARGET, entry.relative):
            flushed = self.durable or (self.by_batch and fitting is not None)
            placed = Placed(entry.size, digest.hexdigest())
            if settle is not None:
                settle(partial, placed, flushed)
            else:
                self._rename(partial, enter, name, replace, flushed=flushed)
        if fitting is None:
            return placed
        fitting.finish(lambda: _at(enter(None), name))
        return Placed(entry.size, digest.hexdigest(), fitting.fidelity)

    def finishing(self, entry: Entry, handle: bytes) -> tuple[Request, ...]:
        """What is set on a partial file that is full, before it gets its name."""
        return set_times(entry.mtime_ns, handle), *((flush(handle),) if self.durable or self.read_back else ())

    def _small(self, reading: Reader, entry: Entry, enter: Enter, name: str, check: Check) -> tuple[Partial, Digest]:
        content = _whole(reading, entry)
        digest = new_digest(self.checksum)()
        digest.update(memoryview(content))
        check(len(content))  # there is nothing yet that would be left behind
        chain = (*((write(content),) if content else ()), *self.finishing(entry, SAME_FILE))
        with Translating(Side.TARGET, entry.relative):
            staged = self.author.partial(name)
            partial = again(enter, lambda folder, live: Partial.make(folder, staged, live, *chain))
            try:
                partial.prove(entry)
            except OSError:
                partial.drop()
                raise
        return partial, digest

    def _read_back(self, partial: Partial, entry: Entry, expected: str, check: Check) -> None:
        """Read a partial file that is full again. FileError with READ_BACK_DIFFERS, and whatever `check` raises: then
        it is gone."""
        digest = new_digest(self.checksum)()
        try:
            with Translating(Side.TARGET, entry.relative):
                for piece in partial.read_again(0, entry.size):
                    digest.update(piece)
                    check(0)
            prove_same(entry, expected, digest.hexdigest())
        except BaseException:
            partial.drop()
            raise

    def _rename(self, partial: Partial, enter: Enter, name: str, replace: bool, *, flushed: bool) -> None:
        try:
            self.author.check()
        except BaseException:
            partial.drop()
            raise
        try:
            partial.rename(name, replace=replace, flushed=flushed)
        except ConnectionLost:
            # The answer may have been lost and not the request. On a server without identities the file that is to be
            # replaced may look the same; but then the partial one is still there.
            folder = enter(None)
            live = folder.share.live()
            there = facts_at(live, folder.at(name))
            arrived = there is not None and there.is_same_file(partial.facts)
            if not arrived or facts_at(live, folder.at(partial.name)) is not None:
                found_again(folder, partial, live).rename(name, replace=replace, flushed=flushed)


class _Large:
    """One copy of a large file."""

    def __init__(self, staging: SmbStaging, entry: Entry, enter: Enter, name: str, check: Check) -> None:
        self._staging, self._entry, self._enter, self._check = staging, entry, enter, check
        self._name = staging.author.partial(name)
        self._digest = new_digest(staging.checksum)()
        self._resumable = entry.size >= staging.continue_from
        self._reached = self._vain = 0

    def fill(self, reading: Reader) -> tuple[Partial, Digest]:
        """The partial file, full and proved, and its checksum."""
        with Translating(Side.TARGET, self._entry.relative):
            self._partial = self._begun(reading)
        try:
            self._copy(reading)
            with Translating(Side.TARGET, self._entry.relative):
                self._go_on(self._finish)
        except BaseException as error:
            self._drop(error)
            raise
        return self._partial, self._digest

    def _begun(self, reading: Reader) -> Partial:
        if self._resumable:
            kept = again(self._enter, lambda folder, live: self._kept(folder, live, reading))
            if kept is not None:
                return kept
            # A connection that broke may have left both in the middle of what is not there any more.
            self._digest = new_digest(self._staging.checksum)()
            reading.seek(0)
        return again(self._enter, lambda folder, live: Partial.make(folder, self._name, live))

    def _copy(self, reading: Reader) -> None:
        relative, size, copied, buffer = self._entry.relative, self._entry.size, self._partial.done, own_buffer()
        while True:
            with Translating(Side.SOURCE, relative):
                piece = reading.read(buffer)
            copied += len(piece)
            if not piece or copied > size:
                break
            self._digest.update(piece)
            self._partial.put(piece)
            with Translating(Side.TARGET, relative):
                self._go_on(Partial.send)
            self._check(len(piece))
        if copied != size:
            raise changed(relative, size, copied)

    def _finish(self, partial: Partial) -> None:
        partial.settle()
        partial.finish(self._entry, *self._staging.finishing(self._entry, partial.handle))

    def _go_on(self, work: Callable[[Partial], None]) -> None:
        """Do what may be done twice; on a new connection when the old one breaks, as long as it gets on."""
        while True:
            try:
                return work(self._partial)
            except ConnectionLost:
                self._partial.count_answered()
                if self._partial.done > self._reached:
                    self._reached, self._vain = self._partial.done, 0
                self._vain += 1
                if self._vain > IN_VAIN:
                    raise
                folder = self._enter(None)
                again = found_again(folder, self._partial, folder.share.live())
                again.take_over(self._partial)
                self._partial = again

    def _drop(self, error: BaseException) -> None:
        """Remove the partial file, or keep what is proved of it."""
        with suppress(OSError):
            if self._resumable and worth_keeping(error) and self._partial.keep(self._staging.block, self._entry):
                return
        self._partial.drop()

    def _kept(self, folder: HeldFolder, live: Live, reading: Reader) -> Partial | None:
        """What an interrupted copy has left to go on with; the source is left where that ends. Without it, source and
        checksum may be anywhere."""
        try:
            partial = Partial.take_up(folder, self._name, live)
        except StatusError:
            return None
        size, block, entry = partial.facts.size, self._staging.block, self._entry
        try:
            marked = nanoseconds(partial.facts.written) == kept_time(entry.mtime_ns)
            if marked and 0 < size < entry.size and not size % block and self._is_of_source(partial, reading):
                self._read_over(partial, size)
                reading.seek(size)
                partial.continue_at(size)
                return partial
        except BaseException:
            partial.close()
            raise
        partial.close()
        return None

    def _is_of_source(self, partial: Partial, reading: Reader) -> bool:
        """Whether the last block is what the source has there."""
        end = partial.facts.size
        reading.seek(end - self._staging.block)
        buffer, theirs = own_buffer(), b""
        for ours in partial.read_again(end - self._staging.block, end):
            while len(theirs) < len(ours):
                with Translating(Side.SOURCE, self._entry.relative):
                    piece = reading.read(buffer)
                if not piece:
                    return False
                theirs += piece
            if theirs[: len(ours)] != ours:
                return False
            theirs = theirs[len(ours) :]
        return True

    def _read_over(self, partial: Partial, size: int) -> None:
        """Take what is there already into the checksum."""
        self._digest = new_digest(self._staging.checksum)()
        for piece in partial.read_again(0, size):
            self._digest.update(piece)
            self._check(len(piece))


def _fit(partial: Partial, entry: Entry, fitting: SmbFitting) -> None:
    """Put on a partial file what it is beside its bytes; after an exception it is gone."""
    try:
        with Translating(Side.TARGET, entry.relative):
            fitting.fit(partial.live, partial.folder.at(partial.name))
    except BaseException:
        partial.drop()
        raise


def _at(folder: HeldFolder, name: str) -> tuple[Live, str]:
    return folder.share.live(), folder.at(name)


def again(enter: Enter, work: Callable[[HeldFolder, Live], Result]) -> Result:
    """What `work` returns; done a second time when the connection breaks, or somebody has removed the folder."""
    folder = enter(None)
    try:
        return work(folder, folder.share.live())
    except ConnectionLost:
        folder = enter(None)
    except StatusError as error:
        if error.status != NO_SUCH_PATH:
            raise
        folder = enter(folder)
    return work(folder, folder.share.live())


def found_again(folder: HeldFolder, partial: Partial, live: Live) -> Partial:
    """A partial file whose connection broke, opened on another. OSError when it is not the same, or holds less than
    the server has said that it has."""
    found = Partial.take_up(folder, partial.name, live)
    if found.facts.identity != partial.facts.identity:
        found.close()
        raise OSError(errno.EBUSY, "another program is writing the same file", partial.name)
    if found.facts.size < partial.done:
        found.close()
        raise OSError(errno.EIO, "the server has lost a part of what it had", partial.name)
    return found


def _whole(reading: Reader, entry: Entry) -> bytes:
    """The content of a small file. FileError with CHANGED when its size is not the one that was listed."""
    content, buffer = b"", own_buffer()
    while True:
        with Translating(Side.SOURCE, entry.relative):
            piece = reading.read(buffer)
        content = content + piece if content else bytes(piece)
        if len(content) > entry.size or not piece:
            break
        if len(content) == entry.size and len(piece) < len(buffer):
            return content  # a file gives less than it is asked for only at its end
    if len(content) != entry.size:
        raise changed(entry.relative, entry.size, len(content))
    return content


def _refuse_taken(folder: HeldFolder, name: str) -> None:
    """Tell before a long copy what the rename would tell after it."""
    found = look(folder.share.live(), folder.at(name))
    if found.kind is FoundKind.FOLDER:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if found.kind is not FoundKind.NOTHING:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
