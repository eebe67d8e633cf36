"""Where copies land, with everything against it: links, races, full disks, leftovers, long names."""

import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.entries import Entry, EntryKind, FoundKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.paths import PathRefused, SourcePath, TargetPath, target_path
from orchestrator.core.reasons import Reason
from orchestrator.files import Algorithm, LocalTarget, free_space, rename
from orchestrator.files.authors import partial_name
from orchestrator.files.folders import HeldFolder, NamedFolder
from tests.support.disk import MTIME_NS, entry_of, make_deep, mounted, put, source_of, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "restore"
    folder.mkdir()
    return folder


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return put(tmp_path / "share" / "one", b"content")


@pytest.fixture(params=["held", "named"])
def target(request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    if request.param == "named":
        monkeypatch.setattr("orchestrator.files.target.open_root", NamedFolder.root)
    return LocalTarget([str(root)])


def nothing(_: int) -> None:
    """A checkpoint that lets everything pass."""


def place(
    target: LocalTarget,
    one: Path,
    root: Path,
    relative: str,
    check: Callable[[int], None] = nothing,
    *,
    replace: bool = False,
) -> Placed:
    return target.place(source_of(one), entry_of(one), TargetPath(str(root), relative), replace, check)


@contextmanager
def refused(reason: Reason, words: str = "") -> Iterator[None]:
    with pytest.raises(FileError) as caught:
        yield
    assert caught.value.reason is reason
    assert words in str(caught.value)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within the block no file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Links


@pytest.mark.parametrize("relative", ["link/file", "a/link/file", "a/link/b/c/file"])
@pytest.mark.parametrize("leads", ["outside", "inside", "nowhere", "itself"])
def test_a_link_in_the_way_is_never_followed(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path, relative: str, leads: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "b" / "c").mkdir(parents=True)
    (root / "inside" / "b" / "c").mkdir(parents=True)
    link = root / relative[: relative.index("link") + 4]
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(
        {"outside": outside, "inside": root / "inside", "nowhere": tmp_path / "gone", "itself": link}[leads]
    )
    before = tree(root)
    with refused(Reason.OUTSIDE_TARGET, "symbolic link"):
        place(target, one, root, relative)
    with refused(Reason.OUTSIDE_TARGET):
        target.make_folder(TargetPath(str(root), relative))
    with refused(Reason.OUTSIDE_TARGET):
        target.look(TargetPath(str(root), relative))
    with refused(Reason.OUTSIDE_TARGET):
        target.finish_folder(TargetPath(str(root), os.path.dirname(relative)), entry_of(one))
    with refused(Reason.OUTSIDE_TARGET):
        target.check_root(str(link))
    assert tree(root) == before
    assert tree(outside) == {"b": None, "b/c": None}
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_becomes_a_link_after_it_was_used_redirects_nothing(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    place(target, one, root, "a/b/first")
    (root / "a").rename(root / "moved")
    (root / "a").symlink_to(outside)
    (outside / "b").mkdir()
    with refused(Reason.OUTSIDE_TARGET):
        place(target, one, root, "a/b/second")
    assert tree(outside) == {"b": None}


def test_a_folder_that_becomes_a_link_while_a_file_is_copied_redirects_nothing(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    def swap(_: int) -> None:
        (root / "a").rename(root / "moved")
        (root / "a").symlink_to(outside)

    # Over descriptors the copy ends where it began; over names it is refused. Neither writes outside.
    try:
        place(target, one, root, "a/file", swap)
    except FileError:
        assert "a" in tree(root)
    else:
        assert tree(root)["moved/file"] == b"content"
    assert tree(outside) == {}


def test_a_link_under_the_final_name_is_other_and_is_replaced_not_followed(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path
) -> None:
    victim = put(tmp_path / "victim", b"precious")
    (root / "file").symlink_to(victim)
    assert target.look(TargetPath(str(root), "file")).kind is FoundKind.OTHER
    with refused(Reason.EXISTS):
        place(target, one, root, "file")
    assert (root / "file").is_symlink()
    place(target, one, root, "file", replace=True)
    assert tree(root) == {"file": b"content"}
    assert victim.read_bytes() == b"precious"


def test_a_link_under_the_partial_name_is_removed_and_not_followed(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path
) -> None:
    victim = put(tmp_path / "victim", b"precious")
    (root / partial_name("file")).symlink_to(victim)
    place(target, one, root, "file")
    assert tree(root) == {"file": b"content"}
    assert victim.read_bytes() == b"precious"


def test_an_allowed_root_that_is_a_link_is_what_the_config_says(one: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(root)
    target = LocalTarget([str(tmp_path / "named")])
    target.check_root(str(tmp_path / "named" / "fs01"))
    place(target, one, tmp_path / "named", "fs01/file")
    assert tree(root) == {"fs01": None, "fs01/file": b"content"}


def test_a_link_between_the_allowed_root_and_the_destination_is_refused(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path
) -> None:
    (root / "fs01").symlink_to(tmp_path)
    with refused(Reason.OUTSIDE_TARGET):
        target.check_root(str(root / "fs01" / "deep"))
    with refused(Reason.OUTSIDE_TARGET):
        place(target, one, root / "fs01", "file")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    relative=st.one_of(
        st.text(),
        st.lists(
            st.one_of(st.sampled_from(["..", ".", "", "a", "link", "outside", "\\", "C:"]), st.text()), max_size=5
        ).map("/".join),
    )
)
def test_whatever_the_name_nothing_is_written_outside_the_root(
    target: LocalTarget, one: Path, root: Path, tmp_path: Path, relative: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    (root / "link").unlink(missing_ok=True)
    (root / "link").symlink_to(outside)
    fixed = set(os.listdir(tmp_path))
    for make in (lambda: TargetPath(str(root), relative), lambda: target_path(str(root), ["C", *relative.split("/")])):
        try:
            target.place(source_of(one), entry_of(one), make(), True, nothing)
        except (FileError, PathRefused):
            continue
    assert tree(outside) == {}
    assert set(os.listdir(tmp_path)) == fixed
    assert not [name for name in tree(root) if name.endswith("partial")]


# Half-done and leftovers


def test_a_leftover_of_a_killed_run_is_written_over(target: LocalTarget, one: Path, root: Path) -> None:
    put(root / partial_name("file"), b"half of a much longer content", mode=0o400)
    place(target, one, root, "file")
    assert tree(root) == {"file": b"content"}


def test_while_it_is_copied_a_file_has_only_its_partial_name(target: LocalTarget, one: Path, root: Path) -> None:
    seen: list[list[str]] = []
    place(target, one, root, "file", lambda _: seen.append(os.listdir(root)))
    assert seen == [[partial_name("file")]]
    assert partial_name("n" * 255) != partial_name("m" * 255)
    assert len(partial_name("n" * 255)) == 38


@pytest.mark.parametrize("change", ["shrinks", "grows"])
def test_a_source_that_changes_while_it_is_read_is_told_and_leaves_nothing(
    target: LocalTarget, tmp_path: Path, root: Path, change: str
) -> None:
    path = put(tmp_path / "share" / "one", b"x" * 3_000_000)

    def disturb(_: int) -> None:
        if change == "shrinks":
            os.truncate(path, 1_500_000)
        else:
            with path.open("ab") as file:
                file.write(b"more" * 1_000_000)

    with refused(Reason.CHANGED, "listed with 3000000 bytes"):
        place(target, path, root, "file", disturb)
    assert tree(root) == {}


def test_a_source_that_never_ends_does_not_fill_the_disk(target: LocalTarget, root: Path) -> None:
    told: list[int] = []
    entry = Entry("zero", EntryKind.FILE, 2_000_000, MTIME_NS)
    with refused(Reason.CHANGED, "more than 2000000"):
        target.place(source_of(Path("/dev/zero")), entry, TargetPath(str(root), "file"), False, told.append)
    assert sum(told) <= 2_000_000
    assert tree(root) == {}


def test_a_source_that_became_a_pipe_or_a_link_or_a_folder_does_not_hang(
    target: LocalTarget, tmp_path: Path, root: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    for name, reason in (("pipe", Reason.CHANGED), ("link", Reason.LINK_SKIPPED), ("folder", Reason.VANISHED)):
        with refused(reason):
            target.place(
                source_of(tmp_path / name),
                Entry(name, EntryKind.FILE, 5, MTIME_NS),
                TargetPath(str(root), "file"),
                False,
                nothing,
            )
    assert tree(root) == {}


def test_a_second_copy_of_the_same_file_at_the_same_time_is_refused(target: LocalTarget, one: Path, root: Path) -> None:
    second: list[object] = []

    def other() -> None:
        try:
            second.append(place(target, one, root, "file"))
        except FileError as error:
            second.append(error)

    def meanwhile(_: int) -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    place(target, one, root, "file", meanwhile)
    (error,) = second
    assert isinstance(error, FileError)
    assert error.reason is Reason.EXISTS
    assert "another copy of this run" in str(error)
    assert tree(root) == {"file": b"content"}
    place(target, one, root, "file", replace=True)


def test_of_many_copies_of_one_file_exactly_one_wins(target: LocalTarget, tmp_path: Path, root: Path) -> None:
    sources = [put(tmp_path / "share" / str(number), bytes([number]) * 200_000) for number in range(8)]
    barrier = threading.Barrier(8)
    won: list[int] = []
    lost: list[Reason] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            place(target, sources[number], root, "a/file")
        except FileError as error:
            lost.append(error.reason)
        else:
            won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [Reason.EXISTS] * 7
    assert tree(root) == {"a": None, "a/file": bytes(won) * 200_000}


def test_a_file_that_appears_while_copying_is_not_replaced(target: LocalTarget, one: Path, root: Path) -> None:
    with refused(Reason.EXISTS):
        place(target, one, root, "file", lambda _: put(root / "file", b"theirs") and None)
    assert tree(root) == {"file": b"theirs"}


def test_two_orchestrators_at_one_file_do_not_mix_their_bytes(root: Path, one: Path, tmp_path: Path) -> None:
    other = put(tmp_path / "share" / "other", b"the other content")

    def meanwhile(_: int) -> None:
        place(LocalTarget([str(root)]), other, root, "file")

    with refused(Reason.LOCKED, "another program is writing"):
        place(LocalTarget([str(root)]), one, root, "file", meanwhile)
    assert tree(root) == {"file": b"the other content"}


def test_an_orchestrator_that_lost_its_partial_file_leaves_that_of_the_other(
    root: Path, one: Path, tmp_path: Path
) -> None:
    other = put(tmp_path / "share" / "other", b"the other content")

    def lose(_: int) -> None:
        (root / partial_name("file")).unlink()
        put(root / partial_name("file"), b"the other con")

    def lose_and_stop(count: int) -> None:
        lose(count)
        raise TimeoutError

    with refused(Reason.LOCKED):
        place(LocalTarget([str(root)]), one, root, "file", lose)
    with pytest.raises(TimeoutError):
        place(LocalTarget([str(root)]), one, root, "file", lose_and_stop)
    assert tree(root) == {partial_name("file"): b"the other con"}
    place(LocalTarget([str(root)]), other, root, "file")
    assert tree(root) == {"file": b"the other content"}


# Disks


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    large = put(tmp_path / "share" / "large", b"x" * 3_000_000)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as root:
        target = LocalTarget([str(root)])
        with refused(Reason.NO_SPACE, "make room"):
            place(target, large, root, "file")
        assert tree(root) == {}
        assert free_space(str(root / "not" / "there")) == 2 << 20
        target.close()


def test_a_file_too_large_for_the_file_system_is_told_and_leaves_nothing(
    target: LocalTarget, tmp_path: Path, root: Path
) -> None:
    large = put(tmp_path / "share" / "large", b"x" * 3_000_000)
    with largest_file(2_500_000), refused(Reason.WRITE_ERROR, "File too large"):
        place(target, large, root, "file")
    assert tree(root) == {}


def test_a_read_only_destination_is_denied(one: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "fixed", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs") as root:
        target = LocalTarget([str(root)])
        with refused(Reason.TARGET_DENIED):
            target.check_root(str(root / "fs01"))
        with refused(Reason.TARGET_DENIED):
            place(target, one, root, "file")
        with refused(Reason.TARGET_DENIED):
            target.make_folder(TargetPath(str(root), "folder"))
        target.close()


def test_a_folder_that_vanishes_between_two_files_is_made_again(target: LocalTarget, one: Path, root: Path) -> None:
    place(target, one, root, "a/b/first")
    (root / "a/b/first").unlink()
    (root / "a/b").rmdir()
    (root / "a").rmdir()
    place(target, one, root, "a/b/second")
    assert tree(root) == {"a": None, "a/b": None, "a/b/second": b"content"}


def test_an_allowed_root_that_is_missing_is_made(one: Path, tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet"
    target = LocalTarget([str(root)])
    target.check_root(str(root))
    assert not root.exists()
    place(target, one, root, "file")
    assert tree(root) == {"file": b"content"}


def test_an_allowed_root_below_a_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "file")
    with refused(Reason.TARGET_KIND):
        LocalTarget([str(tmp_path / "file" / "restore")]).check_root(str(tmp_path / "file" / "restore"))


def test_folders_held_open_stay_few(one: Path, root: Path) -> None:
    target = LocalTarget([str(root)])
    before = len(os.listdir("/proc/self/fd"))
    for number in range(60):
        place(target, one, root, f"{number}/file")
    assert len(os.listdir("/proc/self/fd")) - before <= 16
    target.close()
    assert len(os.listdir("/proc/self/fd")) == before
    place(target, one, root, "again")


def test_nothing_stays_open_after_failures(one: Path, root: Path) -> None:
    target = LocalTarget([str(root)])
    place(target, one, root, "file")
    before = len(os.listdir("/proc/self/fd"))

    def stop(_: int) -> None:
        raise InterruptedError

    for relative, check in (("file", nothing), ("new", stop), ("file/below", nothing)):
        with pytest.raises((FileError, InterruptedError)):
            place(target, one, root, relative, check)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_durable_target_flushes_file_and_folder(one: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd)))
    place(LocalTarget([str(root)]), one, root, "first")
    assert flushed == []
    place(LocalTarget([str(root)], durable=True), one, root, "second")
    assert flushed == [str(root / partial_name("second")), str(root)]


def test_the_other_checksum_is_sha256(one: Path, root: Path) -> None:
    placed = place(LocalTarget([str(root)], "sha256"), one, root, "file")
    assert placed.checksum == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def test_runs_with_other_checksums_share_one_target(one: Path, root: Path, target: LocalTarget) -> None:
    other = target.hashing("sha256")

    def meanwhile(_: int) -> None:
        with refused(Reason.EXISTS):
            place(target, one, root, "file")

    placed = place(other, one, root, "file", meanwhile)
    assert placed.checksum == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert place(target, one, root, "second").checksum != placed.checksum


@pytest.mark.parametrize(("checksum", "digits"), [("xxh3", 32), ("none", 0)])
def test_a_checksum_may_be_a_quick_one_or_none(one: Path, root: Path, checksum: Algorithm, digits: int) -> None:
    placed = place(LocalTarget([str(root)], checksum), one, root, "file")
    assert len(placed.checksum) == digits
    assert (root / "file").read_bytes() == one.read_bytes()


def test_a_copy_that_reads_back_otherwise_than_it_was_written_is_told_and_never_gets_its_name(
    one: Path, root: Path
) -> None:
    def disturb(_: int) -> None:
        """A disk that writes something else, after the bytes have been counted and hashed."""
        staged = root / partial_name("file")
        staged.write_bytes(bytes([staged.read_bytes()[0] ^ 1]) + staged.read_bytes()[1:])

    with refused(Reason.READ_BACK_DIFFERS):
        place(LocalTarget([str(root)]).hashing("blake3", read_back=True), one, root, "file", disturb)
    assert list(root.iterdir()) == []
    place(LocalTarget([str(root)]), one, root, "file", disturb)
    assert (root / "file").read_bytes() != one.read_bytes(), "a checksum of the stream does not see the disk"


def test_a_copy_is_read_back_before_it_gets_its_name(one: Path, root: Path) -> None:
    read: list[int] = []
    placed = place(LocalTarget([str(root)]).hashing("sha256", read_back=True), one, root, "file", read.append)
    assert placed.checksum == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert (sum(read), len(read)) == (one.stat().st_size, 2), "what is read back is not counted as copied"


# Modes and names


@pytest.mark.parametrize(
    ("source", "copy"), [(0o644, 0o644), (0o444, 0o644), (0o777, 0o755), (0o000, 0o600), (0o6755, 0o755)]
)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_copy_has_the_read_and_execute_bits_of_its_source_and_is_its_owners(
    one: Path, root: Path, source: int, copy: int, umask: int
) -> None:
    one.chmod(source)
    old = os.umask(umask)
    try:
        place(LocalTarget([str(root)]), one, root, "file")
    finally:
        os.umask(old)
    assert (root / "file").stat().st_mode & 0o7777 == copy


def test_a_destination_without_mode_bits_is_still_written(
    one: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    one.chmod(0o755)
    old = os.umask(0o077)
    try:
        place(LocalTarget([str(root)]), one, root, "file")
    finally:
        os.umask(old)
    assert tree(root) == {"file": b"content"}
    assert (root / "file").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name", ["n" * 255, "é" * 127, "caf\u0301", "new\nline", "-rf", "a\\b", "\udcff\udcfe", " ", "CON", "a:b", "🎉"]
)
def test_any_name_that_the_file_system_holds_is_placed(target: LocalTarget, one: Path, root: Path, name: str) -> None:
    place(target, one, root, name)
    assert tree(root) == {name: b"content"}


def test_a_name_that_is_too_long_is_told(target: LocalTarget, one: Path, root: Path) -> None:
    for relative in ("n" * 256, "n" * 256 + "/file"):
        with refused(Reason.TOO_LONG, "shorter destination"):
            place(target, one, root, relative)
        with refused(Reason.TOO_LONG):
            target.look(TargetPath(str(root), relative))
    assert tree(root) == {}


def test_names_that_differ_in_case_only_are_two_files_where_the_disk_says_so(
    target: LocalTarget, one: Path, root: Path
) -> None:
    place(target, one, root, "Plan")
    place(target, one, root, "plan")
    assert tree(root) == {"Plan": b"content", "plan": b"content"}


def test_a_path_longer_than_the_system_takes_is_copied_from_and_to(root: Path, tmp_path: Path) -> None:
    share = tmp_path / "deep"
    share.mkdir()
    relative = make_deep(share, "d" * 200, 25, b"at the bottom")
    target = LocalTarget([str(root)])
    entry = Entry(relative, EntryKind.FILE, 13, MTIME_NS)
    for name in (relative, os.path.dirname(relative) + "/second"):
        target.place(SourcePath(str(share), relative), entry, TargetPath(str(root), name), False, nothing)
        assert target.look(TargetPath(str(root), name)).size == 13


# The ways to rename


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("ways", [1, 2])
def test_where_a_way_to_rename_is_not_offered_the_next_one_is_taken(
    one: Path, root: Path, monkeypatch: pytest.MonkeyPatch, ways: int
) -> None:
    refusing = tuple(failing(errno.EINVAL) for _ in range(ways))
    monkeypatch.setattr(rename, "_WAYS", refusing + rename._WAYS[ways:])
    target = LocalTarget([str(root)])
    place(target, one, root, "file")
    with refused(Reason.EXISTS):
        place(target, one, root, "file")
    assert tree(root) == {"file": b"content"}


def test_a_rename_that_fails_for_another_reason_is_not_tried_in_another_way(
    one: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rename, "_WAYS", (failing(errno.ENOSPC), *rename._WAYS[1:]))
    with refused(Reason.NO_SPACE):
        place(LocalTarget([str(root)]), one, root, "file")
    assert tree(root) == {}


def test_without_the_system_call_the_link_is_taken(root: Path, one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rename, "_system_call", None)
    place(LocalTarget([str(root)]), one, root, "file")
    assert tree(root) == {"file": b"content"}


@pytest.mark.parametrize("way", [HeldFolder, NamedFolder])
@pytest.mark.parametrize("refuses", ["the mark", "always"])
def test_where_a_read_only_mark_stops_a_rename_it_gives_way_and_stays_when_that_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: type[HeldFolder] | type[NamedFolder], refuses: str
) -> None:
    real = os.replace

    def as_on_windows(old: str, new: str, **where: Any) -> None:
        marked = not (tmp_path / "to" / "file").stat().st_mode & 0o200
        if marked or refuses == "always":
            raise PermissionError(errno.EACCES, "Access is denied", new)
        real(old, new, **where)

    monkeypatch.setattr("orchestrator.files.target.open_root", way.root)
    standing = put(tmp_path / "to" / "file", b"old", mode=0o444)
    new = put(tmp_path / "share" / "new", b"new")
    target = LocalTarget([str(tmp_path / "to")])
    words = source_of(new), entry_of(new), TargetPath(str(tmp_path / "to"), "file"), True, lambda _: None
    monkeypatch.setattr("os.replace", as_on_windows)
    if refuses == "always":
        with pytest.raises(FileError, match="Access is denied: the account may not write"):
            target.place(*words)
        assert (standing.read_bytes(), standing.stat().st_mode & 0o777) == (b"old", 0o444)
        return
    target.place(*words)
    assert standing.read_bytes() == b"new"
