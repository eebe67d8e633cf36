"""What it costs to keep all that files are beside their bytes: `full` against `basic`, the same files one by one."""

import os
from contextlib import closing
from pathlib import Path

from benchmarks.measuring import Contestant, print_table, side_by_side
from benchmarks.places import Places
from benchmarks.trees import small_files
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.fidelity import BASIC, Metadata, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.files import LocalSource, LocalTarget

FULL = Wishes(Metadata.FULL)


def metadata(places: Places, quick: bool) -> None:
    """Small files in memory; plain ones, and ones with an extended attribute each."""
    count = 2_000 if quick else 20_000
    tree = places.fast / "metadata"
    small_files(tree, count, (1 << 10, 64 << 10))
    rows = []
    for name in ("plain files", "with an extended attribute"):
        entries = _entries(tree)
        rounds = side_by_side(
            [
                Contestant("basic", lambda to, found=entries: _copied(tree, found, to, BASIC)),  # type: ignore[misc]  # bound now
                Contestant("full", lambda to, found=entries: _copied(tree, found, to, FULL)),  # type: ignore[misc]  # bound now
            ],
            places.fast,
            3,
        )
        each = [f"{rounds.median(one) / count * 1e6:.0f} us" for one in ("basic", "full")]
        rows.append([name, *each, rounds.ratio("full", "basic")])
        for entry in entries:
            if entry.kind is EntryKind.FILE:
                os.setxattr(tree / entry.relative, "user.colour", b"blue")
    title = f"What files are beside their bytes: {count:,} small files, one thread"
    print_table(title, ("files", "basic each", "full each", "full, speed of basic = 1"), rows)


def _entries(tree: Path) -> list[Entry]:
    return [one for batch in LocalSource().scan(SourcePath(str(tree), ""), lambda _: True) for one in batch]


def _copied(tree: Path, entries: list[Entry], to: Path, wishes: Wishes) -> None:
    with closing(LocalTarget([str(to)])) as target:
        for entry in entries:
            if entry.kind is EntryKind.FILE:
                source, place = SourcePath(str(tree), entry.relative), TargetPath(str(to), entry.relative)
                target.place(source, entry, place, False, _unchecked, wishes)


def _unchecked(_: int) -> None:
    """Nobody stops a benchmark."""
