"""The folders of a stage, kept until everything is in them: a few bytes each, because a backup may have a million."""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Kept, Metadata, Property, Wishes, fidelity_code
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.roads import EM_ROOT
from orchestrator.engine.ports import Beat, Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.walking import Work

PACKED_AT = 512
"""Folders packed at once. One follows the other in the walk, so their paths are alike and pack to a tenth."""

_Row = tuple[str, str, str, int, int, int, str]


class Folders:
    """Folders in the order of the walk; given back in the reverse order, so that what lies in a folder comes first."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._open: list[_Row] = []
        self._kinds: dict[tuple[str, Wishes], int] = {}

    def add(self, work: Work) -> None:
        """Keep where a folder lands and what is wanted of it, and its path, time and mode."""
        target, entry = work.target, work.entry
        kind = self._kinds.setdefault((work.source.root, work.wishes), len(self._kinds))
        # A folder that was reached by a link lies elsewhere than its name says.
        elsewhere = work.source.relative if work.source.relative != entry.relative else ""
        self._open.append((target.root, target.relative, entry.relative, entry.mtime_ns, entry.mode, kind, elsewhere))
        if len(self._open) >= PACKED_AT:
            # As ASCII: a name that is no UTF-8 holds surrogates.
            self._packed.append(zlib.compress(json.dumps(self._open).encode("ascii"), level=1))
            self._open = []

    def __reversed__(self) -> Iterator[Work]:
        kinds = list(self._kinds)
        yield from (_folder(row, kinds) for row in reversed(self._open))
        for packed in reversed(self._packed):
            rows: list[_Row] = json.loads(zlib.decompress(packed))
            yield from (_folder(row, kinds) for row in reversed(rows))


def _folder(row: _Row, kinds: Sequence[tuple[str, Wishes]]) -> Work:
    root, target, relative, mtime_ns, mode, kind, elsewhere = row
    source, wishes = kinds[kind]
    entry = Entry(relative, EntryKind.FOLDER, 0, mtime_ns, mode)
    return Work(entry, SourcePath(source, elsewhere or relative), "", TargetPath(root, target), wishes)


def finish(folders: Folders, source: Source, target: Destination, beat: Beat) -> Counter[str]:
    """Give folders back what they are beside their content, deepest first, now that nothing more is written into them.
    How many have each `fidelity_code`; those of which only the times were wanted have none. Blocks."""
    codes: Counter[str] = Counter()
    for work in reversed(folders):
        beat()
        try:
            if work.wishes.reads_properties:
                has = source.properties(work.source, work.entry)
                fidelity = target.dress(work.source, work.entry, work.target, has, work.wishes)
                codes[fidelity_code(fidelity)] += 1
            elif work.wishes.metadata is not Metadata.NONE and _has_time(work):
                target.finish_folder(work.target, work.entry)
        except FileError:
            # Its making has already been told as a failure of its own; what it is besides is counted as lost.
            if work.wishes.reads_properties:
                codes[_LOST] += 1
    return codes


def _has_time(work: Work) -> bool:
    """Whether the time of a folder is known: Enterprise Manager tells none."""
    return bool(work.entry.mtime_ns) or not work.source.root.startswith(EM_ROOT)


_LOST = fidelity_code({Property.MODE: Kept.LOST, Property.OWNER: Kept.LOST})
