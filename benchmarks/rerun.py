"""A second run over a finished tree: nothing is to be copied, and what is left is looking. Against `rsync -a`, which
keeps no journal and leaves no report."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.engine import Share, config_of, forget, plan_for, real_share, run_engine
from benchmarks.measuring import Contestant, print_table, side_by_side
from benchmarks.places import Places
from benchmarks.trees import small_files

COPIES = 16


def rerun(places: Places, quick: bool) -> None:
    """Many small files that are all there, in memory and on a disk."""
    for kind, place in places.all():
        _rerun(place, kind, 2_000 if quick else 20_000, 3 if quick else 9)


def _rerun(place: Path, kind: str, count: int, rounds: int) -> None:
    tree, target, mirror = place / "tree", place / "restored", place / "mirror"
    small_files(tree, count, (1 << 10, 64 << 10))
    share = real_share(tree)
    _again(share, target, place / "first")
    shutil.rmtree(place / "first")
    contestants = [Contestant("our whole engine", lambda state: _again(share, target, state))]
    if shutil.which("rsync"):
        subprocess.run(["rsync", "-a", f"{tree}/", str(mirror)], check=True)
        contestants.insert(0, Contestant("rsync -a", lambda _: _rsync(tree, mirror)))
    found = side_by_side(contestants, place, rounds)
    rows = [
        [
            name,
            f"{found.median(name):.2f}",
            f"{count / found.median(name):,.0f}",
            found.ratio(name, "rsync -a") if "rsync -a" in found.seconds else "not installed",
        ]
        for name in found.seconds
    ]
    print_table(
        f"{count:,} small files that are all there, {kind} to {kind}",
        ("run", "s (median)", "files/s", "speed of rsync -a = 1"),
        rows,
    )
    for folder in (tree, target, mirror):
        forget(folder)


def _rsync(tree: Path, mirror: Path) -> None:
    subprocess.run(["rsync", "-a", f"{tree}/", str(mirror)], check=True)


def _again(share: Share, target: Path, state: Path) -> None:
    """A run with mount, journal, report and manifest, and a state folder of its own."""
    report = run_engine(config_of(share.folder, target, state, COPIES, "none"), share, plan_for(target))
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")
