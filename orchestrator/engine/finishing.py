"""The folders of a stage, kept until everything is in them: a few bytes each, because a backup may have a million."""

import json
import zlib
from collections.abc import Iterator

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import TargetPath

PACKED_AT = 512
"""Folders packed at once. One follows the other in the walk, so their paths are alike and pack to a tenth."""

_Row = tuple[str, str, str, int, int]


class Folders:
    """Folders in the order of the walk; given back in the reverse order, so that what lies in a folder comes first."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._open: list[_Row] = []

    def add(self, target: TargetPath, entry: Entry) -> None:
        """Keep where a folder lands, and its path, time and mode."""
        self._open.append((target.root, target.relative, entry.relative, entry.mtime_ns, entry.mode))
        if len(self._open) >= PACKED_AT:
            # As ASCII: a name that is no UTF-8 holds surrogates.
            self._packed.append(zlib.compress(json.dumps(self._open).encode("ascii"), level=1))
            self._open = []

    def __reversed__(self) -> Iterator[tuple[TargetPath, Entry]]:
        yield from map(_folder, reversed(self._open))
        for packed in reversed(self._packed):
            rows: list[_Row] = json.loads(zlib.decompress(packed))
            yield from map(_folder, reversed(rows))


def _folder(row: _Row) -> tuple[TargetPath, Entry]:
    root, target, source, mtime_ns, mode = row
    return TargetPath(root, target), Entry(source, EntryKind.FOLDER, 0, mtime_ns, mode)
