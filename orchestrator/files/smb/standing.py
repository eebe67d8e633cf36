"""A file that stands at a destination on a share, held so that nobody changes it between its proof and its move.

It is opened without leave for others to write, rename or remove it, read through that opening, and moved or removed by
it. Others may go on reading. Source: MS-SMB2 2.2.13 (ShareAccess), MS-FSA 2.1.5.15.11.
"""

import errno
from collections.abc import Callable
from contextlib import suppress

from orchestrator.core.entries import Placed
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside
from orchestrator.files.checksums import Digest
from orchestrator.files.folders import link_in_path
from orchestrator.files.smb.asking import asked, chain, granted
from orchestrator.files.smb.facts import Facts, ask_facts, ask_tag, facts, leads_away, remove, rename
from orchestrator.files.smb.listing import nanoseconds
from orchestrator.files.smb.packets import FILE_ONLY, FOR_BACKUP, ITSELF, OPEN, close, create, created
from orchestrator.files.smb.partial import facts_at, make_writable, pieces
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import CANNOT_DELETE

_READ_AND_MOVE = 0x00110081  # read data and attributes, delete (which renames), synchronize
_READ = 0x1


class Standing:
    """A file that is held. Methods raise OSError; ConnectionLost when it cannot be told what came of it."""

    def __init__(self, live: Live, path: str, handle: bytes, known: Facts) -> None:
        self.live, self.path, self.handle, self.facts = live, path, handle, known
        self.checksum = ""

    @classmethod
    def hold(cls, live: Live, path: str) -> "Standing":
        """Hold the file at a path below a share. ENOENT for nothing, EISDIR for a folder, ELOOP for a link, EBUSY when
        another program writes to it, or does not let it be moved."""
        opening = create(path, _READ_AND_MOVE, FILE_ONLY | ITSELF | FOR_BACKUP, OPEN, _READ)
        first, tag, told = chain(live, opening, ask_tag(), ask_facts())
        handle = created(granted(first, path).message).handle
        try:
            if leads_away(tag, path):
                raise link_in_path(path)
            return cls(live, path, handle, facts(told, path))
        except OSError:
            with suppress(OSError):
                live.connection.ask([close(handle)])
            raise

    @property
    def size(self) -> int:
        return self.facts.size

    @property
    def mtime_ns(self) -> int:
        return nanoseconds(self.facts.written)

    def read(self, digest: Digest, check: Callable[[int], None]) -> None:
        """Take its checksum. `check` is called with the bytes of each piece."""
        for piece in pieces(self.live, self.handle, self.path, 0, self.size):
            digest.update(piece)
            check(len(piece))
        self.checksum = digest.hexdigest()

    def aside(self, target: TargetPath, held: TargetPath, new: Placed) -> Aside:
        """What the journal is told before this file makes room for `new`."""
        return Aside(target, held, self.size, self.mtime_ns, self.checksum, new.size, new.checksum)

    def move(self, to: str) -> None:
        """Give it the name `to`, a path below the share, which is free; it stays held. EEXIST when that is taken, EXDEV
        for another volume, EBUSY when somebody has changed it at the server itself: then it keeps its name."""
        granted(asked(self.live, rename(to, self.handle, replace=False)), to)
        now = facts_at(self.live, to)  # by its name: a server may rename what programs of its own have put there
        if now is None or not now.is_same_file(self.facts):
            granted(asked(self.live, rename(self.path, self.handle, replace=False)), self.path)
            raise OSError(errno.EBUSY, "another program is changing the file", self.path)
        self.path = to

    def remove(self) -> None:
        """Remove it; it is held no more."""
        answer, _ = chain(self.live, remove(self.handle), close(self.handle))
        if answer.status == CANNOT_DELETE and make_writable(self.live, self.path, writable=True):
            again = Standing.hold(self.live, self.path)
            if not again.facts.is_same_file(self.facts):
                again.close()
                raise OSError(errno.EBUSY, "another program is changing the file", self.path)
            answer, _ = chain(self.live, remove(again.handle), close(again.handle))
        granted(answer, self.path)

    def close(self) -> None:
        """Hold it no more. Never raises."""
        with suppress(OSError):
            self.live.connection.wait(self.live.connection.ask([close(self.handle)]))
