"""BagIt bags: what a run restored, packed with its checksums so that anybody's tool can prove it (RFC 8493, BagIt 1.0).

A bag is made under a hidden name beside its own, and takes its name when it is complete.
"""

import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError, WordsError
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.files.checksums import Algorithm, Digest, new_digest
from orchestrator.files.copying import own_buffer
from orchestrator.files.readers import Reader, open_local
from orchestrator.files.target import LocalTarget
from orchestrator.files.translate import Side, Translating

PAYLOAD, TAGS = "data", "orchestrator"
"""The folders of a bag: the files themselves, and what the run says of them."""

_SPOOL = "lines"
_ENCODED = {"%": "%25", "\n": "%0A", "\r": "%0D"}
"""RFC 8493, 2.1.3: what a name in a manifest is not written with."""


class Away(Protocol):
    """Reads what lies where the system opens nothing."""

    def look(self, path: SourcePath) -> Entry | None:
        """What is there, None for nothing. OSError."""
        ...

    def open(self, path: SourcePath, entry: Entry) -> Reader:
        """A file to be read. FileError."""
        ...


class Bag:
    """A bag in the making. `take` may be called in many threads at once."""

    def __init__(
        self, folder: Path, common: Sequence[str], algorithm: Algorithm, link: bool, lines: BinaryIO, away: Away | None
    ) -> None:
        self._folder = folder
        self._common = len(common)
        self._away = away
        self._algorithm = algorithm
        self._link = link
        self._lines = lines
        self._left_out: set[str] = set()
        self._lock = threading.Lock()
        self._own = threading.local()
        self._target = LocalTarget([str(folder)], "sha256", opening=self._open)

    def take(self, path: str, check: Callable[[int], None]) -> tuple[int, str]:
        """Put the restored file `path` into the bag: (its size, its checksum of the run's kind), as they are now.

        `check` is called with the bytes of each piece. FileError when it is not there, cannot be read or cannot be
        packed; WordsError when the bag's disk is full.
        """
        relative = self._relative(path)
        try:
            relative.encode("utf-8")
        except UnicodeEncodeError as error:
            raise FileError(
                reason=Reason.NAME_UNUSABLE, guest_path=path, what="a bag cannot hold a name that is no UTF-8"
            ) from error
        with Translating(Side.SOURCE, path):
            source, entry = self._found(path)
        if self._link:
            size, checksum, digest = self._linked(path, relative, entry, check)
        else:
            size, checksum, digest = self._copied(source, relative, entry, check)
        with self._lock:
            self._lines.write(f"{checksum} {size} {relative.translate(_TABLE)}\n".encode())
        return size, digest.hexdigest()

    def leave_out(self, path: str) -> None:
        """Remove a file from the bag that turned out not to be what was restored."""
        relative = self._relative(path)
        (self._folder / relative).unlink(missing_ok=True)
        self._left_out.add(relative.translate(_TABLE))

    def _relative(self, path: str) -> str:
        return "/".join((PAYLOAD, *_names(path)[self._common :]))

    def _found(self, path: str) -> tuple[SourcePath, Entry]:
        """Where a restored file is read, and what is there. OSError."""
        if self._away is None or not path.startswith("\\\\"):
            status = os.lstat(path)
            return SourcePath(path, ""), Entry(
                path, EntryKind.FILE, status.st_size, status.st_mtime_ns, status.st_mode & 0o777
            )
        above, _, name = path.rpartition("\\")
        source = SourcePath(above, name)
        found = self._away.look(source)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if found.kind is not EntryKind.FILE:
            raise IsADirectoryError(errno.EISDIR, found.message or "not a file any more", path)
        return source, replace(found, relative=path)

    def finish(self, folder: Path, info: Mapping[str, str], tags: Mapping[str, Path]) -> int:
        """Write the bag's own files, `info` and copies of `tags` by name among them, and give it its name. The number
        of files in it. OSError."""
        left_out, count, octets = self._left_out, 0, 0
        self._lines.seek(0)
        with (self._folder / "manifest-sha256.txt").open("wb") as manifest:
            for line in self._lines:
                checksum, size, name = line.split(b" ", 2)
                if name.rstrip(b"\n").decode() not in left_out:
                    manifest.write(checksum + b"  " + name)
                    count, octets = count + 1, octets + int(size)
        (self._folder / PAYLOAD).mkdir(exist_ok=True)
        (self._folder / _SPOOL).unlink()
        self._write("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        whole = {**info, "Payload-Oxum": f"{octets}.{count}"}
        lines = [f"{key}: {' '.join(value.split())}\n" for key, value in whole.items()]
        self._write("bag-info.txt", "".join(lines))
        (self._folder / TAGS).mkdir()
        for tag, file in tags.items():
            shutil.copyfile(file, self._folder / TAGS / tag)
        names = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", *(f"{TAGS}/{tag}" for tag in sorted(tags))]
        digests = [f"{_sha256(self._folder / tag)}  {tag}\n" for tag in names]
        self._write("tagmanifest-sha256.txt", "".join(digests))
        os.rename(self._folder, folder)
        return count

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_bytes(text.encode())

    def close(self) -> None:
        """Let go of the folders that are held open."""
        self._target.close()

    def _copied(
        self, source: SourcePath, relative: str, entry: Entry, check: Callable[[int], None]
    ) -> tuple[int, str, Digest]:
        target = TargetPath(str(self._folder), relative)
        try:
            placed = self._target.place(source, entry, target, False, check)
        except FileError as error:
            if error.reason is Reason.NO_SPACE:
                raise WordsError(what=f"{self._folder.parent} is full; the bag was not made") from error
            raise
        return placed.size, placed.checksum, self._own.digest

    def _open(self, source: SourcePath, entry: Entry) -> Reader:
        opening = self._away.open if self._away is not None and source.relative else open_local
        reader = _Hashing(opening(source, entry), new_digest(self._algorithm)())
        self._own.digest = reader.digest
        return reader

    def _linked(self, path: str, relative: str, entry: Entry, check: Callable[[int], None]) -> tuple[int, str, Digest]:
        self._target.make_folder(TargetPath(str(self._folder), str(PurePosixPath(relative).parent)))
        with Translating(Side.TARGET, path):
            os.link(path, self._folder / relative, follow_symlinks=False)
        sha256, size, buffer = new_digest("sha256")(), 0, own_buffer()
        reading = _Hashing(open_local(SourcePath(path, ""), entry), new_digest(self._algorithm)())
        try:
            while True:
                with Translating(Side.SOURCE, path):
                    chunk = reading.read(buffer)
                if not chunk:
                    return size, sha256.hexdigest(), reading.digest
                sha256.update(chunk)
                size += len(chunk)
                check(len(chunk))
        finally:
            reading.close()


_TABLE = str.maketrans(_ENCODED)


@contextmanager
def making_bag(
    folder: Path,
    allow: Sequence[str],
    destinations: Sequence[str],
    algorithm: Algorithm,
    *,
    link: bool,
    away: Away | None = None,
) -> Iterator[Bag]:
    """A bag that will stand at `folder`, with what lies below `destinations`, whose checksums are of the kind
    `algorithm`. `away` reads what lies at servers by UNC path. Nothing is left of one that is not `finish`ed.
    WordsError when it cannot stand there."""
    with Translating(Side.TARGET, str(folder)):
        LocalTarget(allow).check_root(str(folder))
    if folder.exists():
        raise WordsError(what=f"{folder} is there already; name a folder that is not")
    hidden = folder.with_name(f".{folder.name[:200]}.orchestrator-bag")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(mode=0o750)
        with (hidden / _SPOOL).open("w+b") as lines:
            bag = Bag(hidden, _common(destinations), algorithm, link, lines, away)
            try:
                yield bag
            finally:
                bag.close()
    except OSError as error:
        raise WordsError(what=f"{folder} cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _common(destinations: Sequence[str]) -> list[str]:
    """The names of the folder that all destinations lie in; of a single one the folder above, so that its name is in
    the bag."""
    first, *others = (_names(one) for one in dict.fromkeys(destinations))
    if not others:
        return first[:-1]
    alike = takewhile(lambda names: len(set(names)) == 1, zip(first, *others, strict=False))
    return [names[0] for names in alike]


def _names(path: str) -> list[str]:
    """The names of a whole path; of a UNC path the server's is the first."""
    return [name for name in re.split(r"[\\/]" if path.startswith("\\\\") else "/", path) if name not in ("", ".")]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class _Hashing:
    """A reader that also takes the checksum of the run's kind."""

    def __init__(self, inner: Reader, digest: Digest) -> None:
        self._inner = inner
        self.digest = digest

    def read(self, buffer: bytearray) -> memoryview:
        chunk = self._inner.read(buffer)
        self.digest.update(chunk)
        return chunk

    def seek(self, offset: int) -> None:
        self._inner.seek(offset)

    def properties(self) -> Properties:
        return self._inner.properties()

    def close(self) -> None:
        self._inner.close()
