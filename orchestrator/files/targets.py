"""Destinations wherever they lie: in folders that the system opens, or at a server that is spoken to by UNC path."""

from collections.abc import Callable, Mapping

from orchestrator.core.entries import Entry, Found, Placed
from orchestrator.core.fidelity import BASIC, Fidelity, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.replaced import Aside
from orchestrator.core.sidecar import Left
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.checksums import Algorithm
from orchestrator.files.readers import StreamReader
from orchestrator.files.sidecar import Sidecar
from orchestrator.files.smb.target import SmbTarget
from orchestrator.files.target import LocalTarget
from orchestrator.files.walk import Beat, unheard


class Targets:
    """Fulfils the port Target for both; the destination's path decides."""

    def __init__(self, local: LocalTarget, smb: SmbTarget) -> None:
        self._local, self._smb = local, smb

    def hashing(
        self, checksum: Algorithm, sidecar: Sidecar | None = None, *, read_back: bool = False, author: Author = ALONE
    ) -> "Targets":
        """These targets for one run, as `LocalTarget.hashing`."""
        return Targets(
            self._local.hashing(checksum, sidecar, read_back=read_back, author=author),
            self._smb.hashing(checksum, sidecar, read_back=read_back, author=author),
        )

    def close(self) -> None:
        """Let go of every folder and every connection; the targets stay usable."""
        self._local.close()
        self._smb.close()

    def check_root(self, root: str) -> None:
        self._of(root).check_root(root)

    def look(self, path: TargetPath) -> Found:
        return self._of(path.root).look(path)

    def place(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Callable[[int], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        return self._of(target.root).place(source, entry, target, replace, check, wishes)

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        return self._of(target.root).dress(source, entry, target, has, wishes)

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        return self._of(target.root).link(source, entry, target, has, replace, wishes)

    def link_text(self, target: TargetPath) -> str | None:
        return self._of(target.root).link_text(target)

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        self._of(target.root).name_again(first, target, replace)

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        return self._of(target.root).one_file(first, target)

    def put_back(
        self, left: Left, target: TargetPath, streams: StreamReader, *, dry: bool = False
    ) -> frozenset[Property]:
        return self._of(target.root).put_back(left, target, streams, dry=dry)

    def listing(self, root: str, relative: str) -> Mapping[str, Found] | None:
        """As `LocalTarget.listing`; a server's folders are held by its own target, which looks them up there."""
        return None if self._of(root) is self._smb else self._local.listing(root, relative)

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Callable[[int], None]) -> bool:
        return self._of(target.root).same_content(source, entry, target, check)

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        self._of(target.root).settle_times(target, entry)

    def set_aside(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        run: str,
        check: Callable[[int], None],
        remember: Callable[[Aside], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        return self._of(target.root).set_aside(source, entry, target, run, check, remember, wishes)

    def take_made(self) -> list[str]:
        """The folders that were made since the last call, as far as an undo can remove them again."""
        return self._local.take_made() + self._smb.take_made()

    def forget_interrupted(self) -> None:
        self._local.forget_interrupted()
        self._smb.forget_interrupted()

    def make_folder(self, target: TargetPath) -> None:
        self._of(target.root).make_folder(target)

    def finish_folder(self, target: TargetPath, entry: Entry) -> None:
        self._of(target.root).finish_folder(target, entry)

    def free_space(self, root: str) -> int:
        return self._of(root).free_space(root)

    def folds_case(self, root: str) -> bool:
        return self._of(root).folds_case(root)

    def flush(self) -> None:
        """Return when everything written so far would survive a power cut."""
        self._local.flush()
        self._smb.flush()

    def verify_file(self, path: str, algorithm: Algorithm, check: Callable[[int], None]) -> tuple[int, str]:
        """(size in bytes, checksum) of a file, read anew; as `orchestrator.files.verify_file`."""
        return self._of(path).verify_file(path, algorithm, check)

    def remove_scratch(self, folder: str, beat: Beat = unheard) -> int:
        """Remove a folder with all that is in it; the number of files. DrillLeft when something stays."""
        return self._of(folder).remove_scratch(folder, beat)

    def _of(self, root: str) -> LocalTarget | SmbTarget:
        return self._smb if root.startswith("\\\\") else self._local
