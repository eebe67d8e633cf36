"""Files of a mount through Enterprise Manager, as the engine sees them: names, pages, and the bytes of one file."""

import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from orchestrator.core.catalog import Browsed, BrowsedPage, Listed, Task, TaskPhase
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import EmFault, FileError, Forbidden, NotFound, SessionEnded
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import em_root, href_below
from orchestrator.engine.pulse import Abandoned, Progress
from orchestrator.engine.through_em import ThroughEm

ROOT = "/api/vmRestorePoints/1/mounts/1/C:"
AT = SourcePath(em_root(1, ROOT), "")


@dataclass
class Piece:
    """An answer with a body that comes in pieces."""

    data: bytes
    announced: int | None = None
    closed: bool = False

    async def read(self, most: int) -> bytes:
        piece, self.data = self.data[: min(most, 3)], self.data[min(most, 3) :]
        return piece

    def close(self) -> None:
        self.closed = True


@dataclass
class Files:
    """What EM lists and gives; `errors` are raised by href."""

    pages: Mapping[str, BrowsedPage] = field(default_factory=dict)
    gives: Callable[[], Piece] = lambda: Piece(b"hello")
    errors: Mapping[str, Exception] = field(default_factory=dict)
    end: Task = field(default_factory=lambda: Task("/api/tasks/1", TaskPhase.FINISHED, True, download=f"{ROOT}/f?d"))
    asked: list[str] = field(default_factory=list)

    async def page(self, href: str, name: str, generation: int) -> BrowsedPage:
        if href in self.errors:
            raise self.errors[href]
        if href not in self.pages:
            raise NotFound(what=name, cause="gone")
        return self.pages[href]

    async def stage(self, href: str, name: str, generation: int) -> Task:
        self.asked.append(href)
        if href in self.errors:
            raise self.errors[href]
        return Task("/api/tasks/1", TaskPhase.RUNNING)

    async def fetch(self, href: str, name: str, generation: int) -> Piece:
        self.asked.append(href)
        return self.gives()

    async def task(self, href: str, generation: int) -> Task:
        return self.end

    async def forget_task(self, href: str, generation: int) -> None:
        self.asked.append(f"forgotten {href}")


class Direct(ThroughEm):
    """Asks at once, instead of crossing over to an event loop."""

    def wait(self, question: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return anyio.run(question)


def source(files: Files) -> Direct:
    return Direct(files, 1.0)


def still() -> None:
    """Nobody waits."""


def file(name: str, size: int | None = 5, href: str = "") -> Browsed:
    return Browsed(name, href, Listed(False, size, 1_700_000_000))


def folder(name: str, href: str = "") -> Browsed:
    return Browsed(name, href, Listed(True))


def entry(size: int = 5) -> Entry:
    return Entry("f", EntryKind.FILE, size, 1)


def read(files: Files, size: int = 5, buffer: int = 8) -> bytes:
    reader, data = source(files).open(SourcePath(AT.root, "f"), entry(size)), b""
    try:
        while piece := bytes(reader.read(bytearray(buffer))):
            data += piece
            if len(data) == size:
                return data
    finally:
        reader.close()
    return data


def test_a_scan_gives_folders_before_their_content_and_follows_ems_own_links() -> None:
    odd = "/api/vmRestorePoints/1/mounts/1/C:/b%20c?action=listAll&pageSize=100&page=1"
    pages = {
        ROOT: BrowsedPage((folder("b c", odd), folder("plain"), file("x")), "/next"),
        "/next": BrowsedPage((file("y"),)),
        odd: BrowsedPage((file("in"),)),
        f"{ROOT}/plain": BrowsedPage(()),
    }
    found = [one for batch in source(Files(pages)).scan(AT, lambda _: True, still) for one in batch]
    assert [one.relative for one in found] == ["b c", "plain", "x", "y", "b c/in"]
    assert found[2] == Entry("x", EntryKind.FILE, 5, 1_700_000_000 * 10**9)
    entered = [one for batch in source(Files(pages)).scan(AT, lambda at: at != "b c", still) for one in batch]
    assert [one.relative for one in entered] == ["plain", "x", "y"]


@dataclass
class Slow(Files):
    """Is asked three times before a file is ready. `seen` is when the thread was thought to move, each time; it is
    taken for long ago then."""

    pulse: Progress = field(default_factory=Progress)
    seen: list[float | None] = field(default_factory=list)

    async def task(self, href: str, generation: int) -> Task:
        self.seen.append(self.pulse.last)
        self.pulse.last = 0.0
        return self.end if len(self.seen) == 3 else Task(href, TaskPhase.RUNNING)


@pytest.mark.parametrize(("size", "moves"), [(10 << 30, True), (0x400, False)])
def test_while_em_makes_a_large_file_ready_its_thread_is_not_taken_for_one_that_hangs(size: int, moves: bool) -> None:
    pulse = Progress()
    files = Slow(pulse=pulse)
    pulse.check()
    with pytest.raises(FileError, match="listed with"):
        read(files, size)
    assert [bool(last) for last in files.seen] == [True, moves, moves]


@pytest.mark.parametrize("name", [".", "..", "a/b", "../x", "n\x00l"])
@pytest.mark.parametrize("bad", [file, folder])
def test_a_name_that_is_none_is_told_and_leads_nowhere(name: str, bad: Callable[[str], Browsed]) -> None:
    files = Files({ROOT: BrowsedPage((bad(name), file("good")))})
    batches = source(files).scan(AT, lambda _: True, still)
    kinds = {one.kind: one.reason for batch in batches for one in batch}
    assert kinds == {EntryKind.UNREADABLE: Reason.NAME_UNUSABLE, EntryKind.FILE: None}


def test_a_file_without_a_size_is_not_taken_for_an_empty_one() -> None:
    [[one]] = source(Files({ROOT: BrowsedPage((file("x", None),))})).scan(AT, lambda _: True, still)
    assert (one.kind, one.reason) == (EntryKind.UNREADABLE, Reason.READ_ERROR)


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_walked() -> None:
    pages = {ROOT: BrowsedPage((folder("a"), folder("b"))), f"{ROOT}/b": BrowsedPage((file("in"),))}
    errors = {f"{ROOT}/a": Forbidden(what="a", cause="no")}
    found = [one for batch in source(Files(pages, errors=errors)).scan(AT, lambda _: True, still) for one in batch]
    assert [(one.relative, one.reason) for one in found if one.kind is not EntryKind.FOLDER] == [
        ("a", Reason.ACCESS_DENIED),
        ("b/in", None),
    ]


def test_pages_that_lead_in_a_circle_end_and_are_told() -> None:
    pages = {ROOT: BrowsedPage((file("x"),), "/2"), "/2": BrowsedPage((file("y"),), ROOT)}
    found = [one for batch in source(Files(pages)).scan(AT, lambda _: True, still) for one in batch]
    assert [one.kind for one in found] == [EntryKind.FILE, EntryKind.FILE, EntryKind.UNREADABLE]


def test_the_end_of_the_session_ends_the_walk() -> None:
    files = Files(errors={ROOT: SessionEnded(what="401")})
    with pytest.raises(SessionEnded):
        list(source(files).scan(AT, lambda _: True, still))
    with pytest.raises(SessionEnded):
        source(files).look(AT, still)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ""),
        ("Shares", "Shares"),
        ("SHARES/plan.TXT", "Shares/Plan.txt"),
        ("Shares/two", "Shares/two"),
        ("Shares/TWO", None),
        ("Shares/Plan.txt/below", None),
        ("gone", None),
        ("..", None),
    ],
)
def test_a_path_is_looked_up_name_by_name(asked: str, found: str | None) -> None:
    pages = {
        ROOT: BrowsedPage((folder("Shares"),)),
        f"{ROOT}/Shares": BrowsedPage((file("Plan.txt"), file("Two"), file("two"))),
    }
    looked = source(Files(pages)).look(SourcePath(AT.root, asked), still)
    assert (looked and looked.relative) == found


def test_a_volume_that_is_gone_is_nothing() -> None:
    assert source(Files()).look(AT, still) is None


def test_a_file_comes_whole_and_its_task_is_given_back() -> None:
    files = Files()
    assert read(files) == b"hello"
    assert files.asked == [f"{ROOT}/f", f"{ROOT}/f?d", "forgotten /api/tasks/1"]


def test_an_empty_file_costs_no_request() -> None:
    files = Files()
    assert read(files, 0) == b""
    assert files.asked == []


@pytest.mark.parametrize(
    ("files", "reason", "said"),
    [
        (Files(gives=lambda: Piece(b"")), Reason.READ_ERROR, "gave no bytes of a file of 5"),
        (Files(gives=lambda: Piece(b"hel")), Reason.READ_ERROR, "gave 3 bytes of a file listed with 5"),
        (Files(gives=lambda: Piece(b"hello", 4)), Reason.READ_ERROR, "announced 4 bytes of a file listed with 5"),
        (Files(gives=lambda: Piece(b"hello!", 6)), Reason.READ_ERROR, "announced 6 bytes of a file listed with 5"),
        (
            Files(end=Task("t", TaskPhase.FINISHED, False, "no room.")),
            Reason.READ_ERROR,
            "ready for a download: no room",
        ),
        (Files(end=Task("t", TaskPhase.FINISHED, True)), Reason.READ_ERROR, "and not where it can be had"),
        (Files(errors={f"{ROOT}/f": Forbidden(what="f", cause="no")}), Reason.ACCESS_DENIED, "forbid downloads"),
        (Files(errors={f"{ROOT}/f": NotFound(what="f", cause="no")}), Reason.VANISHED, "does not have it"),
        (Files(errors={f"{ROOT}/f": EmFault(status=500, what="f", cause="x")}), Reason.READ_ERROR, "answers 500"),
    ],
)
def test_a_file_that_is_not_whole_is_an_error_with_its_reason(files: Files, reason: Reason, said: str) -> None:
    with pytest.raises(FileError, match=said) as failed:
        read(files)
    assert failed.value.reason is reason


def test_reading_goes_on_from_any_place() -> None:
    files = Files(gives=lambda: Piece(b"hello world", 11))
    reader = source(files).open(SourcePath(AT.root, "f"), entry(11))
    reader.seek(6)
    assert bytes(reader.read(bytearray(2))) == b"wo"
    reader.seek(2)
    assert bytes(reader.read(bytearray(3))) == b"llo"
    reader.close()
    assert files.asked.count(f"{ROOT}/f") == 1


@pytest.mark.parametrize(
    ("relative", "href"),
    [
        ("Projects A/2025", f"{ROOT}/Projects%20A/2025"),
        ("100% & more; #1?/a+b=c", f"{ROOT}/100%25%20%26%20more%3B%20%231%3F/a%2Bb%3Dc"),
        ("Übersicht", f"{ROOT}/%C3%9Cbersicht"),
        ("$RECYCLE.BIN", f"{ROOT}/$RECYCLE.BIN"),
        ("", ROOT),
    ],
)
def test_a_path_is_encoded_name_by_name(relative: str, href: str) -> None:
    assert href_below(ROOT, relative) == href
    assert href_below(f"{ROOT}/?action=listAll", "x") == f"{ROOT}/x"


def test_ems_own_link_to_a_file_goes_before_the_one_its_name_would_make() -> None:
    own = "/api/vmRestorePoints/1/mounts/1/c:/documentation%2014/offers.docx"
    files = Files({ROOT: BrowsedPage((file("f", 5, own),))})
    through = source(files)
    list(through.scan(AT, lambda _: True, still))
    through.open(SourcePath(AT.root, "f"), entry()).read(bytearray(8))
    assert files.asked[0] == own


async def test_a_download_that_nobody_waits_for_any_more_asks_no_more() -> None:
    scope, over = anyio.CancelScope(), threading.Event()

    class Never(Files):
        async def task(self, href: str, generation: int) -> Task:
            scope.cancel()
            return Task(href, TaskPhase.RUNNING)

    reading = ThroughEm(Never(), 0.01).open(SourcePath(AT.root, "f"), Entry("f", EntryKind.FILE, 5, 1))

    def read() -> None:
        try:
            reading.read(bytearray(10))
        except Abandoned:
            over.set()

    with scope:
        await anyio.to_thread.run_sync(read, abandon_on_cancel=True)
    while not over.is_set():  # noqa: ASYNC110 - a thread that was given up tells nobody
        await anyio.sleep(0.001)
