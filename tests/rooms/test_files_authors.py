"""Partial files of several machines that come to write the same file, one after the other."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties, Wishes
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.core.paths import TargetPath
from orchestrator.files import Author, LocalTarget
from orchestrator.files.authors import partial_name
from tests.support.disk import entry_of, put, source_of, tree

FROZEN, NEXT = "a1" * 16, "b2" * 16
CONTENT = b"the same in every copy" * 100_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "restore"
    folder.mkdir()
    return folder


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return put(tmp_path / "share" / "one", CONTENT)


def target_of(
    root: Path, id: str, predecessors: Sequence[str] = (), check: Callable[[], None] = lambda: None
) -> LocalTarget:
    """A destination as another process has it."""
    author = Author(id, predecessors, check)
    return LocalTarget([str(root)]).hashing("blake3", author=author)


def place(
    target: LocalTarget, one: Path, root: Path, check: Callable[[int], None] = lambda _: None, *, replace: bool = False
) -> Placed:
    return target.place(source_of(one), entry_of(one), TargetPath(str(root), "file"), replace, check)


class Frozen:
    """A worker that is frozen with a whole copy just before it names it, and goes on when it is thawed."""

    def __init__(self, one: Path, root: Path, *, replace: bool) -> None:
        self._stands, self._thawed = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._copy, args=(one, root, replace))
        self._thread.start()
        assert self._stands.wait(10)

    def _copy(self, one: Path, root: Path, replace: bool) -> None:
        try:
            place(target_of(root, FROZEN, check=self._freeze), one, root, replace=replace)
        except BaseException as error:
            self.error = error

    def _freeze(self) -> None:
        self._stands.set()
        assert self._thawed.wait(10)

    def thaw(self) -> None:
        self._thawed.set()
        self._thread.join(10)


@pytest.mark.parametrize("replace", [False, True])
def test_who_was_frozen_before_the_rename_names_no_copy_of_the_next_and_not_its_own(
    one: Path, root: Path, replace: bool
) -> None:
    if replace:
        put(root / "file", b"older")
    before = tree(root)
    frozen = Frozen(one, root, replace=replace)
    seen: list[dict[str, bytes | None]] = []

    def half_way(_: int) -> None:
        if not seen:
            frozen.thaw()
            seen.append({name: content for name, content in tree(root).items() if "partial" not in name})

    placed = place(target_of(root, NEXT, [FROZEN]), one, root, half_way, replace=replace)
    assert seen == [before], "nothing was named while the next was half way"
    assert isinstance(frozen.error, FileError)
    assert placed.size == len(CONTENT)
    assert tree(root) == {"file": CONTENT}


def test_who_was_frozen_before_the_rename_names_its_whole_copy_while_nobody_has_begun_anew(
    one: Path, root: Path
) -> None:
    frozen = Frozen(one, root, replace=False)
    frozen.thaw()
    assert frozen.error is None
    assert tree(root) == {"file": CONTENT}


def test_who_may_write_no_more_names_nothing_and_leaves_nothing(one: Path, root: Path) -> None:
    def over() -> None:
        raise MemberDead(seconds=4)

    with pytest.raises(MemberDead):
        place(target_of(root, FROZEN, check=over), one, root)
    assert tree(root) == {}


def test_what_a_killed_worker_has_left_is_removed_by_the_next_and_what_others_write_is_not(
    one: Path, root: Path
) -> None:
    for id in (FROZEN, NEXT, "c3" * 16):
        put(root / Author(id).partial("file"), b"half")
    place(target_of(root, NEXT, ["d4" * 16, FROZEN]), one, root)
    assert tree(root) == {"file": CONTENT, Author("c3" * 16).partial("file"): b"half"}


def test_links_and_further_names_have_partial_names_of_their_author_too(one: Path, root: Path) -> None:
    before = {name: put(root / Author(FROZEN).partial(name), b"") for name in ("link", "again")}
    target = target_of(root, NEXT, [FROZEN])
    place(target, one, root)
    there = Entry("link", EntryKind.LINK)
    target.link(source_of(one), there, TargetPath(str(root), "link"), Properties(link_to="file"), False, Wishes())
    target.name_again(TargetPath(str(root), "file"), TargetPath(str(root), "again"), False)
    assert (root / "link").readlink() == Path("file")
    assert (root / "again").samefile(root / "file")
    assert not any(path.exists() for path in before.values())
    assert {path.name for path in root.iterdir()} == {"file", "link", "again"}


def test_a_process_alone_has_the_names_that_it_always_had() -> None:
    assert Author().partial("file") == partial_name("file")
    assert Author().strays("file") == []
    assert len({Author(id).partial("file") for id in ("", FROZEN, NEXT)}) == 3
    assert all(Author(id).partial("n" * 255).endswith(".orchestrator-partial") for id in ("", FROZEN))
