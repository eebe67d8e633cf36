"""Manifests: checksum lists that `b3sum`, `sha256sum` and `xxhsum` read with `--check`, and the re-reading of one file.

Source of the format: GNU coreutils manual, "cksum output modes" (a line whose name holds a backslash, a newline or a
carriage return starts with a backslash and has them escaped).
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from orchestrator.core.errors import WordsError
from orchestrator.core.paths import SourcePath
from orchestrator.files.artefacts import replacing
from orchestrator.files.checksums import Algorithm, new_digest
from orchestrator.files.copying import own_buffer
from orchestrator.files.readers import open_source
from orchestrator.files.system import read_into
from orchestrator.files.translate import Side, Translating

_LINE = re.compile(rb"(\\?)((?:[0-9a-f]{32}){1,2}) [ *](.+)", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}


def write_manifest(path: Path, rows: Iterable[tuple[str, str]], algorithm: Algorithm) -> int:
    """Write (checksum, target file path) rows as they come; returns how many. StateUnusable when it cannot be
    written, and then an older manifest is still there. KeyError for an algorithm that is not known.

    The lines do not name the algorithm, as neither tool writes it; it is asked for so that nobody mixes two up.
    """
    new_digest(algorithm)
    count = 0
    with replacing(path) as file:
        for checksum, name in rows:
            file.write(_line(checksum, name))
            count += 1
    return count


def read_manifest(path: Path) -> Iterator[tuple[str, str]]:
    """(checksum, path) of each line, as they are read. OSError when it cannot be read; WordsError names a line that
    is none of a manifest."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            match = _LINE.fullmatch(line.rstrip(b"\n"))
            if match is None:
                raise WordsError(what=f"{path} line {number} is not '<checksum>  <path>'")
            name = _ESCAPE.sub(_unescape, match[3]) if match[1] else match[3]
            yield match[2].decode("ascii"), os.fsdecode(name)


def verify_file(path: str, algorithm: Algorithm, check: Callable[[int], None]) -> tuple[int, str]:
    """(size in bytes, checksum) of a file, read anew. `check` is called with the bytes of each chunk.

    FileError when it cannot be read or is no file any more; a link is not followed.
    """
    digest = new_digest(algorithm)()
    buffer = own_buffer()
    view = memoryview(buffer)
    size = 0
    descriptor = open_source(SourcePath(path, ""), path)
    try:
        with Translating(Side.SOURCE, path):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EISDIR, "not a file any more", path)
        while True:
            with Translating(Side.SOURCE, path):
                count = read_into(descriptor, buffer)
            if not count:
                return size, digest.hexdigest()
            digest.update(view[:count])
            size += count
            check(count)
    finally:
        os.close(descriptor)


def _line(checksum: str, name: str) -> bytes:
    raw = os.fsencode(name)
    escaped = raw.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != raw else b""
    return mark + checksum.encode("ascii") + b"  " + escaped + b"\n"


def _unescape(match: re.Match[bytes]) -> bytes:
    return _ESCAPED.get(match[1], match[0])
