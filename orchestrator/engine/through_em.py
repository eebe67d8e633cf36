"""The files of a mount through Enterprise Manager itself, for a share that cannot be reached: a `Source` beside the
local one and the one by UNC path. Folders are walked by EM's paged browse, files are downloaded.

Its methods block, as those of every source, and are called in threads of the event loop's; each question to EM goes
over to the loop and is waited for. EM tells names, sizes and times of files in whole seconds, and nothing of
attributes, permissions or links.
"""

import asyncio
import math
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from anyio import CancelScope, current_effective_deadline, from_thread

from orchestrator.core.catalog import Browsed, BrowsedPage, Listed, Listing, ShareListing
from orchestrator.core.coming import AT_HAND, Coming
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import EmError, FileError, Forbidden, NotFound, SessionEnded
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import href_below, parse_em_root
from orchestrator.engine.downloading import Download
from orchestrator.engine.ports import Beat
from orchestrator.engine.ports_files import MountedFiles
from orchestrator.engine.pulse import Abandoned

PAGES_LIMIT = 100_000
"""Pages of one folder that are read at most."""

LISTED_AT_MOST = 3
"""Times that a folder is listed which changes while it is."""

ODD_LINKS = 10_000
"""Links of files that are remembered because they are not what their names would make them."""

Result = TypeVar("Result")


class ThroughEm:
    """Fulfils the port Source for roots that `core.roads.em_root` makes."""

    def __init__(self, files: MountedFiles, poll_most: float) -> None:
        self._files = files
        self._poll_most = poll_most
        self._odd: OrderedDict[tuple[str, str], str] = OrderedDict()

    def folders(self, share: str, beat: Beat) -> ShareListing:
        raise OSError(f"{share} is no share: it is read through Enterprise Manager")

    def listing(self, folder: SourcePath, beat: Beat) -> Listing:
        """The direct children of a folder; OSError when it cannot be listed."""
        generation, href = parse_em_root(folder.root)
        at = href_below(href, folder.relative) if folder.relative else href
        try:
            return {one.name: one.listed for page in self._pages(at, folder.relative, generation, beat) for one in page}
        except _Changing:
            raise OSError(f"{folder.relative}: {_Changing.text}") from None
        except EmError as error:
            if isinstance(error, SessionEnded):
                raise
            raise OSError(str(error)) from error

    def look(self, path: SourcePath, beat: Beat) -> Entry | None:
        """The entry at `path`, found without regard to letter case unless two names answer; None if there is none."""
        generation, href = parse_em_root(path.root)
        found = Browsed("", href, Listed(True))
        done: list[str] = []
        try:
            self._page(href, "", generation)
            for wanted in (name for name in path.relative.split("/") if name):
                if not found.listed.folder or _unusable(wanted):
                    return None
                inside = self._named(found.href, wanted, "/".join(done), generation, beat)
                if inside is None:
                    return None
                done.append(inside.name)
                found = inside
        except NotFound:
            return None
        except _Changing:
            return _unreadable("/".join(done), Reason.CHANGED, _Changing.text)
        except EmError as error:
            if isinstance(error, SessionEnded):
                raise
            return _unreadable(path.relative, _reason(error), str(error))
        return self._entry(path.root, "/".join(done), found)

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]:
        """Everything below `start`, a page at a time, folders before their content. What cannot be read is an
        `UNREADABLE` entry; SessionEnded when the mount has gone with its session."""
        generation, href = parse_em_root(start.root)
        at = href_below(href, start.relative) if start.relative else href
        waiting = deque([(start.relative, at)])
        while waiting:
            folder, at = waiting.popleft()
            try:
                for page in self._pages(at, folder, generation, beat):
                    batch: list[Entry] = []
                    for one in page:
                        entry = self._entry(start.root, f"{folder}/{one.name}".lstrip("/"), one)
                        if entry.kind is EntryKind.FOLDER:
                            if not enters(entry.relative):
                                continue
                            waiting.append((entry.relative, one.href or href_below(at, one.name)))
                        batch.append(entry)
                    yield batch
            except _Changing:
                yield [_unreadable(folder, Reason.CHANGED, _Changing.text)]
            except EmError as error:
                if isinstance(error, SessionEnded):
                    raise
                yield [_unreadable(folder, _reason(error), str(error))]

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        """Nothing is asked for ahead: every file that EM makes ready takes room on its disk."""
        return AT_HAND

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        """EM tells nothing of a file beside its bytes and its time."""
        return Properties(modified_ns=entry.mtime_ns or None)

    def open(self, path: SourcePath, entry: Entry) -> Download:
        """A file to be read. EM is asked for it at the first read; FileError then, when it cannot be had."""
        generation, href = parse_em_root(path.root)
        at = self._odd.get((path.root, path.relative)) or href_below(href, path.relative)
        return Download(self._files, at, entry, generation, self._poll_most, self.wait)

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Download:
        """EM shows no named streams: FileError."""
        what = f"{entry.relative}: {name!r}: Enterprise Manager gives no streams"
        raise FileError(reason=Reason.VANISHED, guest_path=entry.relative, what=what)

    def close(self) -> None:
        """Nothing is held open."""

    def wait(self, question: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Ask on the event loop, and wait in this thread. Abandoned when nobody waits for the thread any more."""
        answers: list[Result] = []

        async def asked() -> None:
            # A scope that is cancelled may be left before a task in it is told; it would then go round for ever. So a
            # question that has begun is brought to its end, which its time limits see to, or the end of the loop.
            if current_effective_deadline() > -math.inf:
                with suppress(asyncio.CancelledError), CancelScope(shield=True):
                    answers.append(await question())

        try:
            from_thread.run(asked)
        except (CancelledError, asyncio.CancelledError):
            raise Abandoned from None
        if not answers:
            raise Abandoned
        return answers[0]

    def _page(self, href: str, folder: str, generation: int) -> BrowsedPage:
        return self.wait(lambda: self._files.page(href, folder or "the volume", generation))

    def _pages(self, href: str, folder: str, generation: int, beat: Beat) -> Iterator[list[Browsed]]:
        """The content of a folder, page by page, each name once. A folder that changes while it is listed is listed
        again for what was missed; _Changing when it does not come to rest."""
        told: set[str] = set()
        for _ in range(LISTED_AT_MOST):
            seen, counts = set[str](), set[int | None]()
            target, asked, twice = href, set[str](), False
            while target:
                if target in asked or len(asked) >= PAGES_LIMIT:
                    raise _Changing
                asked.add(target)
                page = self._page(target, folder, generation)
                beat()
                if page.entries:
                    counts.add(page.pages)
                names = [one.name for one in page.entries]
                twice = twice or len(seen.union(names)) < len(seen) + len(names)
                seen.update(names)
                fresh = [one for one in {one.name: one for one in page.entries}.values() if one.name not in told]
                told.update(names)
                if fresh:
                    yield fresh
                target = page.following
            if not twice and len(counts) <= 1 and seen == told:
                return
        raise _Changing

    def _named(self, href: str, wanted: str, folder: str, generation: int, beat: Beat) -> Browsed | None:
        """The entry of a folder that answers to a name: the exact one, else the only one that differs in case."""
        alike: list[Browsed] = []
        for page in self._pages(href, folder, generation, beat):
            for one in page:
                if one.name == wanted:
                    return _with_href(one, href)
                if _key(one.name) == _key(wanted):
                    alike.append(one)
        return _with_href(alike[0], href) if len(alike) == 1 else None

    def _entry(self, root: str, relative: str, one: Browsed) -> Entry:
        if one.name and _unusable(one.name):
            what = f"Enterprise Manager lists {one.name!r}, which is no name of a file"
            return _unreadable(relative, Reason.NAME_UNUSABLE, what)
        if one.listed.folder:
            return Entry(relative, EntryKind.FOLDER)
        if one.listed.size is None:
            return _unreadable(relative, Reason.READ_ERROR, f"{relative}: Enterprise Manager tells no size")
        self._remember(root, relative, one.href)
        return Entry(relative, EntryKind.FILE, one.listed.size, (one.listed.modified or 0) * 1_000_000_000)

    def _remember(self, root: str, relative: str, href: str) -> None:
        """Keep EM's own link to a file where it is not what the file's name would make it."""
        if not href or href.partition("?")[0] == href_below(parse_em_root(root)[1], relative):
            return
        with suppress(KeyError):
            if len(self._odd) >= ODD_LINKS:
                self._odd.popitem(last=False)
        self._odd[root, relative] = href.partition("?")[0]


class _Changing(Exception):
    text = "the folder does not come to rest while Enterprise Manager lists it; what was found of it is restored"


def _with_href(one: Browsed, folder: str) -> Browsed:
    return one if one.href else replace(one, href=href_below(folder, one.name))


def _unusable(name: str) -> bool:
    return name in ("", ".", "..") or "/" in name or "\x00" in name


def _key(name: str) -> str:
    """Equal for two spellings of one name: letter case and the composition of accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _unreadable(relative: str, reason: Reason, message: str) -> Entry:
    return Entry(relative, EntryKind.UNREADABLE, reason=reason, message=message)


def _reason(error: EmError) -> Reason:
    if isinstance(error, Forbidden):
        return Reason.ACCESS_DENIED
    return Reason.VANISHED if isinstance(error, NotFound) else Reason.READ_ERROR
