"""Shares wherever they lie: in folders that the system opens, or elsewhere, as the beginning of a root says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from orchestrator.core.catalog import Listing, ShareListing
from orchestrator.core.coming import Coming
from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.files.local import LocalSource
from orchestrator.files.readers import Reader
from orchestrator.files.walk import Beat, unheard


class Elsewhere(Protocol):
    """What reads shares that the system does not open."""

    def close(self) -> None: ...

    def folders(self, share: str, beat: Beat) -> ShareListing: ...

    def listing(self, folder: SourcePath, beat: Beat) -> Listing: ...

    def look(self, path: SourcePath, beat: Beat) -> Entry | None: ...

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]: ...

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming: ...

    def open(self, path: SourcePath, entry: Entry) -> Reader: ...

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Reader: ...

    def properties(self, path: SourcePath, entry: Entry) -> Properties: ...


class Sources:
    """Fulfils the port Source for all of them. `elsewhere` has, by the beginning of its roots, what reads them."""

    def __init__(self, local: LocalSource, elsewhere: Mapping[str, Elsewhere]) -> None:
        self._local, self._elsewhere = local, elsewhere

    def close(self) -> None:
        """Break off every connection."""
        for one in self._elsewhere.values():
            one.close()

    def folders(self, share: str, beat: Beat = unheard) -> ShareListing:
        return self._of(share).folders(share, beat)

    def listing(self, folder: SourcePath, beat: Beat = unheard) -> Listing:
        return self._of(folder.root).listing(folder, beat)

    def look(self, path: SourcePath, beat: Beat = unheard) -> Entry | None:
        return self._of(path.root).look(path, beat)

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat = unheard) -> Iterator[list[Entry]]:
        return self._of(start.root).scan(start, enters, beat)

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        return self._of(root).expect(root, entries, properties)

    def open(self, path: SourcePath, entry: Entry) -> Reader:
        return self._of(path.root).open(path, entry)

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Reader:
        return self._of(path.root).open_stream(path, entry, name)

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        return self._of(path.root).properties(path, entry)

    def _of(self, root: str) -> "LocalSource | Elsewhere":
        return next((one for start, one in self._elsewhere.items() if root.startswith(start)), self._local)
