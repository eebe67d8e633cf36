"""Destinations by UNC path, against a real Samba: what it cannot hold, what stands in the way, what breaks off."""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.errors import DrillLeft, FileError
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.files.authors import partial_name
from orchestrator.files.smb import Account, Reaching, SmbTarget, partial
from orchestrator.files.smb.packets import PLAIN, Command, Request, close, create, created
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.shares import Shares
from orchestrator.files.smb.status import OK, SHARING_VIOLATION
from tests.support.disk import MTIME_NS, entry_of, mounted, put, source_of, tree
from tests.support.samba import PASSWORD, Samba, samba, smb_source, smb_target, wire

NUMBERS = itertools.count()
READ_DATA, DELETE = 0x00100081, 0x00110080
LARGE = 5 * (1 << 20) + 12_345
KEPT_NS = MTIME_NS // 100 * 100


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    with samba({"restore$": tmp_path_factory.mktemp("served")}, mangled_names="no") as running:
        yield running


@pytest.fixture
def folder(server: Samba) -> Path:
    """A folder of the share for one test alone."""
    made = server.shares["restore$"] / f"test-{next(NUMBERS)}"
    made.mkdir()
    return made


class Ground:
    """A target that may write to a folder of a share, and a place where sources are put."""

    def __init__(self, target: SmbTarget, root: str, disk: Path, local: Path) -> None:
        self.target, self.root, self.disk, self.local = target, root, disk, local

    def place(
        self,
        relative: str,
        data: bytes = b"content",
        *,
        replace: bool = False,
        check: Callable[[int], None] = lambda _: None,
    ) -> Placed:
        path = put(self.local / "one", data)
        return self.target.place(source_of(path), entry_of(path), TargetPath(self.root, relative), replace, check)


@contextmanager
def ground(server: Samba, folder: Path, local: Path, **more: object) -> Iterator[Ground]:
    root = server.unc("restore$", folder.name)
    with closing(smb_target(server, [root], **more)) as target:
        yield Ground(target, root, folder, local)


@contextmanager
def own_server(tmp_path: Path, **options: str) -> Iterator[Ground]:
    """As `ground`, on a server of its own with these options."""
    folder = tmp_path / "served" / "x"
    folder.mkdir(parents=True, exist_ok=True)
    with samba({"restore$": tmp_path / "served"}, **options) as one, ground(one, folder, tmp_path) as land:
        yield land


class Another:
    """Another client of a server, which opens things as it likes."""

    def __init__(self, server: Samba) -> None:
        reaching = Reaching(Account(server.user, PASSWORD, "here"), server.port)
        self._shares = Shares(lambda unc: reaching)
        self._open: list[tuple[Live, bytes]] = []

    def close(self) -> None:
        """Let go of everything; at the server too when this returns."""
        for live, handle in self._open:
            live.connection.wait(live.connection.ask([close(handle)]))
        self._shares.close()

    def opens(self, path: str, access: int, *, sharing: int = 7) -> int:
        """The status of opening a path, which then stays open."""
        share, name = self._shares.at(path)
        live = share.live()
        live.connection.wait(asked := live.connection.ask([create(name, access, 0, 1, sharing)]))
        answer = asked.answer(0)
        if answer.status == OK:
            self._open.append((live, created(answer.message).handle))
        return answer.status


def refused(reason: Reason) -> "pytest.RaisesExc[FileError]":
    return pytest.RaisesExc(FileError, check=lambda error: error.reason is reason)


# Writing


@pytest.mark.parametrize("algorithm", ["AES-128-GMAC", "AES-128-CMAC", "HMAC-SHA256"])
@pytest.mark.parametrize("durable", [False, True])
def test_files_of_every_size_arrive_whole_with_every_way_to_sign(tmp_path: Path, algorithm: str, durable: bool) -> None:
    (tmp_path / "served").mkdir()
    old = {"server_max_protocol": "SMB2_10"} if algorithm.startswith("HMAC") else {}
    own = {"server_smb3_signing_algorithms": algorithm, **old}
    with samba({"restore$": tmp_path / "served"}, **own) as one:
        root = one.unc("restore$")
        with closing(smb_target(one, [root], durable=durable, by_batch=not durable)) as target:
            land = Ground(target, root, tmp_path / "served", tmp_path)
            for size in (0, 1, 65_536, 65_537, 1 << 20, (1 << 20) + 1, LARGE):
                data = os.urandom(size)
                assert land.place(f"a/f{size}", data) == Placed(size, blake3(data).hexdigest())
                assert (land.disk / "a" / f"f{size}").read_bytes() == data
                assert (land.disk / "a" / f"f{size}").stat().st_mtime_ns == KEPT_NS
            target.flush()
            assert len(os.listdir(land.disk / "a")) == 7


@pytest.mark.parametrize("cipher", ["AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"])
def test_files_arrive_whole_with_every_way_to_encrypt(tmp_path: Path, cipher: str) -> None:
    own = {"server_smb_encrypt": "required", "server_smb3_encryption_algorithms": cipher}
    with own_server(tmp_path, **own) as land:
        land.place("large", large := os.urandom(LARGE))
        land.place("small", b"small")
        assert tree(land.disk) == {"large": large, "small": b"small"}


def test_a_server_that_takes_small_writes_and_grants_few_credits_gets_all(tmp_path: Path) -> None:
    own = {"smb2_max_write": "65536", "smb2_max_trans": "65536", "smb2_max_credits": "128"}
    with own_server(tmp_path, **own) as land:
        land.place("large", large := os.urandom(LARGE))
        land.place("small", small := os.urandom(65_536))
        assert tree(land.disk) == {"large": large, "small": small}


def test_from_share_to_share_of_one_server_every_byte_arrives(server: Samba, folder: Path, tmp_path: Path) -> None:
    for size in (0, 5, LARGE):
        put(folder / "from" / str(size), os.urandom(size))
    with closing(smb_source(server)) as source, ground(server, folder, tmp_path, opening=source.open) as land:
        for size in (0, 5, LARGE):
            entry = Entry(str(size), EntryKind.FILE, size, MTIME_NS)
            source.expect(land.root + r"\from", [entry])
            path = SourcePath(land.root + r"\from", str(size))
            land.target.place(path, entry, TargetPath(land.root, f"to/{size}"), False, lambda _: None)
    assert tree(folder / "from") == tree(folder / "to")


def test_many_threads_write_over_two_connections_and_each_file_is_its_own(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    data = {f"{number % 7}/{number}": os.urandom(number * 97) for number in range(300)}
    for name, one in data.items():
        put(tmp_path / name, one)
    with ground(server, folder, tmp_path) as land:

        def write_some(first: int) -> None:
            for name in list(data)[first::8]:
                path = tmp_path / name
                land.target.place(source_of(path), entry_of(path), TargetPath(land.root, name), False, lambda _: None)

        threads = [threading.Thread(target=write_some, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {name: one for name, one in tree(folder).items() if one is not None} == data


# Names


@pytest.mark.parametrize(
    "name",
    [
        "CON",
        "nul.txt",
        "lpt1",
        "dot.",
        "space ",
        "a?b",
        "a*b",
        'a"b',
        "a|b",
        "a<b",
        "a\x01b",
        "half\ud83d",
        "raw\udcff",
    ],
)
def test_a_name_that_windows_cannot_hold_is_refused(server: Samba, folder: Path, tmp_path: Path, name: str) -> None:
    with ground(server, folder, tmp_path) as land:
        for relative in (name, f"{name}/below"):
            with refused(Reason.NAME_UNUSABLE):
                land.place(relative)
        assert tree(folder) == {}


@pytest.mark.parametrize("name", ["..", "../x", "a/../../x", "a\\..\\..\\x", "C:\\x", "stream:of", "a//b", ""])
def test_a_name_that_leads_elsewhere_is_refused(server: Samba, folder: Path, tmp_path: Path, name: str) -> None:
    with ground(server, folder, tmp_path) as land, refused(Reason.OUTSIDE_TARGET):
        land.place(name)


def test_a_name_longer_than_the_share_takes_is_refused(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        with refused(Reason.TOO_LONG):
            land.place("n" * 256)
        land.place("n" * 255)
        assert list(tree(folder)) == ["n" * 255]


def test_a_path_longer_than_the_protocol_can_say_is_refused(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land, refused(Reason.TOO_LONG):
        land.target.verify_file(land.root + 129 * ("\\" + "n" * 255), "blake3", lambda _: None)
    request = create("n" * 32_767, READ_DATA, 0)
    assert len(request.body) == 56 + 65_534
    with pytest.raises(OSError, match="longer than SMB can say"):
        create("n" * 32_768, READ_DATA, 0)


def test_the_second_of_two_names_that_differ_in_case_is_refused(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        assert land.target.folds_case(land.root)
        land.place("Plan.txt", b"first")
        with refused(Reason.EXISTS):
            land.place("PLAN.TXT", b"second")
        assert land.target.look(TargetPath(land.root, "plan.TXT")) == Found(FoundKind.FILE, 5, KEPT_NS)
        assert tree(folder) == {"Plan.txt": b"first"}


def test_a_look_at_a_folder_whose_listing_breaks_off_is_done_again(server: Samba, folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(folder / name, b"content")
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        assert land.target.look(TargetPath(land.root, "none")) == NOTHING
        line.cut_when, line.cuts = is_about(Command.CREATE, down=True), 1
        assert land.target.look(TargetPath(land.root, "two")) == Found(FoundKind.FILE, 7, KEPT_NS)
        assert line.cuts == 0


def test_a_share_that_tells_case_apart_holds_both(tmp_path: Path) -> None:
    with own_server(tmp_path, case_sensitive="yes") as land:
        assert not land.target.folds_case(land.root)
        land.place("Plan.txt", b"first")
        assert land.target.look(TargetPath(land.root, "PLAN.TXT")) == NOTHING
        land.place("PLAN.TXT", b"second")
        assert tree(land.disk) == {"Plan.txt": b"first", "PLAN.TXT": b"second"}


# What stands in the way


def test_what_another_program_has_put_there_meanwhile_is_seen(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        land.place("a/mine")
        assert land.target.look(TargetPath(land.root, "a/theirs")) == NOTHING
        put(folder / "a" / "theirs", b"theirs")
        with refused(Reason.EXISTS):
            land.place("a/theirs")
        assert land.target.look(TargetPath(land.root, "a/theirs")) == Found(FoundKind.FILE, 6, KEPT_NS)
        assert tree(folder) == {"a": None, "a/mine": b"content", "a/theirs": b"theirs"}


def test_the_leftovers_of_a_killed_run_are_written_over(server: Samba, folder: Path, tmp_path: Path) -> None:
    put(folder / partial_name("small"), b"leftover that is longer than the file")
    put(folder / partial_name("large"), b"leftover")
    with ground(server, folder, tmp_path) as land:
        land.place("small", b"small")
        land.place("large", large := os.urandom(LARGE))
        assert tree(folder) == {"small": b"small", "large": large}


def test_a_link_under_the_partial_name_is_removed_and_not_followed(server: Samba, folder: Path, tmp_path: Path) -> None:
    put(folder / "victim", b"victim")
    (folder / partial_name("file")).symlink_to(folder / "victim")
    with ground(server, folder, tmp_path) as land:
        land.place("file", b"content")
    assert (folder / "victim").read_bytes() == b"victim"
    assert not (folder / "file").is_symlink()
    assert (folder / "file").read_bytes() == b"content"


def test_a_read_only_file_is_replaced_when_the_job_says_so(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        land.place("file", b"old")
        (folder / "file").chmod(0o444)
        with refused(Reason.EXISTS):
            land.place("file", b"new")
        land.place("file", b"new", replace=True)
        assert tree(folder) == {"file": b"new"}


def test_a_file_that_another_program_holds_is_locked_and_left(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        land.place("file", b"old")
        with closing(Another(server)) as another:
            assert another.opens(land.root + r"\file", READ_DATA, sharing=0) == OK
            with refused(Reason.LOCKED):
                land.place("file", b"new", replace=True)
        assert tree(folder) == {"file": b"old"}


def test_a_file_that_another_orchestrator_is_writing_is_locked(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path / "a") as first, ground(server, folder, tmp_path / "b") as second:
        refusals = []

        def check(_: int) -> None:
            if not refusals:
                with refused(Reason.LOCKED) as told:
                    second.place("file", os.urandom(LARGE))
                refusals.append(told)

        first.place("file", os.urandom(LARGE), check=check)
        assert len(refusals) == 1
        assert tree(folder) == {"file": (tmp_path / "a" / "one").read_bytes()}


def test_a_folder_that_was_removed_meanwhile_is_made_again(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        land.place("a/b/one")
        (folder / "a" / "b" / "one").unlink()
        (folder / "a" / "b").rmdir()
        (folder / "a").rmdir()
        land.place("a/b/two")
        assert tree(folder) == {"a": None, "a/b": None, "a/b/two": b"content"}


def test_while_it_is_written_to_no_client_can_put_a_link_in_the_place_of_a_folder(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    with ground(server, folder, tmp_path) as land:
        land.place("a/one")
        with closing(Another(server)) as another:
            assert another.opens(land.root + r"\a", DELETE) == SHARING_VIOLATION
            land.target.forget_interrupted()
            assert another.opens(land.root + r"\a", DELETE) == OK


# Refusals of the server


def test_a_flush_that_is_refused_names_its_file_and_is_charged_to_no_other_run(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    with ground(server, folder, tmp_path, by_batch=True) as land:
        runs = [land.target.hashing("blake3") for _ in range(2)]
        for name, land.target in zip(("whole", "theirs", "other"), (runs[0], runs[0], runs[1]), strict=True):
            land.place(name)
        with closing(Another(server)) as another:
            assert another.opens(land.root + r"\theirs", READ_DATA, sharing=1) == OK
            runs[1].flush()
            for _ in range(2):  # a batch that was not flushed is asked for again
                with pytest.raises(FileError, match=r"theirs: the file is held by another program"):
                    runs[0].flush()
        runs[0].flush()


def test_a_destination_that_may_not_be_written_is_refused_before_and_while_copying(
    server: Samba, tmp_path: Path
) -> None:
    with own_server(tmp_path, read_list=server.user) as land:
        with refused(Reason.TARGET_DENIED):
            land.target.check_root(land.root)
        with refused(Reason.TARGET_DENIED):
            land.place("file")
        assert tree(land.disk) == {}


def test_a_share_that_is_not_there_is_said(server: Samba, tmp_path: Path) -> None:
    with closing(smb_target(server, [server.unc("nowhere")])) as target:
        with pytest.raises(FileError, match="the server has no such share"):
            target.check_root(server.unc("nowhere", "x"))
        with pytest.raises(FileError, match="the server has no such share"):
            target.free_space(server.unc("nowhere"))


@pytest.mark.parametrize("size", [900_000, LARGE])
def test_a_full_share_is_no_space_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    with mounted(tmp_path / "served" / "x", "-t", "tmpfs", "-o", "size=4m", "tmpfs"), own_server(tmp_path) as land:
        assert land.target.free_space(land.root) <= 4 << 20
        (land.disk / "filler").write_bytes(bytes(3_500_000))
        with refused(Reason.NO_SPACE):
            land.place("file", bytes(size))
        assert os.listdir(land.disk) == ["filler"]


def test_free_space_is_that_of_the_share(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        status = os.statvfs(folder)
        there = land.target.free_space(land.root + r"\not\there\yet")
        assert abs(there - status.f_bavail * status.f_frsize) < 1 << 30
        assert tree(folder) == {}


# Breaking off


def is_about(command: int, *, down: bool) -> Callable[[bytes, bool], bool]:
    """Whether a frame begins with a request, or (`down`) an answer, of this kind."""
    return lambda data, downwards: downwards is down and data[4:8] == PLAIN and data[16] == command


@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("command", [Command.CREATE, Command.SET_INFO])
@pytest.mark.parametrize("replace", [True, False])
def test_what_is_lost_of_a_small_file_is_done_again_and_what_is_done_is_not(
    server: Samba, folder: Path, tmp_path: Path, command: Command, down: bool, replace: bool
) -> None:
    """The first frame makes and fills the partial file, the second renames it; lost on its way or on the way back."""
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        land.place("a/before")
        if replace:
            put(folder / "a" / "file", b"old")
        line.cut_when, line.cuts = is_about(command, down=down), 1
        assert land.place("a/file", b"new", replace=replace) == Placed(3, blake3(b"new").hexdigest())
        assert line.cuts == 0
        assert tree(folder) == {"a": None, "a/before": b"content", "a/file": b"new"}
        assert (folder / "a" / "file").stat().st_mtime_ns == KEPT_NS


def test_a_rename_that_was_lost_does_not_take_the_place_of_what_came_there_meanwhile(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        land.place("before")

        def lost(data: bytes, down: bool) -> bool:
            cut = is_about(Command.SET_INFO, down=False)(data, down)
            if cut:
                put(folder / "file", b"theirs")
            return cut

        line.cut_when, line.cuts = lost, 1
        with refused(Reason.EXISTS):
            land.place("file", b"content")
        assert tree(folder) == {"before": b"content", "file": b"theirs"}


@pytest.mark.parametrize("first", [0, 1])
def test_a_large_file_goes_on_inside_when_its_connection_is_cut_and_cut_again(
    server: Samba, folder: Path, tmp_path: Path, first: int
) -> None:
    data = os.urandom(12 << 20)  # more than is under way at once, so that answers come at least twice
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        land.place("before")
        answers = [first, 1]

        def late(frame: bytes, down: bool) -> bool:
            if not is_about(Command.WRITE, down=True)(frame, down):
                return False
            answers[0] -= 1
            if answers[0] >= 0:
                return False
            del answers[0]
            return True

        line.cut_when, line.cuts = late, 2
        assert land.place("file", data) == Placed(len(data), blake3(data).hexdigest())
        assert line.cuts == 0
        assert tree(folder) == {"before": b"content", "file": data}


@pytest.mark.parametrize(("size", "command"), [(7, Command.SET_INFO), (LARGE, Command.WRITE)])
def test_a_server_that_goes_away_for_good_is_an_error_and_no_file(
    server: Samba, folder: Path, tmp_path: Path, size: int, command: Command
) -> None:
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        land.place("before")

        def gone(frame: bytes, down: bool) -> bool:
            cut = is_about(command, down=False)(frame, down)
            if cut:
                line.close()
            return cut

        line.cut_when, line.cuts = gone, 1
        with refused(Reason.WRITE_ERROR):
            land.place("file", bytes(size))
        assert "file" not in os.listdir(folder)


def interrupted(land: Ground, data: bytes, after: int) -> None:
    """Copy `file`, and be stopped when `after` bytes have been copied."""
    taken: list[int] = []

    def check(count: int) -> None:
        taken.append(count)
        if sum(taken) >= after:
            raise TimeoutError("stopped")

    with pytest.raises(TimeoutError):
        land.place("file", data, check=check)


def test_a_large_file_that_was_interrupted_is_gone_on_with_in_the_same_run(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    data = os.urandom(8 << 20)
    with ground(server, folder, tmp_path, continue_from=1 << 20, block=1 << 20) as land:
        interrupted(land, data, 5 << 20)
        assert (folder / partial_name("file")).stat().st_size == 5 << 20
        reads: list[int] = []
        with counting_writes(reads):
            land.place("file", data)
        assert sum(reads) == 3 << 20
        assert tree(folder) == {"file": data}


def test_an_interrupted_file_whose_source_has_another_content_is_begun_anew(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    with ground(server, folder, tmp_path, continue_from=1 << 20, block=1 << 20) as land:
        interrupted(land, os.urandom(8 << 20), 5 << 20)
        land.place("file", other := os.urandom(8 << 20))
        assert tree(folder) == {"file": other}


def test_a_file_that_is_begun_anew_while_its_begun_part_is_read_again_is_whole_and_so_is_its_checksum(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    """The connection breaks in the middle of that reading, and the begun part is gone when there is another."""
    data = os.urandom(12 << 20)
    large = {"continue_from": 1 << 20, "block": 1 << 20}
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port, **large) as land:
        interrupted(land, data, 10 << 20)
        heard = 0

        def lost(frame: bytes, down: bool) -> bool:
            nonlocal heard
            heard += len(frame) if down else 0
            cut = heard > 5 << 20
            if cut:
                (folder / partial_name("file")).unlink()
            return cut

        line.cut_when, line.cuts = lost, 1
        assert land.place("file", data) == Placed(len(data), blake3(data).hexdigest())
        assert line.cuts == 0
        assert tree(folder) == {"file": data}


def test_what_another_run_has_interrupted_is_not_gone_on_with(server: Samba, folder: Path, tmp_path: Path) -> None:
    data = os.urandom(8 << 20)
    with ground(server, folder, tmp_path, continue_from=1 << 20, block=1 << 20) as land:
        interrupted(land, data, 5 << 20)
        writes: list[int] = []
        later = ground(server, folder, tmp_path, continue_from=1 << 20, block=1 << 20)
        with later as other, counting_writes(writes):
            other.place("file", data)
        assert sum(writes) == 8 << 20
        assert tree(folder) == {"file": data}


def test_when_a_run_is_over_nothing_is_left_of_what_was_interrupted(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    with ground(server, folder, tmp_path, continue_from=1 << 20, block=1 << 20) as land:
        interrupted(land, os.urandom(8 << 20), 5 << 20)
        land.target.forget_interrupted()
        assert tree(folder) == {}


@pytest.mark.parametrize(("command", "size", "cuts"), [(Command.READ, LARGE, 1), (Command.SET_INFO, 7, 2)])
def test_when_a_run_is_over_nothing_is_left_of_what_the_connection_broke_off(
    server: Samba, folder: Path, tmp_path: Path, command: Command, size: int, cuts: int
) -> None:
    """While it is read back, and twice while it gets its name: then the partial file is out of reach."""
    with wire(server.port) as line, ground(server, folder, tmp_path, port=line.port) as land:
        land.target = land.target.hashing("blake3", read_back=True)
        land.place("before")
        line.cut_when, line.cuts = is_about(command, down=False), cuts
        with refused(Reason.WRITE_ERROR):
            land.place("file", bytes(size))
        assert line.cuts == 0
        land.target.forget_interrupted()
        assert tree(folder) == {"before": b"content"}


@contextmanager
def counting_writes(writes: list[int]) -> Iterator[None]:
    """The lengths of all large writes that are sent meanwhile."""
    original = partial.write

    def counted(content: bytes, *more: Any) -> Request:
        writes.append(len(content))
        return original(content, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial, "write", counted)
        yield


# Reading again, and removing


def test_a_copy_that_is_read_back_has_arrived(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        land.target = land.target.hashing("sha256", read_back=True)
        for size in (0, 5, LARGE):
            data = os.urandom(size)
            assert land.place(str(size), data) == Placed(size, hashlib.sha256(data).hexdigest())
            assert (folder / str(size)).read_bytes() == data


@pytest.mark.parametrize("size", [5, LARGE])
def test_a_copy_that_reads_back_as_another_is_refused_and_gone(
    server: Samba, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """As if the server's memory or disk had changed a byte on the way."""
    with ground(server, folder, tmp_path) as land:
        land.target = land.target.hashing("blake3", read_back=True)
        content_of = partial.data
        flipped = lambda message, asked: memoryview(b"!" + bytes(content_of(message, asked))[1:])  # noqa: E731
        monkeypatch.setattr(partial, "data", flipped)
        with refused(Reason.READ_BACK_DIFFERS):
            land.place("file", bytes(size))
        assert tree(folder) == {}


def test_a_copy_is_read_again_from_the_share(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land:
        for size in (0, 5, LARGE):
            placed = land.place(f"a/{size}", os.urandom(size))
            told: list[int] = []
            path = land.root + rf"\a\{size}"
            assert land.target.verify_file(path, "blake3", told.append) == (placed.size, placed.checksum)
            assert sum(told) == size
        for name in ("a", "nothing"):
            with pytest.raises(FileError):
                land.target.verify_file(land.root + "\\" + name, "blake3", told.append)


def test_a_folder_is_removed_with_all_that_is_in_it_and_no_link_is_followed(
    server: Samba, folder: Path, tmp_path: Path
) -> None:
    put(folder / "kept", b"kept")
    with ground(server, folder, tmp_path) as land:
        for number in range(150):
            land.place(f"drill/{number % 3}/{number}")
        (folder / "drill" / "0" / "3").chmod(0o444)
        (folder / "drill" / "link").symlink_to(folder / "kept")
        assert land.target.remove_scratch(land.root + r"\drill") >= 150
        assert tree(folder) == {"kept": b"kept"}
        assert land.target.remove_scratch(land.root + r"\drill") == 0
        with pytest.raises(DrillLeft, match=r"targets\.allow"):
            land.target.remove_scratch(server.unc("restore$"))


def test_a_folder_is_removed_however_deep_it_is(server: Samba, folder: Path, tmp_path: Path) -> None:
    deep = folder / "drill"
    deep.mkdir()
    for _ in range(600):
        deep /= "d"
        deep.mkdir()
    put(deep / "file", b"content")
    with ground(server, folder, tmp_path) as land:
        assert land.target.remove_scratch(land.root + r"\drill") == 1
        assert os.listdir(folder) == []


def test_what_cannot_be_removed_is_said(server: Samba, folder: Path, tmp_path: Path) -> None:
    with ground(server, folder, tmp_path) as land, closing(Another(server)) as another:
        land.place("drill/held")
        assert another.opens(land.root + r"\drill\held", READ_DATA, sharing=1) == OK
        with pytest.raises(DrillLeft, match="another program holds the file"):
            land.target.remove_scratch(land.root + r"\drill")
        assert tree(folder) == {"drill": None, "drill/held": b"content"}
