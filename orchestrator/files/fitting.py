"""From what a source tells of a file to what its copy got: put on, kept in the sidecar, or lost."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.fidelity import Fidelity, Kept, Metadata, OwnerPolicy, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.sidecar import Left, properties_left
from orchestrator.files.dressing import RUNS_AS_OWNER, dress
from orchestrator.files.holes import may_have_holes
from orchestrator.files.owners import wanted_owner
from orchestrator.files.readers import OpeningStream, Reader, no_stream
from orchestrator.files.sidecar import Sidecar
from orchestrator.files.translate import Side, Translating

Check = Callable[[int], None]
"""Called with the bytes of each chunk; raises to stop."""


class Fitting(Protocol):
    """What is done with the copy of one file besides its bytes."""

    def look(self, reading: Reader) -> None:
        """The source is open, and nothing has been read of it."""
        ...

    def fit(self, writing: int) -> None:
        """The copy is complete under its partial name."""
        ...

    @property
    def fidelity(self) -> Fidelity:
        """What became of what was asked for."""
        ...


class _Bare:
    """Nothing besides the bytes."""

    fidelity: Fidelity = {}  # noqa: RUF012 - shared by all, and written by nobody

    def look(self, reading: Reader) -> None:
        """Nothing is read."""

    def fit(self, writing: int) -> None:
        """Nothing is put on."""


BARE = _Bare()


PLAIN_MODE, PRIVATE_MODE = 0o644, 0o600


def staged_as(entry: Entry, wishes: Wishes) -> Entry:
    """The entry with the mode that its copy has while it is staged: with FULL nobody else may read it before its own
    owner, ACL and mode are put on; with NONE the mode is a plain one."""
    if wishes.metadata is Metadata.BASIC:
        return entry
    return replace(entry, mode=PLAIN_MODE if wishes.metadata is Metadata.NONE else PRIVATE_MODE)


def unchecked(_: int) -> None:
    """For what takes no time that anybody would want to cut short."""


class Fitter:
    """Fits the copies of one run. Without a sidecar, what is left over is lost."""

    def __init__(self, sidecar: Sidecar | None = None, streams: OpeningStream = no_stream) -> None:
        self._sidecar = sidecar
        self._streams = streams

    def of(self, source: SourcePath, entry: Entry, target: TargetPath, wishes: Wishes, check: Check) -> Fitting:
        """What is to be done with the copy of one file."""
        if not wishes.reads_properties:
            return _Holes() if entry.sparse else BARE
        return _Full(self, source, entry, target, wishes, check)

    def flush(self) -> None:
        """Return when the sidecar would survive a power cut."""
        if self._sidecar is not None:
            self._sidecar.flush()

    def settle(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        has: Properties,
        done: frozenset[Property],
        left: frozenset[Property],
        wishes: Wishes,
        check: Check = unchecked,
    ) -> dict[Property, Kept]:
        """Keep what is left over in the sidecar; what became of everything. What the source would not give whole is
        lost, whatever became of the rest of it."""
        fidelity = dict.fromkeys(done, Kept.KEPT)
        if left and self._sidecar is not None:
            streams = {}
            if Property.STREAMS in left:
                streams = self._keep_streams(self._sidecar, source, entry, has, check)
            place = f"{target.root.rstrip('/')}/{target.relative}"
            rest = properties_left(_as_it_should_be(entry, has, wishes), left)
            self._sidecar.keep(Left(place, entry.kind, entry.size, entry.mtime_ns, rest, streams))
        fidelity |= dict.fromkeys(left, Kept.LOST if self._sidecar is None else Kept.SIDECAR)
        return fidelity | dict.fromkeys(filter(wishes.wants, has.unread), Kept.LOST)

    def _keep_streams(
        self, sidecar: Sidecar, source: SourcePath, entry: Entry, has: Properties, check: Check
    ) -> dict[str, str]:
        """Each stream in a file of its own; which, by its name."""
        kept = {}
        for stream in has.streams:
            reading = self._streams(source, entry, stream.name)
            try:
                with Translating(Side.SOURCE, entry.relative):
                    kept[stream.name] = sidecar.keep_stream(reading, check)
            finally:
                reading.close()
        return kept


def _as_it_should_be(entry: Entry, has: Properties, wishes: Wishes) -> Properties:
    """What waits of a file whose owner is mapped: ids of this machine as far as the table names them, and those of the
    guest for the others. Then no program may run as its owner, who is somebody else here."""
    wanted = wanted_owner(has, wishes) if wishes.owner is OwnerPolicy.MAP else None
    if wanted is None:
        return has
    user, group = wanted
    mode = has.mode
    if None in wanted and mode is not None and entry.kind is not EntryKind.FOLDER:
        mode &= ~RUNS_AS_OWNER
    return replace(has, uid=has.uid if user is None else user, gid=has.gid if group is None else group, mode=mode)


class _Holes:
    """A sparse file of which nothing else is asked."""

    def __init__(self) -> None:
        self.fidelity: Fidelity = {}

    def look(self, reading: Reader) -> None:
        self._reading = reading

    def fit(self, writing: int) -> None:
        self.fidelity = holes(self._reading, writing)


class _Full:
    def __init__(
        self, fitter: Fitter, source: SourcePath, entry: Entry, target: TargetPath, wishes: Wishes, check: Check
    ) -> None:
        self._fitter, self._source, self._entry, self._target = fitter, source, entry, target
        self._wishes, self._check = wishes, check
        self.fidelity: Fidelity = {}

    def look(self, reading: Reader) -> None:
        with Translating(Side.SOURCE, self._entry.relative):
            self._has = reading.properties()
        self._reading = reading

    def fit(self, writing: int) -> None:
        done, left = dress(writing, self._has, self._wishes, ours=True, whole=True)
        fidelity = self._fitter.settle(
            self._source, self._entry, self._target, self._has, done, left, self._wishes, self._check
        )
        self.fidelity = fidelity | holes(self._reading, writing)


def holes(reading: Reader, writing: int) -> dict[Property, Kept]:
    """What became of the holes of a file; nothing when none was met while it was read."""
    if not getattr(reading, "holes", 0):
        return {}
    return {Property.SPARSE: Kept.KEPT if may_have_holes(os.fstat(writing)) else Kept.LOST}
