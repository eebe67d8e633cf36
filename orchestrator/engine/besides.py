"""What is done with an entry besides copying its bytes: links made, permissions put on, what is there dressed again."""

from typing import Protocol

from orchestrator.core.entries import EntryKind, FoundKind, Outcome, Placed, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Fidelity, Kept, LinkPolicy, Metadata, Property
from orchestrator.core.reasons import Reason
from orchestrator.engine.ports import Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.walking import Work


class _Tell(Protocol):
    """Makes the outcome of an entry."""

    def __call__(
        self, work: Work, verdict: Verdict, reason: Reason | None, message: str, placed: Placed | None = None
    ) -> Outcome: ...


class Besides:
    """Used in many threads at once. Raises FileError."""

    def __init__(self, source: Source, target: Destination, outcome: _Tell) -> None:
        self._source, self._target, self._outcome = source, target, outcome

    def instead(self, work: Work, policy: Conflict) -> Outcome | None:
        """The outcome of an entry whose bytes are not copied; None when they are to be."""
        kind, wishes = work.entry.kind, work.wishes
        if kind is EntryKind.LINK and wishes.links is LinkPolicy.LINK and work.entry.reason is None:
            try:
                return self._link(work, policy)
            except FileError as error:
                if error.reason is not Reason.EXISTS:
                    raise
                return self._link(work, policy)  # by what stands there now
        if kind is EntryKind.FILE and wishes.metadata is Metadata.PERMISSIONS:
            return self._permissions(work)
        return None

    def dressed(self, work: Work) -> Fidelity:
        """Put on a file that is there already, and is the backed-up one, what it is beside its bytes: the run that
        copied it may have been cut short, or may not have been asked for it."""
        if work.wishes.metadata is not Metadata.FULL:
            return {}
        has = self._source.properties(work.source, work.entry)
        return self._target.dress(work.source, work.entry, work.target, has, work.wishes)

    def _permissions(self, work: Work) -> Outcome:
        found = self._target.look(work.target)
        if found.kind is FoundKind.NOTHING:
            return self._outcome(work, Verdict.REFUSED, Reason.NOT_THERE, Reason.NOT_THERE.cause)
        if found.kind is not FoundKind.FILE:
            return self._outcome(work, Verdict.REFUSED, Reason.TARGET_KIND, Reason.TARGET_KIND.cause)
        has = self._source.properties(work.source, work.entry)
        fidelity = self._target.dress(work.source, work.entry, work.target, has, work.wishes)
        return self._outcome(work, Verdict.RESTORED, None, "", Placed(0, "", fidelity))

    def _link(self, work: Work, policy: Conflict) -> Outcome:
        has = self._source.properties(work.source, work.entry)
        found = self._target.look(work.target)
        if found.kind is not FoundKind.NOTHING:
            text = self._target.link_text(work.target) if found.kind is FoundKind.OTHER else None
            if text is None:
                return self._outcome(work, Verdict.REFUSED, Reason.TARGET_KIND, Reason.TARGET_KIND.cause)
            if text == has.link_to:
                return self._outcome(work, Verdict.SKIPPED, Reason.UNCHANGED, Reason.UNCHANGED.cause)
            if policy is not Conflict.OVERWRITE:
                return self._outcome(work, Verdict.SKIPPED, Reason.EXISTS, "another link is there")
        replace = found.kind is not FoundKind.NOTHING
        placed = self._target.link(work.source, work.entry, work.target, has, replace, work.wishes)
        kept = placed.fidelity.get(Property.LINK)
        if kept is not Kept.KEPT:
            where = "; its text is in metadata.jsonl" if kept is Kept.SIDECAR else ""
            message = f"the destination can hold no link to {has.link_to}{where}"
            return self._outcome(work, Verdict.REFUSED, Reason.LINK_SKIPPED, message, placed)
        return self._outcome(work, Verdict.RESTORED, None, "", placed)
