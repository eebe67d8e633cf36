"""What a sidecar's lines become: where each goes today, and what became of all of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.core.fidelity import Property

NAMED_AT_MOST = 10_000
"""A result names this many files; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Unapplied:
    """One line that was not put on, or not all of it; `message` says why."""

    target_path: str
    message: str


@dataclass(slots=True)
class Applied:
    """What `apply-metadata` did. `applied` counts lines of which nothing is left over, `unreadable` those that are no
    lines, as the half one of a killed process; `left_over` counts properties that no file here can hold either."""

    run: str
    dry_run: bool
    applied: int = 0
    left_over: Counter[Property] = field(default_factory=Counter)
    changed: int = 0
    missing: int = 0
    refused: int = 0
    unreadable: int = 0
    unapplied: dict[str, Unapplied] = field(default_factory=dict)

    def settle(self, target_path: str) -> None:
        """A later line of the same file was put on whole."""
        self.unapplied.pop(target_path, None)

    def name(self, target_path: str, message: str) -> None:
        if len(self.unapplied) < NAMED_AT_MOST:
            self.unapplied[target_path] = Unapplied(target_path, message)

    @property
    def whole(self) -> bool:
        """Whether every line could be put on."""
        return not (self.left_over or self.changed or self.missing or self.refused)


def moved(target: str, prefixes: Mapping[str, str]) -> str:
    """Where a file that was restored to `target` is now; the longest prefix that holds it counts. Whole names only:
    `/a/b` holds `/a/b/c` and not `/a/bc`."""
    for old in sorted(prefixes, key=len, reverse=True):
        short = old.rstrip("/") or "/"
        if target == short or target.startswith(f"{short.rstrip('/')}/"):
            below = target[len(short) :].lstrip("/")
            return f"{prefixes[old].rstrip('/')}/{below}" if below else prefixes[old]
    return target


def prefixes_of(texts: list[str]) -> dict[str, str]:
    """The prefixes of `OLD=NEW` texts. ValueError for one that is none."""
    found = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise ValueError(f"{text!r} is not OLD=NEW, such as /restore/fs01=/srv/fs01")
        found[old] = new
    return found
