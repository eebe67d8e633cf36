"""Shares wherever they lie: in folders that the system opens, or at a server that is spoken to by UNC path."""

from collections.abc import Callable, Iterable, Iterator

from orchestrator.core.catalog import Listing, ShareListing
from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.files.local import LocalSource
from orchestrator.files.readers import Reader
from orchestrator.files.smb.source import SmbSource
from orchestrator.files.walk import Beat, unheard


class Sources:
    """Fulfils the port Source for both; the share's path decides."""

    def __init__(self, local: LocalSource, smb: SmbSource) -> None:
        self._local, self._smb = local, smb

    def close(self) -> None:
        """Break off every connection."""
        self._smb.close()

    def folders(self, share: str, beat: Beat = unheard) -> ShareListing:
        return self._of(share).folders(share, beat)

    def listing(self, folder: SourcePath, beat: Beat = unheard) -> Listing:
        return self._of(folder.root).listing(folder, beat)

    def look(self, path: SourcePath, beat: Beat = unheard) -> Entry | None:
        return self._of(path.root).look(path, beat)

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat = unheard) -> Iterator[list[Entry]]:
        return self._of(start.root).scan(start, enters, beat)

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> None:
        self._of(root).expect(root, entries, properties)

    def open(self, path: SourcePath, entry: Entry) -> Reader:
        return self._of(path.root).open(path, entry)

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Reader:
        return self._of(path.root).open_stream(path, entry, name)

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        return self._of(path.root).properties(path, entry)

    def _of(self, root: str) -> LocalSource | SmbSource:
        return self._smb if root.startswith("\\\\") else self._local
