"""One selection walked, copied and finished over real folders: what its job wants beside the bytes is there."""

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core.entries import Entry, Outcome, Placed, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Card, Kept, LinkPolicy, Metadata, Property, Wishes
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath, TargetPath, parse_guest_path
from orchestrator.core.plan import MountGroup, Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.select import Selector
from orchestrator.engine.copying import Copier
from orchestrator.engine.finishing import Folders, finish
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.walking import Terms, Walk
from orchestrator.files import LocalSource, LocalTarget, Sidecar
from tests.core.values import point
from tests.support.disk import MTIME_NS, put, tree
from tests.support.filesystems import ACCESS

FULL = Wishes(Metadata.FULL)


class Restore:
    """A guest's file system, and where it is restored to."""

    def __init__(self, folder: Path) -> None:
        self.share, self.root = folder / "share", folder / "root"
        self.share.mkdir()
        self.root.mkdir()
        self.target = LocalTarget([str(self.root)]).hashing("blake3", Sidecar(folder / "state"))
        self.codes: Counter[str] = Counter()

    def run(self, wishes: Wishes, policy: Conflict = Conflict.SKIP, path: str = "/") -> dict[str, Outcome]:
        """The outcomes by guest path."""
        selection = Selection((parse_guest_path(path),), (), (), str(self.root), policy, 1, wishes=wishes)
        group = MountGroup("g1", point("lx01"), None, (selection,))
        volume = Volume("/", "/", (), SourcePath(str(self.share), ""))
        below = tuple(name for name in path.split("/") if name)
        source, folders, done = LocalSource(), Folders(), list[Outcome]()
        walk = Walk(source, group, selection, Selector((), (), ignore_case=False), volume, (below,))
        terms = Terms("g1", "lx01", datetime(2026, 11, 20, tzinfo=UTC), "r1")
        copier = Copier(source, self.target, terms, lambda _: None, lambda: False, lambda _: None)
        while batch := walk.next_batch(lambda: None):
            for work in batch.works:
                if work.entry.kind.value == "folder":
                    folders.add(work)
            copier.perform(batch, done, begun())
        self.codes = finish(folders, source, self.target, lambda: None)
        return {one.guest_path: one for one in done}


def begun() -> Pulse:
    async def made() -> Pulse:
        return Pulse()

    return anyio.run(made)


@pytest.fixture
def restore(tmp_path: Path) -> Restore:
    return Restore(tmp_path)


def shown(outcome: Outcome) -> tuple[Verdict, Reason | None]:
    return outcome.verdict, outcome.reason


def test_a_read_only_folder_takes_its_files_and_is_read_only_then(restore: Restore) -> None:
    put(restore.share / "a" / "b" / "file", mode=0o440)
    (restore.share / "a" / "b").chmod(0o555)
    os.utime(restore.share / "a", ns=(MTIME_NS, MTIME_NS))
    done = restore.run(FULL)
    assert shown(done["/a/b/file"]) == (Verdict.RESTORED, None)
    assert (restore.root / "a" / "b").stat().st_mode & 0o7777 == 0o555
    assert (restore.root / "a").stat().st_mtime_ns == MTIME_NS
    assert Card.of(restore.codes.items()).count(Property.MODE, Kept.KEPT) == 2


def test_a_file_that_is_there_already_gets_what_it_lacks(restore: Restore) -> None:
    put(restore.share / "file", mode=0o640)
    os.setxattr(restore.share / "file", "user.colour", b"blue")
    restore.run(Wishes())
    (restore.root / "file").chmod(0o777)
    done = restore.run(FULL)["/file"]
    assert shown(done) == (Verdict.SKIPPED, Reason.UNCHANGED)
    assert done.fidelity[Property.XATTRS] is Kept.KEPT
    assert os.getxattr(restore.root / "file", "user.colour") == b"blue"
    assert (restore.root / "file").stat().st_mode & 0o7777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_program_that_is_there_already_gets_no_rights_and_loses_none(restore: Restore) -> None:
    """Its size and time are no proof that it is the backed-up one."""
    put(restore.share / "program", b"backup", mode=0o755)
    (restore.share / "program").chmod(0o6755)
    planted = put(restore.root / "program", b"planted"[:6], mode=0o755)
    os.chown(planted, 1000, 1000)
    done = restore.run(FULL)["/program"]
    assert (shown(done), done.fidelity[Property.MODE]) == ((Verdict.SKIPPED, Reason.UNCHANGED), Kept.SIDECAR)
    assert (planted.stat().st_mode & 0o7777, planted.stat().st_uid) == (0o755, 0)
    planted.unlink()
    for _ in range(2):
        assert restore.run(FULL)["/program"].fidelity[Property.MODE] is Kept.KEPT
        assert planted.stat().st_mode & 0o7777 == 0o6755


def test_another_file_that_is_there_and_stays_is_not_touched(restore: Restore) -> None:
    put(restore.share / "file", mode=0o640)
    there = put(restore.root / "file", b"somebody else's", mode=0o600)
    assert shown(restore.run(FULL)["/file"]) == (Verdict.SKIPPED, Reason.EXISTS)
    assert there.stat().st_mode & 0o7777 == 0o600


def test_permissions_only_changes_no_content_and_refuses_what_is_not_there(restore: Restore) -> None:
    put(restore.share / "a" / "file", b"backed up", mode=0o640)
    put(restore.share / "a" / "gone")
    os.setxattr(restore.share / "a" / "file", "system.posix_acl_access", ACCESS)
    (restore.share / "a").chmod(0o710)
    there = put(restore.root / "a" / "file", b"changed since", mode=0o777, mtime_ns=MTIME_NS + 7)
    before = (restore.root / "a").stat().st_mtime_ns
    done = restore.run(Wishes(Metadata.PERMISSIONS))
    assert shown(done["/a/file"]) == (Verdict.RESTORED, None)
    assert (done["/a/file"].size, done["/a/file"].checksum) == (0, "")
    assert shown(done["/a/gone"]) == (Verdict.REFUSED, Reason.NOT_THERE)
    assert (there.read_bytes(), there.stat().st_mtime_ns) == (b"changed since", MTIME_NS + 7)
    assert there.stat().st_mode & 0o7777 == 0o640
    assert os.getxattr(there, "system.posix_acl_access") == ACCESS
    folder = (restore.root / "a").stat()
    assert (folder.st_mode & 0o7777, folder.st_mtime_ns) == (0o710, before)
    assert sorted(tree(restore.root)) == ["a", "a/file"]


def test_permissions_only_makes_nothing(restore: Restore) -> None:
    put(restore.share / "a" / "b" / "file")
    done = restore.run(Wishes(Metadata.PERMISSIONS))
    assert {shown(one) for one in done.values()} == {(Verdict.REFUSED, Reason.NOT_THERE)}
    assert tree(restore.root) == {}


def test_names_of_one_file_are_names_of_one_copy(restore: Restore) -> None:
    put(restore.share / "a" / "one", b"content")
    (restore.share / "b").mkdir()
    for name in ("a/two", "b/three"):
        os.link(restore.share / "a" / "one", restore.share / name)
    put(restore.share / "b" / "alone", b"content")
    done = restore.run(FULL)
    inodes = {(restore.root / name).stat().st_ino for name in ("a/one", "a/two", "b/three")}
    assert len(inodes) == 1
    assert (restore.root / "b" / "alone").stat().st_nlink == 1
    assert [done[name].fidelity.get(Property.HARD_LINK) for name in ("/a/one", "/a/two", "/b/three")] == [
        None,
        Kept.KEPT,
        Kept.KEPT,
    ]
    assert len({one.checksum for one in done.values()}) == 1
    again = restore.run(FULL)
    assert {shown(one) for one in again.values()} == {(Verdict.SKIPPED, Reason.UNCHANGED)}


def test_a_resumed_restore_goes_on_linking(restore: Restore) -> None:
    put(restore.share / "one", b"content")
    os.link(restore.share / "one", restore.share / "two")
    restore.run(FULL)
    (restore.root / "two").unlink()
    done = restore.run(FULL)
    assert shown(done["/two"]) == (Verdict.RESTORED, None)
    assert (restore.root / "one").stat().st_ino == (restore.root / "two").stat().st_ino


def test_the_next_name_gets_the_copy_when_the_first_could_not(restore: Restore) -> None:
    put(restore.share / "one", b"content")
    for name in ("two", "zoo"):
        os.link(restore.share / "one", restore.share / name)
    (restore.root / "one").mkdir()
    done = restore.run(FULL)
    assert shown(done["/one"]) == (Verdict.REFUSED, Reason.TARGET_KIND)
    assert (restore.root / "two").read_bytes() == b"content"
    assert (restore.root / "two").stat().st_ino == (restore.root / "zoo").stat().st_ino


def test_a_name_that_is_taken_is_dealt_with_as_the_job_says(restore: Restore) -> None:
    put(restore.share / "one", b"content")
    os.link(restore.share / "one", restore.share / "two")
    put(restore.root / "two", b"somebody else's")
    assert shown(restore.run(FULL)["/two"]) == (Verdict.SKIPPED, Reason.EXISTS)
    assert shown(restore.run(FULL, Conflict.OVERWRITE)["/two"]) == (Verdict.RESTORED, None)
    assert (restore.root / "one").stat().st_ino == (restore.root / "two").stat().st_ino


def test_a_copy_that_fails_is_not_begun_again_on_the_spot(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(restore.share / "one", b"content")
    os.link(restore.share / "one", restore.share / "two")
    put(restore.root / "two", b"somebody else's")
    place, tried = restore.target.place, list[str]()

    def failing(source: SourcePath, entry: Entry, target: TargetPath, *more: Any) -> Placed:
        tried.append(entry.relative)
        if entry.relative == "two":
            raise FileError(reason=Reason.READ_ERROR, guest_path="/two", what="the share answered with an error")
        return place(source, entry, target, *more)

    monkeypatch.setattr(restore.target, "place", failing)
    done = restore.run(FULL, Conflict.RENAME)["/two"]
    assert (shown(done), done.fidelity) == ((Verdict.FAILED, Reason.READ_ERROR), {})
    assert tried == ["one", "two"]


def test_without_full_every_name_is_a_file_of_its_own(restore: Restore) -> None:
    put(restore.share / "one", b"content")
    os.link(restore.share / "one", restore.share / "two")
    restore.run(Wishes())
    assert (restore.root / "one").stat().st_nlink == 1


def test_a_file_whose_other_names_are_elsewhere_is_copied_and_forgotten(restore: Restore) -> None:
    put(restore.share / "inside" / "one", b"content")
    put(restore.share / "outside" / "x")
    os.link(restore.share / "inside" / "one", restore.share / "outside" / "two")
    done = restore.run(FULL, path="/inside")
    assert {name: shown(one)[0] for name, one in done.items()} == {"/inside/one": Verdict.RESTORED}


LINK = replace(FULL, links=LinkPolicy.LINK)


def test_links_are_refused_made_or_left_as_the_job_says(restore: Restore) -> None:
    os.symlink("/etc/shadow", restore.share / "link")
    assert shown(restore.run(FULL)["/link"]) == (Verdict.REFUSED, Reason.LINK_SKIPPED)
    assert shown(restore.run(LINK)["/link"]) == (Verdict.RESTORED, None)
    assert os.readlink(restore.root / "link") == "/etc/shadow"
    assert shown(restore.run(LINK)["/link"]) == (Verdict.SKIPPED, Reason.UNCHANGED)
    (restore.share / "link").unlink()
    os.symlink("elsewhere", restore.share / "link")
    assert shown(restore.run(LINK)["/link"]) == (Verdict.SKIPPED, Reason.EXISTS)
    assert shown(restore.run(LINK, Conflict.OVERWRITE)["/link"]) == (Verdict.RESTORED, None)
    assert os.readlink(restore.root / "link") == "elsewhere"


def test_a_file_where_a_link_belongs_is_never_replaced(restore: Restore) -> None:
    os.symlink("elsewhere", restore.share / "link")
    put(restore.root / "link", b"a file")
    assert shown(restore.run(LINK, Conflict.OVERWRITE)["/link"]) == (Verdict.REFUSED, Reason.TARGET_KIND)
    assert (restore.root / "link").read_bytes() == b"a file"
