"""Entering what happens into the audit trail, and what happens when that cannot be done."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator.audit import Trail
from orchestrator.cli.masking import mask
from orchestrator.core.audit import AuditEntry, Fact, What
from orchestrator.core.errors import AuditUnusable
from orchestrator.opening import now
from orchestrator.views import count

KEPT = 10_000
"""Entries kept while the trail cannot be written; when it can be again, they are written first."""


class Clerk:
    """Writes entries into a trail. What cannot be written is kept and tried again with the next entry.

    `told` hears, in plain words, when the trail cannot be written, and when it can be again. One thread calls.
    `entered` counts the entries that were tried, `written` those that are in the trail.
    """

    def __init__(self, trail: Trail, told: Callable[[str], None]) -> None:
        self._trail = trail
        self._told = told
        self._waiting: deque[AuditEntry] = deque()
        self._missing = 0
        self.entered = self.written = 0
        self.failure: AuditUnusable | None = None

    def enter(self, entry: AuditEntry) -> None:
        """Write one entry, and what waits before it. Raises nothing; `failure` says whether it is written."""
        self._waiting.append(masked(entry))
        if len(self._waiting) > KEPT:
            self._waiting.popleft()
            self._missing += 1
        self.flush()
        self.entered += 1

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        entries = [gap(self._missing), *self._waiting] if self._missing else list(self._waiting)
        try:
            self._trail.append(entries)
        except AuditUnusable as error:
            first, self.failure = self.failure is None, error
            if first:
                self._told(f"{error} What is to be entered is kept and tried again.")
            return
        if self.failure is not None:
            missing = (
                f", {count(self._missing, 'entry', 'entries')} missing" if self._missing else ", nothing is missing"
            )
            self._told(f"the audit trail is written again{missing}")
        self.failure, self._missing = None, 0
        self.written += sum(1 for entry in self._waiting if entry.what is not What.GAP)
        self._waiting.clear()


def gap(missing: int) -> AuditEntry:
    """The entry for those that could not be kept."""
    return AuditEntry(now(), What.GAP, {"missing": missing})


def masked(entry: AuditEntry) -> AuditEntry:
    """`entry` without what would open a logon session."""
    facts: Mapping[str, Fact] = {name: _masked(fact) for name, fact in entry.facts.items()}
    return replace(entry, facts=facts)


def _masked(fact: Fact) -> Fact:
    if isinstance(fact, list):
        return [mask(one) for one in fact]
    return mask(fact) if isinstance(fact, str) else fact
