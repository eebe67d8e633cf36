"""One partial file on a share: opened for us alone, written, proved, and given its final name.

Nobody else can open it meanwhile, so a request of a connection that broke cannot rename what another has begun anew.
"""

import errno
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from orchestrator.core.entries import Entry, FoundKind
from orchestrator.files.smb.asking import asked, chain, granted
from orchestrator.files.smb.conversation import Answer, Exchange
from orchestrator.files.smb.facts import (
    Facts,
    ask_facts,
    facts,
    remove,
    rename,
    set_attributes,
    set_end,
    set_times,
)
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.packets import (
    FILE_ONLY,
    FOR_BACKUP,
    ITSELF,
    REMOVE_ON_CLOSE,
    SHARE_ALL,
    Command,
    Request,
    close,
    create,
    created,
    data,
    flush,
    read,
    write,
    written,
)
from orchestrator.files.smb.pieces import PIECE, PIECES
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import ACCESS_DENIED, NAME_TAKEN, OK, SHARING_VIOLATION, StatusError

_FILL_AND_RENAME = 0x00110183  # read and write data and attributes, delete (which renames), synchronize
_REMOVE, _CHANGE, _LOOK = 0x00110080, 0x00100180, 0x00100080
_OPEN, _MAKE = 1, 2
_ALONE = 0
_READ_ONLY, _NORMAL = 0x1, 0x80


class Partial:
    """An open partial file. Its methods raise OSError."""

    def __init__(self, folder: HeldFolder, name: str, live: Live, handle: bytes, known: Facts) -> None:
        self.folder, self.name, self.live, self.handle, self.facts = folder, name, live, handle, known
        self.done = 0
        """Bytes from the start of which the server has said that it has them."""
        self._unsent: deque[bytearray] = deque()
        self._under_way: deque[tuple[bytearray, Exchange]] = deque()
        self._spare: list[bytearray] = []
        self._sent = 0

    @classmethod
    def make(cls, folder: HeldFolder, name: str, live: Live, *more: Request) -> "Partial":
        """Make it anew and send `more` on in the same frame, each of which must be granted; a leftover of a run that
        was killed is removed, and a link that somebody put there too."""
        try:
            return cls._open(folder, name, live, _MAKE, more)
        except StatusError as error:
            if error.status != NAME_TAKEN:
                raise
        remove_at(live, folder.at(name))
        return cls._open(folder, name, live, _MAKE, more)

    @classmethod
    def take_up(cls, folder: HeldFolder, name: str, live: Live) -> "Partial":
        """Open one that is there."""
        return cls._open(folder, name, live, _OPEN, ())

    @classmethod
    def _open(cls, folder: HeldFolder, name: str, live: Live, how: int, more: tuple[Request, ...]) -> "Partial":
        path, options = folder.at(name), FILE_ONLY | ITSELF | FOR_BACKUP
        answers = chain(live, create(path, _FILL_AND_RENAME, options, how, _ALONE), *more, ask_facts())
        handle = created(granted(answers[0], path).message).handle
        try:
            for place, request in enumerate(more, 1):
                _check(answers[place], request, name)
            return cls(folder, name, live, handle, facts(answers[-1], name))
        except OSError:
            with suppress(OSError):
                chain(live, remove(handle), close(handle))
            raise

    def put(self, piece: memoryview) -> None:
        """Put the next bytes in line; `send` writes them. Never raises."""
        step = min(PIECE, self.live.largest_write)
        for at in range(0, len(piece), step):
            part = piece[at : at + step]
            memory = self._memory(len(part))
            memory[:] = part
            self._unsent.append(memory)

    def _memory(self, size: int) -> bytearray:
        """Memory for one write, that of an earlier one if it fits: fresh memory costs more than what goes into it."""
        return self._spare.pop() if self._spare and len(self._spare[-1]) == size else bytearray(size)

    def send(self) -> None:
        """Have written what is in line, some of which is still under way afterwards."""
        while self._unsent:
            content = self._unsent[0]
            exchange = self.live.connection.ask([write(content, self._sent, self.handle)])
            self._under_way.append((self._unsent.popleft(), exchange))
            self._sent += len(content)
            if len(self._under_way) > PIECES:
                self._settle_one()

    def settle(self) -> None:
        """Return when the server has all that was put."""
        self.send()
        while self._under_way:
            self._settle_one()

    def count_answered(self) -> None:
        """Count what was answered before the connection broke."""
        while self._under_way and self._under_way[0][1].error is None:
            self._settle_one()

    def continue_at(self, offset: int) -> None:
        """What is put next goes there, and all before is there already."""
        self.done = self._sent = offset

    def take_over(self, other: "Partial") -> None:
        """Go on where `other`, which is the same file, has lost its connection."""
        self.continue_at(other.done)
        self._unsent.extend(content for content, _ in other._under_way)
        self._unsent.extend(other._unsent)

    def finish(self, entry: Entry, *finishing: Request) -> None:
        """Send `finishing`, whose handle is this one's, and prove the size."""
        answers = self.ask(*finishing, ask_facts(self.handle))
        for request, answer in zip(finishing, answers, strict=False):
            _check(answer, request, self.name)
        self.facts = facts(answers[-1], self.name)
        self.prove(entry)

    def prove(self, entry: Entry) -> None:
        """OSError when not all of the file is there."""
        if self.facts.size != entry.size:
            raise OSError(errno.EIO, f"{self.facts.size} of {entry.size} bytes arrived", self.name)

    def read_again(self, start: int, end: int) -> Iterator[memoryview]:
        """What it holds between two offsets, piece by piece."""
        return pieces(self.live, self.handle, self.name, start, end)

    def keep(self, block: int, entry: Entry) -> bool:
        """Close it with the whole blocks that the server has, marked with the time of the backed-up file; False when
        there are none worth it."""
        self._unsent.clear()
        with suppress(OSError):
            self.settle()
        for _, exchange in self._under_way:  # a write that ends later would make the file longer again
            self.live.connection.wait(exchange)
        whole = self.done // block * block
        if not 0 < whole < entry.size:
            return False
        requests = set_end(whole, self.handle), set_times(entry.mtime_ns, self.handle), close(self.handle)
        for answer in self.ask(*requests):
            granted(answer, self.name)
        return True

    def close(self) -> None:
        """Close it as it is. Never raises."""
        with suppress(OSError):
            self.ask(close(self.handle))

    def drop(self) -> None:
        """Remove it. Never raises: the error that is on its way says more."""
        with suppress(OSError):
            chain(self.live, remove(self.handle), close(self.handle))

    def rename(self, final: str, *, replace: bool, flushed: bool) -> None:
        """Give it its final name and close it, `flushed` to the server's disk. FileExistsError when the name is taken
        and not `replace`, IsADirectoryError by a folder; then the partial file is gone. ConnectionLost when it cannot
        be told what came of it."""
        path = self.folder.at(final)
        if replace and _is_held(self.live, path):
            self.drop()
            raise StatusError(SHARING_VIOLATION, path)
        ending = (flush(self.handle), close(self.handle)) if flushed else (close(self.handle),)
        answers = self.ask(rename(path, self.handle, replace=replace), *ending)
        closed = answers[-1].status == OK  # a server may let what follows a request that failed fail with it
        if answers[0].status == OK:
            if not closed:
                self.close()
            if flushed:
                granted(answers[1], final)
            return
        if answers[0].status == ACCESS_DENIED and replace and make_writable(self.live, path, writable=True):
            if not closed:
                self.close()
            self._rename_over_read_only(final, flushed)
            return
        if closed:
            remove_at(self.live, self.folder.at(self.name))
        else:
            self.drop()
        raise not_renamed(self.live, path, answers[0].status)

    def _rename_over_read_only(self, final: str, flushed: bool) -> None:
        try:
            Partial.take_up(self.folder, self.name, self.live).rename(final, replace=True, flushed=flushed)
        except OSError:
            with suppress(OSError):
                make_writable(self.live, self.folder.at(final), writable=False)
            with suppress(OSError):
                remove_at(self.live, self.folder.at(self.name))
            raise

    def ask(self, *requests: Request) -> list[Answer]:
        """The answers to requests of this file, waited for."""
        exchange = self.live.connection.ask(requests)
        self.live.connection.wait(exchange)
        return [exchange.answer(place) for place in range(len(requests))]

    def _settle_one(self) -> None:
        content, exchange = self._under_way[0]
        self.live.connection.wait(exchange)
        answer = granted(exchange.answer(0), self.name)
        if written(answer.message) != len(content):
            raise OSError(errno.EIO, f"the server took {written(answer.message)} of {len(content)} bytes", self.name)
        self._under_way.popleft()
        self._spare.append(content)
        self.done += len(content)


def pieces(live: Live, handle: bytes, name: str, start: int, end: int) -> Iterator[memoryview]:
    """What an open file holds between two offsets, piece by piece. OSError, also when it ends before."""
    under_way = deque[tuple[int, Exchange]]()
    while start < end or under_way:
        while start < end and len(under_way) < PIECES:
            length = min(PIECE, end - start, live.largest_read)
            under_way.append((length, live.connection.ask([read(length, start, handle)])))
            start += length
        length, exchange = under_way.popleft()
        live.connection.wait(exchange)
        piece = data(granted(exchange.answer(0), name).message, length)
        if len(piece) != length:
            raise OSError(errno.EIO, "it ends before the size that the server has told", name)
        yield piece


def remove_at(live: Live, path: str) -> None:
    """Remove a file below a share; a link is removed itself. OSError."""
    options = FILE_ONLY | ITSELF | FOR_BACKUP | REMOVE_ON_CLOSE
    granted(asked(live, create(path, _REMOVE, options, _OPEN, SHARE_ALL), close()), path)


def facts_at(live: Live, path: str) -> Facts | None:
    """What the server tells of the file at a path below a share; None when there is none."""
    first, told, _ = chain(live, create(path, _LOOK, ITSELF | FOR_BACKUP), ask_facts(), close())
    try:
        granted(first, path)
    except StatusError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return facts(told, path)


def make_writable(live: Live, path: str, *, writable: bool) -> bool:
    """Take the read-only attribute off a file, or put it back; whether the server has changed it. ConnectionLost."""
    first = asked(live, create(path, _CHANGE, FILE_ONLY | ITSELF | FOR_BACKUP))
    if first.status != OK:
        return False
    opened = created(first.message)
    wanted = opened.attributes & ~_READ_ONLY if writable else opened.attributes | _READ_ONLY
    if wanted == opened.attributes:
        live.connection.ask([close(opened.handle)])
        return False
    return asked(live, set_attributes(wanted or _NORMAL, opened.handle), close(opened.handle)).status == OK


def _check(answer: Answer, request: Request, name: str) -> None:
    """OSError when a request was not granted, or a write took less than it was given."""
    granted(answer, name)
    if request.command == Command.WRITE and written(answer.message) != len(request.content):
        raise OSError(errno.EIO, f"the server took {written(answer.message)} bytes of a write", name)


def not_renamed(live: Live, path: str, status: int) -> OSError:
    """Why a file did not get its final name, from what stands there."""
    if look(live, path).kind is FoundKind.FOLDER:
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return StatusError(status, path)


def _is_held(live: Live, path: str) -> bool:
    """Whether another program has a file open and does not let it be replaced. Not every server asks that itself."""
    opening = create(path, _REMOVE, FILE_ONLY | ITSELF | FOR_BACKUP)
    return asked(live, opening, close()).status == SHARING_VIOLATION
