"""What a destination at a server does with files besides their bytes: the part Wardrobe of the port."""

from orchestrator.core.entries import Entry, EntryKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Fidelity, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.sidecar import Left
from orchestrator.files.fitting import unchecked
from orchestrator.files.putting_back import PUT_BACK, refuse_changed
from orchestrator.files.readers import StreamReader
from orchestrator.files.smb.fitting import SmbFitter
from orchestrator.files.smb.places import SmbPlaces
from orchestrator.files.translate import Side, Translating


class SmbWardrobe(SmbPlaces):
    """What `SmbTarget` does with what is at its paths. Every method may be called in many threads at once."""

    _fitter: SmbFitter

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        """Put on a file or folder that is there what `wishes` want of what it `has`; its content stays as it is."""
        put_on = self._dressed(entry, target, has, wishes, self._fitter.streams_of(source, entry))
        return self._fitter.settle(source, entry, target, has, put_on, wishes)

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        """No link is made on a share: its text is left over for the sidecar."""
        put_on = frozenset[Property](), frozenset({Property.LINK})
        return Placed(0, "", self._fitter.settle(source, entry, target, has, put_on, wishes))

    def link_text(self, target: TargetPath) -> str | None:
        """None: what a link on a share says is not read."""

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        """FileError: no file of a share is given a second name."""
        what = "files on a share are not given further names"
        raise FileError(reason=Reason.WRITE_ERROR, guest_path=target.relative, what=what)

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        """Whether two names are those of one file; on a share none is given two."""
        return False

    def put_back(
        self, left: Left, target: TargetPath, streams: StreamReader, *, dry: bool = False
    ) -> frozenset[Property]:
        """Put on what waited in a sidecar, as `LocalTarget.put_back`; its streams too."""
        entry = Entry(target.relative, left.kind, left.size, left.mtime_ns)
        if left.kind is EntryKind.LINK:
            return frozenset({Property.LINK})
        with Translating(Side.TARGET, target.relative):
            found = self._stands_now(target)
        refuse_changed(left.kind, entry, found, target.relative)
        if dry:
            return frozenset()
        return self._dressed(entry, target, left.properties, PUT_BACK, streams)[1]

    def _dressed(
        self, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes, streams: StreamReader
    ) -> tuple[frozenset[Property], frozenset[Property]]:
        with Translating(Side.TARGET, target.relative):
            if entry.kind is EntryKind.FOLDER:
                folder = self._folder(target.root, target.relative, make=False)
                path = folder.path
            else:
                folder, _, name = self._standing(target)
                path = folder.at(name)
            return folder.share.again(lambda live: self._fitter.put(live, path, has, wishes, streams, unchecked))
