"""The drop folder and what is done with files in it. Every method blocks."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from orchestrator.core.drops import DONE, FAILED, DropRow
from orchestrator.core.settling import REJECTED, SIZE_LIMIT, DropFile, markers_of
from orchestrator.inbox.names import claim_in, claimed_name, ended_stem, ending_of
from orchestrator.inbox.translate import translating
from orchestrator.inbox.waking import Waker

if os.name == "posix":
    import pwd

INCOMING, ACTIVE, SEEN = "incoming", "active", ".seen"
"""`SEEN` holds one small file for each content that was ever taken as a job, so that several watchers of one folder do
not run the same job twice."""

MODE = 0o640


class DropFolder:
    """One drop folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / INCOMING
        self._active = folder / ACTIVE
        self._waker = Waker(self._incoming)

    # --- what lies in it ---

    def prepare(self) -> None:
        """Make the folders and try that they can be written to. DropFolderUnusable."""
        with translating(self._folder):
            for name in (INCOMING, ACTIVE, DONE, FAILED, SEEN):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
        for name in (INCOMING, ACTIVE, DONE, FAILED, SEEN):
            with translating(self._folder / name), tempfile.NamedTemporaryFile(dir=self._folder / name, prefix=".try"):
                pass

    def look(self) -> list[DropFile]:
        """Every entry of `incoming` as it is now. DropFolderUnusable."""
        with translating(self._incoming), os.scandir(self._incoming) as entries:
            return [seen for entry in entries if (seen := _seen(entry)) is not None]

    def wait(self, seconds: float) -> None:
        """Return when something happens in `incoming`, or after `seconds`."""
        self._waker.wait(seconds)

    def read(self, file: DropFile) -> tuple[bytes, str] | None:
        """(content, account whose file it is) of a file that still is as it was seen; None when it has changed or gone.
        The account is empty where it cannot be told. DropFolderUnusable when the file cannot be read."""
        path = self._incoming / file.name
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            with translating(path, FileNotFoundError), os.fdopen(os.open(path, flags), "rb") as opened:
                content, found = opened.read(SIZE_LIMIT + 1), os.fstat(opened.fileno())
                return (content, _account(found.st_uid)) if _of(file.name, found) == file else None
        except FileNotFoundError:
            return None

    # --- what is done with it ---

    def claim(self, row: DropRow, file: DropFile) -> bool:
        """Move a file to `active`; False when somebody else has taken it, or has changed it since it was seen.
        DropFolderUnusable when it may not be moved."""
        source, claimed = self._incoming / file.name, self._active / claimed_name(row)
        try:
            with translating(source, FileNotFoundError):
                os.rename(source, claimed)
        except FileNotFoundError:
            # A file server that was slow to answer is asked again and says that the file has gone, by our own doing.
            if not claimed.exists():
                return False
        if not self._is_as_seen(claimed, file):
            self._give_back(claimed, source)
            return False
        for marker in markers_of(file.name):
            with suppress(OSError):
                (self._incoming / marker).unlink()
        with suppress(OSError):
            (self._incoming / (file.name + REJECTED)).unlink()
        return True

    def claimed(self, tag: str) -> list[tuple[str, str]]:
        """(id, name) of every claim in `active` whose id begins with `tag`. DropFolderUnusable."""
        with translating(self._active):
            names = os.listdir(self._active)
        return [found for name in sorted(names) if (found := claim_in(name, tag)) is not None]

    def content(self, row: DropRow) -> bytes | None:
        """What a claimed job says; None when somebody has removed it. DropFolderUnusable."""
        path = self._active / claimed_name(row)
        try:
            with translating(path, FileNotFoundError):
                return path.read_bytes()
        except FileNotFoundError:
            return None

    def put(self, row: DropRow, content: bytes) -> None:
        """A claimed job that nobody dropped: one turn of a schedule. DropFolderUnusable."""
        with _replacing(self._active / claimed_name(row)) as opened:
            opened.write(content)

    def first(self, row: DropRow) -> str:
        """Note that the content of `row` is taken. Empty when it is the first time, else the note of the first."""
        path = self._folder / SEEN / row.digest
        note = f"{row.id} {row.file}, dropped at {row.taken:%Y-%m-%d %H:%M:%S} UTC"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with translating(path, FileExistsError), os.fdopen(os.open(path, flags, MODE), "wb") as opened:
                opened.write(note.encode("utf-8", "surrogateescape"))
                return ""
        except FileExistsError:
            pass
        with translating(path):
            known, _, text = path.read_bytes().decode("utf-8", "surrogateescape").partition(" ")
        return "" if known == row.id else text or "another file"

    def forget(self, row: DropRow) -> None:
        """The content of `row` counts as never taken. DropFolderUnusable."""
        path = self._folder / SEEN / row.digest
        with translating(path):
            path.unlink(missing_ok=True)

    def reject(self, row: DropRow, message: str) -> None:
        """Answer a claimed file that is no job: it goes to `failed`, and a note is left where it was dropped."""
        self._end(row, FAILED, message, {}, suffix=REJECTED)
        with suppress(OSError):
            _write(self._incoming / (row.file + REJECTED), f"{message}\n")

    def refuse(self, file: DropFile, message: str) -> None:
        """Answer what lies in `incoming` and cannot be claimed, such as a folder: only the note, once."""
        note = self._incoming / (file.name + REJECTED)
        if not note.exists():
            with translating(note):
                _write(note, f"{message}\n")

    def end(self, row: DropRow, folder: str, line: str, beside: Mapping[str, Path]) -> None:
        """Answer a claimed job: the files `beside` it (by suffix) and `line`, then the job itself moves to `done` or
        `failed`, where it is found with them. Safe to be done again. DropFolderUnusable."""
        self._end(row, folder, line, beside, suffix=".reason.txt")

    def _end(self, row: DropRow, folder: str, line: str, beside: Mapping[str, Path], *, suffix: str) -> None:
        stem = self._folder / folder / ended_stem(row)
        with translating(self._folder / folder):
            for ending, file in beside.items():
                with suppress(FileNotFoundError), open(file, "rb") as source, _replacing(_with(stem, ending)) as copy:
                    shutil.copyfileobj(source, copy)
            _write(_with(stem, suffix), f"{line}\n")
            with suppress(FileNotFoundError):
                os.replace(self._active / claimed_name(row), _with(stem, ending_of(row.file)))

    def _is_as_seen(self, path: Path, file: DropFile) -> bool:
        try:
            return _of(file.name, path.lstat()).state == file.state
        except OSError:
            return False

    def _give_back(self, claimed: Path, source: Path) -> None:
        """Somebody is still writing to it: as if it had not been touched. Nothing that came meanwhile is replaced."""
        with suppress(OSError):
            if not source.exists():
                os.rename(claimed, source)


def _account(user: int) -> str:
    """The name of a POSIX account; its number when it has none, nothing on Windows."""
    if os.name != "posix":
        return ""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _with(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _seen(entry: "os.DirEntry[str]") -> DropFile | None:
    try:
        # Not the entry's own: on Windows that has no identity.
        return _of(entry.name, os.lstat(entry.path))
    except FileNotFoundError:
        return None


def _of(name: str, found: os.stat_result) -> DropFile:
    return DropFile(name, found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino), stat.S_ISREG(found.st_mode))


def _write(path: Path, text: str) -> None:
    with _replacing(path) as opened:
        opened.write(text.encode("utf-8", "surrogateescape"))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends well. DropFolderUnusable."""
    with translating(path):
        descriptor, partial = tempfile.mkstemp(prefix=".orchestrator-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                yield opened
                opened.flush()
                os.fsync(opened.fileno())
            os.chmod(partial, MODE)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise
