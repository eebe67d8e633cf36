"""From what a source tells of a file to what its copy on a share got: put on, kept in the sidecar, or lost."""

from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Fidelity, Kept, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.files.fitting import Check, Fitter, unchecked
from orchestrator.files.readers import OpeningStream, Reader, StreamReader
from orchestrator.files.smb.putting import ARCHIVE, HIDDEN, READ_ONLY, TELLING, Put, put, set_attributes
from orchestrator.files.smb.share import Live
from orchestrator.files.translate import Side, Translating

_AT_THE_END = READ_ONLY | HIDDEN
"""A file that is read-only can neither be renamed over another nor removed. And there are servers that hide whatever
begins with a dot, as partial names do, and go on hiding what was given a time or an attribute meanwhile."""


class SmbFitter:
    """Fits the copies of one run."""

    def __init__(self, fitter: Fitter, streams: OpeningStream) -> None:
        self._fitter, self._streams = fitter, streams
        self.flush = fitter.flush

    def of(
        self, source: SourcePath, entry: Entry, target: TargetPath, wishes: Wishes, check: Check
    ) -> "SmbFitting | None":
        """What is to be done with the copy of one file besides its bytes; None for nothing."""
        return SmbFitting(self, source, entry, target, wishes, check) if wishes.reads_properties else None

    def put(
        self, live: Live, path: str, has: Properties, wishes: Wishes, streams: StreamReader, check: Check,
        withheld: int = 0,
    ) -> Put:  # fmt: skip
        """(what was put on, what was left over) of the file or folder at a path below a share. `streams` opens those
        that it has. OSError."""
        done, left = put(live, path, has, wishes.wants, streams, check, withheld)
        return done, left | frozenset(one for one in foreign(has) if wishes.wants(one))

    def streams_of(self, source: SourcePath, entry: Entry) -> StreamReader:
        """Opens the streams of a file of the source."""
        return lambda one: self._streams(source, entry, one.name)

    def settle(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        has: Properties,
        put_on: Put,
        wishes: Wishes,
        check: Check = unchecked,
    ) -> dict[Property, Kept]:
        """Keep in the sidecar what is left over; what became of everything."""
        return self._fitter.settle(source, entry, target, has, *put_on, wishes, check)


class SmbFitting:
    """What is done with one copy besides its bytes."""

    def __init__(
        self, fitter: SmbFitter, source: SourcePath, entry: Entry, target: TargetPath, wishes: Wishes, check: Check
    ) -> None:
        self._fitter, self._source, self._entry, self._target = fitter, source, entry, target
        self._wishes, self._check = wishes, check
        self._fidelity: dict[Property, Kept] = {}

    @property
    def fidelity(self) -> Fidelity:
        return self._fidelity

    def look(self, reading: Reader) -> None:
        """The source is open, and nothing has been read of it."""
        with Translating(Side.SOURCE, self._entry.relative):
            self._has = reading.properties()

    def fit(self, live: Live, path: str) -> None:
        """The copy is complete under its partial name. OSError, FileError."""
        fitter, source, entry, has = self._fitter, self._source, self._entry, self._has
        streams = fitter.streams_of(source, entry)
        put_on = fitter.put(live, path, has, self._wishes, streams, self._check, _AT_THE_END)
        self._fidelity = fitter.settle(source, entry, self._target, has, put_on, self._wishes, self._check)

    def finish(self, at: Callable[[], tuple[Live, str]]) -> None:
        """The copy has its name, and gets its attributes. What fails now is counted as lost."""
        if not self._wishes.wants(Property.ATTRIBUTES):
            return
        wanted = ARCHIVE if self._has.attributes is None else self._has.attributes  # a new file is to be backed up
        try:
            found = set_attributes(*at(), wanted)
        except OSError:
            found = None
        whole = found is not None and (found ^ wanted) & TELLING == 0
        if not whole and self._fidelity.get(Property.ATTRIBUTES) is Kept.KEPT:
            self._fidelity[Property.ATTRIBUTES] = Kept.LOST


def foreign(has: Properties) -> frozenset[Property]:
    """What of `has` no share holds."""
    there = {
        Property.MODE: has.mode is not None,
        Property.OWNER: has.uid is not None,
        Property.XATTRS: bool(has.plain_xattrs),
        Property.ACL: bool(has.acls),
    }
    return frozenset(one for one, held in there.items() if held)
