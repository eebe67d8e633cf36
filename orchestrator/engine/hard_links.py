"""Files with several names: the first name gets the copy, the others become names of the same file.

Only files with more than one name are remembered, and each of them only until all its names have been met.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orchestrator.core.decide import Copy, Decision
from orchestrator.core.entries import FoundKind, Outcome, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Kept, Property
from orchestrator.core.paths import TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Stood
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.pulse import Progress
from orchestrator.engine.walking import Work

LOOK_EVERY = 0.05
"""Seconds between two looks at a copy of another thread that is waited for."""

_Key = tuple[str, tuple[int, int], str]
"""(volume, identity, destination): a file that goes to two places is a file in each of them."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """How one name is dealt with: what is to be done with it by what stands there now, what became of it when it was
    copied, and the outcome of one without a copy. `decided` and `copy` raise FileError."""

    decided: Callable[[], Decision]
    copy: Callable[[], Outcome]
    named: Callable[[Verdict, Reason | None], Outcome]


@dataclass(frozen=True, slots=True)
class _First:
    """Where the copy of a file stands, and its checksum."""

    at: TargetPath
    checksum: str


@dataclass(slots=True)
class _File:
    """One file with several names. `first` is None while its copy is being made by `maker`."""

    maker: Progress
    met: int = 0
    first: _First | None = None
    done: threading.Event = field(default_factory=threading.Event)


class HardLinks:
    """The files of one group with several names. Used in many threads at once."""

    def __init__(self, target: Destination) -> None:
        self._target = target
        self._files: dict[_Key, _File] = {}
        self._lock = threading.Lock()

    def deal(self, work: Work, pulse: Progress, dealing: Dealing) -> Outcome:
        """What became of one name: the first is copied, each other one is a name of that copy now."""
        key = (work.source.root, work.entry.identity or (0, 0), work.target.root)
        while True:
            file, mine = self._claim(key, pulse)
            if mine:
                return self._first(key, file, work, dealing.copy)
            self._wait(key, file, pulse)
            if file.first is not None:
                self._count(key, file, work)
                return self._further(file.first, work, dealing)

    def _claim(self, key: _Key, pulse: Progress) -> tuple[_File, bool]:
        with self._lock:
            file = self._files.get(key)
            if file is not None:
                return file, False
            file = self._files[key] = _File(pulse)
            return file, True

    def _first(self, key: _Key, file: _File, work: Work, copy: Callable[[], Outcome]) -> Outcome:
        outcome = None
        try:
            outcome = copy()
        finally:
            if outcome is not None and _stands(outcome):
                file.first = _First(_where(outcome, work), outcome.checksum)
                self._count(key, file, work)
            else:
                self._forget(key, file)  # the next name is the first
            file.done.set()
        return outcome

    def _forget(self, key: _Key, file: _File) -> None:
        with self._lock:
            if self._files.get(key) is file:
                del self._files[key]

    def _wait(self, key: _Key, file: _File, pulse: Progress) -> None:
        """Until the copy is made, or its thread is given up. This thread gets on as long as that one does."""
        seen = file.maker.last
        while not file.done.wait(LOOK_EVERY):
            if file.maker.abandoned:
                self._forget(key, file)
                return
            if file.maker.last != seen or pulse.abandoned:
                seen = file.maker.last
                pulse.check()

    def _count(self, key: _Key, file: _File, work: Work) -> None:
        with self._lock:
            file.met += 1
        if file.met >= work.entry.links:
            self._forget(key, file)

    def _further(self, first: _First, work: Work, dealing: Dealing) -> Outcome:
        lost = False
        try:
            outcome = self._as_name(first, work, dealing)
        except FileError as error:
            lost = error.reason is not Reason.EXISTS
            # Of a name that is taken: somebody has put something there since the look.
            outcome = None if lost else self._as_name(first, work, dealing)
        if outcome is not None:
            return outcome
        return _with(dealing.copy(), Kept.LOST) if lost else dealing.copy()

    def _as_name(self, first: _First, work: Work, dealing: Dealing) -> Outcome | None:
        """None when it is to be a file of its own. FileError when it cannot be a name."""
        found = self._target.look(work.target)
        if found.kind is FoundKind.FILE and self._target.one_file(first.at, work.target):
            return _with(dealing.named(Verdict.SKIPPED, Reason.UNCHANGED), Kept.KEPT)
        decision = dealing.decided()
        if not isinstance(decision, Copy):
            return None
        self._target.name_again(first.at, work.target, decision.replace)
        stood = Stood.REPLACED if decision.replace else Stood.NOTHING
        named = replace(dealing.named(Verdict.RESTORED, None), checksum=first.checksum, stood=stood)
        return _with(named, Kept.KEPT)


def _stands(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.RESTORED or outcome.reason is Reason.UNCHANGED


def _where(outcome: Outcome, work: Work) -> TargetPath:
    """Where the copy stands, which may be beside the file that was there."""
    root = work.target.root
    below = outcome.target_path[len(root.rstrip("\\/")) + 1 :]
    return TargetPath(root, below.replace("\\", "/") if root.startswith("\\\\") else below)


def _with(outcome: Outcome, kept: Kept) -> Outcome:
    return replace(outcome, fidelity={**outcome.fidelity, Property.HARD_LINK: kept})
