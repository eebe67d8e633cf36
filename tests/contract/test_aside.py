"""The contract of the port Replacing: a file that is there makes room, is kept, and can be put back."""

import itertools
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from blake3 import blake3

from orchestrator.core.entries import Outcome, Placed, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.paths import HOLDING, TargetPath, full_target
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside, Fate, Undone
from orchestrator.files import LocalTarget
from orchestrator.files.folders import NamedFolder
from orchestrator.files.rename import Place, exchange
from orchestrator.files.smb import SmbTarget
from orchestrator.files.smb.undoing import SmbUndo
from orchestrator.files.undoing import LocalUndo
from tests.support.disk import MTIME_NS, entry_of, mounted, put, source_of, tree
from tests.support.samba import smb_target

OLD, NEW = b"old" * 100, b"new" * 200
OLD_NS = 1_000_000_000_123_456_789


def heard(_: int) -> None:
    """A checkpoint that lets everything pass."""


@dataclass
class Ground:
    """One destination with a file in it, and what was remembered of it before it was moved. On a share, `unc` is the
    allowed folder, and `grain` what it keeps times to, in nanoseconds."""

    allowed: Path
    share: Path
    target: LocalTarget | SmbTarget
    asides: list[Aside] = field(default_factory=list)
    unc: str = ""
    grain: int = 1

    @property
    def destination(self) -> str:
        return f"{self.unc}\\fs01" if self.unc else str(self.root)

    def told(self, relative: str = "C/a.txt") -> str:
        return full_target(self.path(relative))

    def kept(self, time_ns: int) -> int:
        return time_ns // self.grain * self.grain

    @property
    def root(self) -> Path:
        return self.allowed / "fs01"

    @property
    def held(self) -> Path:
        return self.root / HOLDING / "r1"

    def path(self, relative: str = "C/a.txt") -> TargetPath:
        return TargetPath(self.destination, relative)

    def restore(
        self,
        relative: str = "C/a.txt",
        data: bytes = NEW,
        remember: Callable[[Aside], None] | None = None,
        check: Callable[[int], None] = heard,
    ) -> Placed:
        new = put(self.share / "one", data)
        keep = remember or self.asides.append
        return self.target.set_aside(source_of(new), entry_of(new), self.path(relative), "r1", check, keep)

    def undo(self, *, dry: bool = False) -> LocalUndo | SmbUndo:
        if isinstance(self.target, SmbTarget):
            return SmbUndo(self.target, "blake3", dry=dry)
        return LocalUndo(self.target, "blake3", dry=dry)

    def give_back(self, *, dry: bool = False) -> Undone:
        [aside] = self.asides
        return self.undo(dry=dry).give_back(aside, heard)

    def standing(self) -> Path:
        return put(self.root / "C/a.txt", OLD, mtime_ns=OLD_NS, mode=0o640)


@pytest.fixture(params=["held", "named", "tmpfs", "ext4", "smb"])
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """Both ways of holding folders, two file systems of different abilities, and a share."""
    if request.param == "smb":
        server = request.getfixturevalue("server")
        allowed = server.shares["restore$"] / uuid.uuid4().hex
        allowed.mkdir()
        unc = server.unc("restore$", allowed.name)
        with closing(smb_target(server, [unc])) as target:
            yield Ground(allowed, tmp_path / "share", target, unc=unc, grain=100)
        return
    allowed = tmp_path / "restore"
    if request.param == "named":
        monkeypatch.setattr("orchestrator.files.target.open_root", NamedFolder.root)
    if request.param in ("held", "named"):
        allowed.mkdir()
        yield Ground(allowed, tmp_path / "share", LocalTarget([str(allowed)]))
        return
    words = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"]
    if request.param == "ext4":
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        words = ["-o", "loop", str(image)]
    with mounted(allowed, *words):
        yield Ground(allowed, tmp_path / "share", LocalTarget([str(allowed)]))


def refused(reason: Reason) -> "pytest.RaisesExc[FileError]":
    return pytest.RaisesExc(FileError, check=lambda error: error.reason is reason)


def test_a_replaced_file_is_kept_as_it_was_and_told_of_before_it_is_moved(ground: Ground) -> None:
    old = ground.standing()
    number = old.stat().st_ino
    seen: list[bytes] = []

    def remember(aside: Aside) -> None:
        seen.append(old.read_bytes())
        ground.asides.append(aside)

    placed = ground.restore(remember=remember)
    assert seen == [OLD]
    assert placed == Placed(len(NEW), blake3(NEW).hexdigest())
    assert (old.read_bytes(), old.stat().st_mtime_ns) == (NEW, ground.kept(MTIME_NS))
    kept = ground.held / "C/a.txt"
    status = kept.stat()
    assert (kept.read_bytes(), status.st_mtime_ns, status.st_ino) == (OLD, OLD_NS, number)
    assert status.st_mode & 0o777 == 0o640
    assert ground.unc or (ground.root / HOLDING).stat().st_mode & 0o777 == 0o700
    assert ground.asides == [
        Aside(
            ground.path(),
            ground.path(f"{HOLDING}/r1/C/a.txt"),
            len(OLD),
            ground.kept(OLD_NS),
            blake3(OLD).hexdigest(),
            len(NEW),
            blake3(NEW).hexdigest(),
        )
    ]


def test_what_was_set_aside_is_put_back_as_it_was(ground: Ground) -> None:
    old = ground.standing()
    number = old.stat().st_ino
    ground.restore()
    assert ground.give_back(dry=True).fate is Fate.RETURNED
    assert old.read_bytes() == NEW
    for _ in range(2):  # the second time there is nothing to do
        assert ground.give_back() == Undone(ground.told(), Fate.RETURNED, len(OLD))
        assert (old.read_bytes(), old.stat().st_mtime_ns, old.stat().st_ino) == (OLD, OLD_NS, number)
        assert not list(ground.held.rglob("*.txt"))


def test_what_was_set_aside_is_put_back_where_somebody_has_removed_the_restored_file_and_its_folder(
    ground: Ground,
) -> None:
    old = ground.standing()
    ground.restore()
    old.unlink()
    old.parent.rmdir()
    assert ground.give_back().fate is Fate.RETURNED
    assert old.read_bytes() == OLD


def test_a_file_that_somebody_has_changed_since_is_left_and_so_is_what_was_set_aside(ground: Ground) -> None:
    old = ground.standing()
    ground.restore()
    old.write_bytes(b"worked on")
    found = ground.give_back()
    assert found.fate is Fate.LEFT
    assert "somebody has changed it" in found.message
    assert (old.read_bytes(), (ground.held / "C/a.txt").read_bytes()) == (b"worked on", OLD)


def test_what_was_changed_in_the_holding_folder_is_left_there(ground: Ground) -> None:
    old = ground.standing()
    ground.restore()
    (ground.held / "C/a.txt").write_bytes(b"tampered")
    assert "has been changed" in ground.give_back().message
    assert old.read_bytes() == NEW
    (ground.held / "C/a.txt").unlink()
    assert "is not at" in ground.give_back().message
    assert old.read_bytes() == NEW


def test_a_file_that_is_changed_between_the_look_and_the_move_stays(ground: Ground) -> None:
    old = ground.standing()
    with refused(Reason.LOCKED):
        ground.restore(remember=lambda _: old.write_bytes(b"saved just now") and None)
    assert old.read_bytes() == b"saved just now"
    assert not list(ground.held.rglob("*.txt"))
    assert {path.name for path in old.parent.iterdir()} == {"a.txt"}


def test_a_file_that_is_replaced_between_the_look_and_the_move_stays(ground: Ground) -> None:
    old = ground.standing()

    def replace(_: Aside) -> None:
        put(ground.root / "C/other", b"somebody else's").rename(old)

    with refused(Reason.LOCKED):
        ground.restore(remember=replace)
    assert old.read_bytes() == b"somebody else's"
    assert not list(ground.held.rglob("*.txt"))
    assert {path.name for path in old.parent.iterdir()} == {"a.txt"}


def test_what_others_put_there_while_the_files_change_places_back_is_nobodys_to_remove(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two programs save the file: one between the look and the exchange, one before the exchange back."""
    if ground.unc:
        pytest.skip("a share exchanges no files")
    old = ground.standing()
    calls = itertools.count(1)
    saves = {1: b"saved first", 2: b"saved second"}

    def saved_before(one: Place, other: Place) -> bool:
        put(ground.root / "C/other", saves[next(calls)]).rename(old)
        return exchange(one, other)

    monkeypatch.setattr("orchestrator.files.holding.exchange", saved_before)
    with refused(Reason.LOCKED):
        ground.restore()
    if next(calls) != 3:
        pytest.skip("this file system lets no two files change places")
    contents = {path.read_bytes() for path in (ground.root).rglob("*") if path.is_file()}
    assert contents == {b"saved first", b"saved second"}
    assert old.read_bytes() in contents


def test_what_remembering_or_the_checkpoint_raises_leaves_everything_as_it_was(ground: Ground) -> None:
    old = ground.standing()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ground.restore(remember=fail)
    with pytest.raises(KeyboardInterrupt):
        ground.restore(check=fail)
    assert {path.name: path.read_bytes() for path in old.parent.iterdir()} == {"a.txt": OLD}


def test_a_second_file_of_one_name_is_held_beside_the_first(ground: Ground) -> None:
    old = ground.standing()
    ground.restore()
    put(old, b"worked on")
    ground.restore(data=NEW * 2)
    assert (ground.held / "C/a.txt").read_bytes() == OLD
    assert (ground.held / "C/a.txt.2").read_bytes() == b"worked on"
    first, second = ground.asides
    assert ground.undo().give_back(second, heard).fate is Fate.RETURNED
    assert old.read_bytes() == b"worked on"
    assert ground.undo().give_back(first, heard).fate is Fate.LEFT
    assert old.read_bytes() == b"worked on"


def test_a_file_of_the_same_bytes_and_another_time_is_held_when_the_next_of_its_name_is(ground: Ground) -> None:
    """By its bytes alone it would be taken for what a dead attempt has left of the new one."""
    old = put(ground.root / "C/a.txt", NEW, mtime_ns=OLD_NS, mode=0o640)
    ground.restore()
    put(old, b"worked on")
    ground.restore()
    kept = ground.held / "C/a.txt"
    assert (kept.read_bytes(), kept.stat().st_mtime_ns, kept.stat().st_mode & 0o777) == (NEW, OLD_NS, 0o640)
    assert (ground.held / "C/a.txt.2").read_bytes() == b"worked on"


def test_a_link_planted_at_the_holding_folder_is_not_followed(ground: Ground, tmp_path: Path) -> None:
    old = ground.standing()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for planted in (ground.root / HOLDING, ground.root / HOLDING / "r1"):
        if planted.name == "r1":
            (ground.root / HOLDING).unlink()
            (ground.root / HOLDING).mkdir()
        planted.symlink_to(elsewhere, target_is_directory=True)
        with refused(Reason.OUTSIDE_TARGET) if not ground.unc else pytest.raises(FileError):
            ground.restore()
        assert (old.read_bytes(), list(elsewhere.iterdir())) == (OLD, [])
    assert ground.asides == []


def test_a_folder_or_a_link_where_the_file_belongs_is_not_set_aside(ground: Ground) -> None:
    (ground.root / "C/a.txt").mkdir(parents=True)
    with refused(Reason.TARGET_KIND):
        ground.restore()
    if ground.unc:
        return  # this server follows links, and shows none
    (ground.root / "C/link").symlink_to("a.txt")
    with refused(Reason.OUTSIDE_TARGET):
        ground.restore("C/link")
    assert tree(ground.root) == {"C": None, "C/a.txt": None, "C/link": None}


def test_where_another_file_system_is_mounted_below_the_destination_nothing_is_moved(ground: Ground) -> None:
    with mounted(ground.root / "C", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        old = ground.standing()
        with refused(Reason.NOT_SET_ASIDE):
            ground.restore()
        assert {path.name: path.read_bytes() for path in old.parent.iterdir()} == {"a.txt": OLD}


def test_a_file_that_may_not_be_changed_is_refused_with_the_reason(ground: Ground) -> None:
    old = ground.standing()
    if subprocess.run(["chattr", "+i", old], capture_output=True).returncode:
        pytest.skip("this file system knows no immutable files")
    try:
        with refused(Reason.TARGET_DENIED):
            ground.restore()
        with refused(Reason.TARGET_DENIED):
            ground.target.place(
                source_of(ground.share / "one"), entry_of(ground.share / "one"), ground.path(), True, heard
            )
        assert old.read_bytes() == OLD
    finally:
        subprocess.run(["chattr", "-i", old], check=True)
    assert {path.name for path in old.parent.iterdir()} == {"a.txt"}
    assert not list(ground.held.rglob("*.txt"))


def test_a_read_only_file_is_set_aside_and_comes_back_read_only(ground: Ground) -> None:
    old = ground.standing()
    old.chmod(0o444)
    ground.restore()
    assert ground.give_back().fate is Fate.RETURNED
    assert (old.read_bytes(), old.stat().st_mode & 0o777) == (OLD, 0o444)


def test_a_file_with_several_names_keeps_them(ground: Ground) -> None:
    old = ground.standing()
    os.link(old, ground.root / "C/other name")
    ground.restore()
    assert (ground.root / "C/other name").read_bytes() == OLD
    assert ground.give_back().fate is Fate.RETURNED
    assert old.samefile(ground.root / "C/other name")


def outcome(ground: Ground, data: bytes) -> Outcome:
    return Outcome("g1", "C:\\a.txt", ground.told(), Verdict.RESTORED, len(data), MTIME_NS, blake3(data).hexdigest())


def test_a_restored_file_is_removed_when_it_is_what_the_run_wrote(ground: Ground) -> None:
    file = put(ground.root / "C/a.txt", NEW)
    assert ground.undo(dry=True).take_away(outcome(ground, NEW), ground.path(), heard).fate is Fate.REMOVED
    assert file.exists()
    for other in (NEW[:-1] + b"x", NEW + b"x"):
        assert ground.undo().take_away(outcome(ground, other), ground.path(), heard).fate is Fate.LEFT
    assert ground.undo().take_away(outcome(ground, NEW), ground.path(), heard) == Undone(
        ground.told(), Fate.REMOVED, len(NEW)
    )
    assert not file.exists()
    assert ground.undo().take_away(outcome(ground, NEW), ground.path(), heard).fate is Fate.GONE
    file.parent.rmdir()
    assert ground.undo().take_away(outcome(ground, NEW), ground.path(), heard).fate is Fate.GONE


def test_an_undo_follows_no_link_and_leaves_the_allowed_folders_alone(ground: Ground, tmp_path: Path) -> None:
    secret = put(tmp_path / "elsewhere/a.txt", NEW)
    ground.root.mkdir()
    (ground.root / "C").symlink_to(secret.parent, target_is_directory=True)
    fate = ground.undo().take_away(outcome(ground, NEW), ground.path(), heard).fate
    assert fate is (Fate.GONE if ground.unc else Fate.LEFT)  # a server shows nothing behind such a link
    assert not ground.undo().remove_folder(ground.told("C"))
    assert ground.unc or not ground.undo().remove_folder(str(secret.parent))
    assert secret.read_bytes() == NEW


def test_folders_are_removed_when_they_are_empty_and_it_is_known_which_were_made(ground: Ground) -> None:
    put(ground.root / "C/kept", b"")
    ground.target.make_folder(ground.path("C/new/below"))
    ground.target.make_folder(ground.path("C/new"))
    made = ground.target.take_made()
    assert made == [ground.told("C/new"), ground.told("C/new/below")]
    assert ground.target.take_made() == []
    assert not ground.undo().remove_folder(made[0])
    assert ground.undo().remove_folder(made[1])
    assert ground.undo().remove_folder(made[0])
    assert tree(ground.root) == {"C": None, "C/kept": b""}


def test_what_was_set_aside_is_discarded_only_while_it_is_the_same(ground: Ground) -> None:
    old = ground.standing()
    ground.restore()
    [aside] = ground.asides
    kept = ground.held / "C/a.txt"
    os.utime(kept, ns=(5, 5))
    assert ground.undo().discard(aside).fate is Fate.LEFT
    os.utime(kept, ns=(OLD_NS, OLD_NS))
    assert ground.undo(dry=True).discard(aside).fate is Fate.REMOVED
    assert kept.exists()
    assert ground.undo().discard(aside).fate is Fate.REMOVED
    assert ground.undo().discard(aside).fate is Fate.GONE
    assert (old.read_bytes(), kept.exists()) == (NEW, False)


def test_nothing_is_restored_into_a_holding_folder() -> None:
    from orchestrator.core.paths import PathRefused, target_path

    for name in (HOLDING, HOLDING.upper()):
        with pytest.raises(PathRefused, match="set aside"):
            target_path("/restore/web01", ("srv", name, "r1", "a.txt"))
