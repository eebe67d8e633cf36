"""A file of a share is set aside, or put back, and the process dies before one of its requests, or the connection
breaks at one of its frames: for every one. What is left is looked at, gone on with, and undone."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.core.decide import SetAside, Skip, decide
from orchestrator.core.job import Conflict
from orchestrator.core.paths import HOLDING, TargetPath
from orchestrator.core.replaced import Fate
from orchestrator.files.smb import SmbTarget
from orchestrator.files.smb.connection import Connection
from orchestrator.files.smb.undoing import SmbUndo
from orchestrator.journal import Journal, open_journal
from tests.support.disk import entry_of, put, source_of, tree
from tests.support.ledger_rows import make_run
from tests.support.samba import Samba, samba, smb_target, until_alone, wire

pytestmark = pytest.mark.timeout(120)
OLD, NEW = b"what the operator had" * 9, b"what the backup has" * 7
OLD_NS, NEW_NS = 1_000_000_000_123_456_700, 1_700_000_000_987_654_300
NAME = "C/Shares/plan.txt"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    with samba({"restore$": tmp_path_factory.mktemp("served")}) as running:
        yield running


@dataclass(frozen=True)
class Ground:
    """One destination on the share, one backed-up file, one state folder."""

    server: Samba
    place: Path

    @property
    def unc(self) -> str:
        return self.server.unc("restore$", self.place.name)

    @property
    def root(self) -> Path:
        return self.server.shares["restore$"] / self.place.name

    @property
    def path(self) -> TargetPath:
        return TargetPath(self.unc, NAME)

    def target(self, port: int = 0) -> SmbTarget:
        return smb_target(self.server, [self.unc], port=port)

    @property
    def standing(self) -> tuple[bytes, int] | None:
        """(content, time) of the file under the target's name."""
        file = self.root / NAME
        return (file.read_bytes(), file.stat().st_mtime_ns) if file.exists() else None

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


def restore(ground: Ground, target: SmbTarget, journal: Journal) -> None:
    """What a run with `on_conflict = "aside"` does with the file."""
    source = ground.place / "share" / "plan.txt"
    entry = entry_of(source)
    decision = decide(entry, target.look(ground.path), Conflict.ASIDE)
    if isinstance(decision, Skip):
        return
    if isinstance(decision, SetAside):
        remember = lambda aside: journal.write_asides("r1", [aside])  # noqa: E731
        target.set_aside(source_of(source), entry, ground.path, "r1", lambda _: None, remember)
    else:
        target.place(source_of(source), entry, ground.path, False, lambda _: None)


def undo(ground: Ground, target: SmbTarget, journal: Journal) -> None:
    """What an undo does with it."""
    back = SmbUndo(target, "blake3", dry=False)
    for aside in journal.asides("r1", None, 10):
        found = back.give_back(aside, lambda _: None)
        assert found.fate is Fate.RETURNED, found


DO: dict[str, Callable[[Ground, SmbTarget, Journal], None]] = {"restore": restore, "undo": undo}


def begin(server: Samba, place: Path, what: str) -> Ground:
    """The operator's file, the backed-up one, and for an undo the run that has set the first aside."""
    ground = Ground(server, place)
    put(ground.root / NAME, OLD, mtime_ns=OLD_NS, mode=0o640)
    put(place / "share" / "plan.txt", NEW, mtime_ns=NEW_NS)
    with open_journal(place / "state") as journal:
        journal.begin(make_run())
        if what == "undo":
            with closing(ground.target()) as target:
                restore(ground, target, journal)
    return ground


def dies_before(number: int, what: str, ground: Ground) -> bool:
    """Do it in a process of its own that is gone before it sends its request of that number; whether it came so far."""
    pid = os.fork()
    if not pid:
        left, send = itertools.count(number - 1, -1), Connection.ask_all

        def mortal(self: Connection, exchanges: object) -> None:
            if next(left) == 0:
                os._exit(9)
            send(self, exchanges)  # type: ignore[arg-type]  # as it was given

        try:
            Connection.ask_all = mortal  # type: ignore[method-assign]  # in this process only
            with open_journal(ground.place / "state") as journal:
                DO[what](ground, ground.target(), journal)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    until_alone(ground.server)
    return code == 9


def demand_nothing_lost_and_undo(ground: Ground, what: str) -> None:
    old, new = (OLD, OLD_NS), (NEW, NEW_NS)
    assert ground.standing in (old, new, None)
    assert old in ground.held or ground.standing == old, f"{ground.place.name}: the operator's file is lost"
    with open_journal(ground.place / "state") as journal, closing(ground.target()) as target:
        if what == "restore":
            restore(ground, target, journal)
            assert (ground.standing, ground.held) == (new, [old]), ground.place.name
            assert ground.others == set(), ground.place.name
        undo(ground, target, journal)
    assert ground.standing == old, ground.place.name
    assert (ground.root / NAME).stat().st_mode & 0o777 == 0o640
    assert (ground.held, ground.others) == ([], set()), ground.place.name


@pytest.mark.parametrize("what", DO)
def test_a_death_before_any_request_loses_nothing_and_is_gone_on_with_and_undone(
    server: Samba, tmp_path: Path, what: str
) -> None:
    nameless = 0
    for number in itertools.count(1):
        ground = begin(server, tmp_path / f"{what}-died-{number:03}", what)
        until_alone(server)
        if not dies_before(number, what, ground):
            break
        nameless += ground.standing is None
        demand_nothing_lost_and_undo(ground, what)
        shutil.rmtree(ground.root)
    assert number > 10, "the process did not die often enough"
    assert nameless <= 2, "the name was nobody's for longer than the two renames take"


def at_frame(number: int, *, down: bool) -> Callable[[bytes, bool], bool]:
    """Whether what is passed on is the frame of that number, towards the client or (not `down`) the server."""
    left = itertools.count(number - 1, -1)
    return lambda _, downwards: downwards is down and next(left) == 0


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("what", DO)
def test_a_connection_that_breaks_at_any_frame_is_made_anew_and_all_is_done(
    server: Samba, tmp_path: Path, what: str, down: bool
) -> None:
    for number in itertools.count(1):
        ground = begin(server, tmp_path / f"{what}-cut-{down}-{number:03}", what)
        with (
            wire(server.port) as line,
            open_journal(ground.place / "state") as journal,
            closing(ground.target(line.port)) as target,
        ):
            target.look(TargetPath(ground.unc, ""))  # the logon is another story
            line.cut_when, line.cuts = at_frame(number, down=down), 1
            DO[what](ground, target, journal)
            over = line.cuts == 1
        standing = (NEW, NEW_NS) if what == "restore" else (OLD, OLD_NS)
        assert ground.standing == standing
        assert ground.held == ([(OLD, OLD_NS)] if what == "restore" else [])
        assert ground.others == set()
        if over:
            break
    assert number > 8
