"""A file is set aside, or put back, and the process dies before one of its system calls: for every call, and for every
way of moving. What is left is looked at, gone on with, and undone."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.core.decide import SetAside, Skip, decide
from orchestrator.core.entry import Conflict
from orchestrator.core.paths import HOLDING, TargetPath
from orchestrator.core.replaced import Fate
from orchestrator.files import LocalTarget, holding, rename, undoing
from orchestrator.files.undoing import LocalUndo
from orchestrator.journal import Journal, open_journal
from tests.support.disk import entry_of, put, source_of, tree
from tests.support.ledger_rows import make_run

OLD, NEW = b"what the operator had" * 9, b"what the backup has" * 7
OLD_NS, NEW_NS = 1_000_000_000_123_456_789, 1_700_000_000_987_654_321
NAME = "C/Shares/plan.txt"

DYING = """
import itertools, os, sys
from pathlib import Path
from orchestrator.files import rename
from orchestrator.journal import open_journal
from tests.chaos import test_every_step_aside as story

what, way, base = sys.argv[1], sys.argv[2], Path(sys.argv[3])
CALLS = ("open", "close", "link", "unlink", "rename", "replace", "mkdir", "rmdir", "utime", "fchmod", "write")

def mortal(number):
    left = itertools.count(number - 1, -1)
    def dying(function):
        def call(*words, **options):
            if next(left) == 0:
                os._exit(9)
            return function(*words, **options)
        return call
    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    rename._call = dying(rename._call)

story.hobble(way, setattr)
for number in itertools.count(1):
    story.begin(base / f"{number:03}", what)
    pid = os.fork()
    if not pid:
        with open_journal(base / f"{number:03}" / "state") as journal:
            mortal(number)
            story.DO[what](story.Ground(base / f"{number:03}"), journal)
            os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        break
"""


@dataclass(frozen=True)
class Ground:
    """One destination, one backed-up file, one state folder."""

    place: Path

    @property
    def root(self) -> Path:
        return self.place / "target"

    @property
    def path(self) -> TargetPath:
        return TargetPath(str(self.root), NAME)

    @property
    def standing(self) -> tuple[bytes, int]:
        """(content, time) of the file under the target's name."""
        file = self.root / NAME
        return file.read_bytes(), file.stat().st_mtime_ns

    @property
    def held(self) -> list[tuple[bytes, int]]:
        """The same of every file in the holding folder."""
        files = [path for path in (self.root / HOLDING).rglob("*") if path.is_file()]
        return [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]

    @property
    def others(self) -> set[str]:
        """Files that are neither under the target's name nor in the holding folder."""
        files = {name for name, content in tree(self.root).items() if content is not None}
        return {name for name in files if name != NAME and HOLDING not in name}


def restore(ground: Ground, journal: Journal) -> None:
    """What a run with `on_conflict = "aside"` does with the file."""
    target, source = LocalTarget([str(ground.root)]), ground.place / "share" / "plan.txt"
    entry = entry_of(source)
    decision = decide(entry, target.look(ground.path), Conflict.ASIDE)
    if isinstance(decision, Skip):
        return
    if isinstance(decision, SetAside):
        target.set_aside(
            source_of(source),
            entry,
            ground.path,
            "r1",
            lambda _: None,
            lambda aside: journal.write_asides("r1", [aside]),
        )
    else:
        target.place(source_of(source), entry, ground.path, False, lambda _: None)


def undo(ground: Ground, journal: Journal) -> None:
    """What an undo does with it."""
    back = LocalUndo(LocalTarget([str(ground.root)]), "blake3", dry=False)
    for aside in journal.asides("r1", None, 10):
        found = back.give_back(aside, lambda _: None)
        assert found.fate is Fate.RETURNED, found


DO = {"restore": restore, "undo": undo}


def begin(place: Path, what: str) -> None:
    """The operator's file, the backed-up one, and for an undo the run that has set the first aside."""
    put(place / "target" / NAME, OLD, mtime_ns=OLD_NS, mode=0o640)
    put(place / "share" / "plan.txt", NEW, mtime_ns=NEW_NS)
    with open_journal(place / "state") as journal:
        journal.begin(make_run())
        if what == "undo":
            restore(Ground(place), journal)


def hobble(way: str, patch: Callable[[object, str, object], None]) -> None:
    """A file system that cannot exchange two files (`replace`), or has no hard links either (`move`)."""
    if way in ("replace", "move"):
        for module in (holding, undoing):
            patch(module, "exchange", lambda one, other: False)
    if way == "move":
        for module in (holding, rename):
            patch(module, "link_new", lambda old, new: False)


@pytest.mark.parametrize("way", ["exchange", "replace", "move"])
@pytest.mark.parametrize("what", DO)
def test_a_death_at_any_step_loses_nothing_and_is_gone_on_with_and_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, way: str
) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, what, way, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    places = sorted(tmp_path.iterdir())
    assert len(places) > 10, "the process did not die often enough"
    hobble(way, monkeypatch.setattr)
    names = 0
    for place in places:
        ground = Ground(place)
        old, new = (OLD, OLD_NS), (NEW, NEW_NS)
        if (ground.root / NAME).exists():
            names += 1
            assert ground.standing in (old, new), place.name
        assert old in ground.held or ground.standing == old, f"{place.name}: the operator's file is lost"
        with open_journal(place / "state") as journal:
            if what == "restore":
                restore(ground, journal)
                assert (ground.standing, ground.held) == (new, [old]) or way == "move", place.name
                assert ground.others == set(), place.name
            undo(ground, journal)
        assert ground.standing == old, place.name
        assert (ground.root / NAME).stat().st_mode & 0o777 == 0o640
        assert (ground.held, ground.others) == ([], set()), place.name
    assert names == len(places) or way == "move", "for a moment the name was nobody's"
