"""What a run over very many entries takes: resident memory at its peak, each size in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from benchmarks.engine import VM, Share, config_of, plan_for, real_share, run_engine
from benchmarks.measuring import print_table
from benchmarks.places import Places, remove
from benchmarks.trees import small_files
from orchestrator.config import Config
from orchestrator.core.catalog import Listed, Listing, ShareFolder, ShareListing
from orchestrator.core.coming import AT_HAND, Coming
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.fidelity import Properties
from orchestrator.core.ledger import GroupRow, GroupState
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.engine.ports import Beat
from orchestrator.files import LocalTarget
from orchestrator.journal import open_journal

SIZE, MTIME_NS = 4096, 1_700_000_000_123_456_700
BATCH = 256
KINDS = {
    "present": "all there already",
    "folders": "the same, 1 folder for 4 files",
    "resumed": "resumed when nearly through",
    "pattern": "a pattern takes 1 of 10,000",
}
CHOOSES = "*0000.docx"
"""An include pattern that takes one file in 10,000."""


class EndlessSource:
    """A share with `count` small files in folders of `folder_of`, made up while it is walked."""

    def __init__(self, count: int, folder_of: int) -> None:
        self._count = count
        self._folder_of = folder_of
        self.mounted = False

    def folders(self, share: str, beat: Beat) -> ShareListing:
        return ShareListing((ShareFolder(VM, 1),) if self.mounted else (), (1, 1))

    def listing(self, folder: SourcePath, beat: Beat) -> Listing:
        return {"Volume1": Listed(True)}

    def look(self, path: SourcePath, beat: Beat) -> Entry | None:
        return Entry(path.relative, EntryKind.FOLDER)

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        return Properties(modified_ns=entry.mtime_ns)

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        """Nothing is read ahead."""
        return AT_HAND

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]:
        batch: list[Entry] = []
        for entry in self._entries(enters):
            batch.append(entry)
            if len(batch) == BATCH:
                yield batch
                batch = []
        yield batch

    def _entries(self, enters: Callable[[str], bool]) -> Iterator[Entry]:
        upper = folder = ""
        for number in range(self._count):
            if number % self._folder_of == 0:
                upper, folder = f"Shares {number // 100_000:04d}", f"Project folder {number // self._folder_of:06d}"
                if number % 100_000 == 0 and enters(upper):
                    yield Entry(upper, EntryKind.FOLDER, 0, MTIME_NS, 0o755)
                enters(f"{upper}/{folder}")
                yield Entry(f"{upper}/{folder}", EntryKind.FOLDER, 0, MTIME_NS, 0o755)
            yield Entry(f"{upper}/{folder}/Report number {number:08d}.docx", EntryKind.FILE, SIZE, MTIME_NS)


class FullTarget(LocalTarget):
    """A target at which every file already is what the share has."""

    def look(self, path: TargetPath) -> Found:
        return Found(FoundKind.FILE, SIZE, MTIME_NS) if path.relative.endswith(".docx") else super().look(path)

    def place(self, *_: object) -> object:  # type: ignore[override]
        raise AssertionError("nothing is to be copied")


def child(kind: str, count: int, below: Path) -> None:
    """One run, in a process of its own; prints what it took as JSON."""
    share = below / "tree.share"
    include: tuple[str, ...] = ()
    if kind == "files":
        made, target = real_share(below / "tree"), None
    else:
        source = EndlessSource(count, 4 if kind == "folders" else 100)
        made = Share(share, source, lambda: setattr(source, "mounted", True), lambda: setattr(source, "mounted", False))
        target = FullTarget([str(below / "target")])
        include = (CHOOSES,) if kind == "pattern" else ()
    # What is made up is only there in this process.
    processes: int | Literal["auto"] = "auto" if kind == "files" else 0
    config = config_of(made.folder, below / "target", below / "state", 16, "none", processes=processes)
    if kind == "resumed":
        _forget_end(config)
    start = _peak()
    begun, worked = time.perf_counter(), time.process_time()
    report = run_engine(config, made, plan_for(below / "target", include), target)
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    totals = report.totals
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")
    print(json.dumps({"start": start, "peak": _peak(), "seconds": seconds, "worked": worked, "files": totals.files}))


def _forget_end(config: Config) -> None:
    """Make a run that is through look like one that died at its very end."""
    with closing(open_journal(config.state.folder)) as journal:
        journal.write_group(GroupRow("run-1", "group-1", VM, GroupState.RUNNING))


def _peak() -> int:
    """The most bytes this process ever had resident. Linux: not from getrusage, which begins with the parent's peak."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def memory(places: Places, quick: bool) -> None:
    """Peak resident memory of whole runs, and its growth from the smaller to the larger."""
    sizes = (10_000, 100_000) if quick else (100_000, 1_000_000)
    rows = _two_sizes(places.fast, sizes)
    below = places.fast / "memory-files"
    small_files(below / "tree", sizes[0], (1, 1024))
    rows.append(_row("real files, copied", sizes[0], measured("files", sizes[0], below), None))
    (below / "state").rename(below / "state of the first run")
    rows.append(_row("real files, all there already", sizes[0], measured("files", sizes[0], below), None))
    remove(below)
    head = ("memory", "entries", "before the run", "peak resident", "growth", "entries/s")
    print_table("Memory of a whole run, journal and report included (a fresh process each)", head, rows)


def _two_sizes(place: Path, sizes: tuple[int, int]) -> list[list[str]]:
    rows: list[list[str]] = []
    for kinds in (("present", "resumed"), ("folders",), ("pattern",)):
        smaller: dict[str, float] = {}
        for count in sizes:
            below = place / f"memory-{kinds[0]}"
            for kind in kinds:
                found = measured(kind, count, below)
                rows.append(_row(KINDS[kind], count, found, smaller.get(kind)))
                smaller[kind] = found["peak"]
            remove(below)
    return sorted(rows, key=lambda row: list(KINDS.values()).index(row[0]))


def _row(title: str, count: int, found: dict[str, float], smaller: float | None) -> list[str]:
    growth = "" if smaller is None else f"{(found['peak'] - smaller) / 1e6:.1f} MB"
    speed = f"{count / found['seconds']:,.0f}"
    return [title, f"{count:,}", f"{found['start'] / 1e6:.1f} MB", f"{found['peak'] / 1e6:.1f} MB", growth, speed]


def measured(kind: str, count: int, below: Path) -> dict[str, float]:
    """What `child` tells of one run, in a process of its own."""
    below.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "benchmarks.memory", kind, str(count), str(below)]
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(answer)
    return found


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
