"""What a sidecar's lines become: where each goes today, and what became of all of them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.core.fidelity import Card, Kept, Property
from orchestrator.core.plan import MountGroup

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


Lines = list[tuple[int, int]]
"""Numbers of lines of a sidecar, from 1 on: first and last of each stretch."""


@dataclass(slots=True)
class PutOn:
    """Of how many files each property is put on that had waited, for each of the `destinations` of the run. What was
    put on `before`, by the lines of the sidecar, counts too, whatever has become of the file since; a file of which it
    has several lines counts once."""

    destinations: Sequence[str] = ()
    before: Mapping[Property, Lines] = field(default_factory=dict)
    counts: dict[str, Counter[Property]] = field(default_factory=dict)
    lines: dict[Property, Lines] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def add(self, number: int, target: str, properties: frozenset[Property]) -> None:
        """What was put on of the next line, which is of a file by the path to which it was restored."""
        below = (one for one in self.destinations if target.startswith(one.rstrip("/") + "/"))
        row = self.counts.setdefault(max(below, key=len, default=""), Counter())
        for one in Property:
            if one not in properties and not _within(self.before.get(one, []), number):
                continue
            found = self.lines.setdefault(one, [])
            joins = found and found[-1][1] == number - 1
            found[-1:] = [(found[-1][0], number)] if joins else [*found[-1:], (number, number)]
            if (key := hash((target, one))) not in self._seen:
                self._seen.add(key)
                row[one] += 1


def _within(lines: Lines, number: int) -> bool:
    place = bisect_right(lines, number, key=lambda stretch: stretch[0]) - 1
    return place >= 0 and number <= lines[place][1]


def settled(
    cards: Mapping[str, Card], groups: Sequence[MountGroup], put_on: Mapping[str, Mapping[Property, int]]
) -> dict[str, Card]:
    """The cards of the groups of a run, with what was put on since at each destination. Groups that share one are
    taken in their order."""
    found = dict(cards)
    for destination, counts in put_on.items():
        left = Counter(counts)
        for group in groups:
            card = found.get(group.id)
            if card is None or destination not in ("", *(one.destination for one in group.selections)):
                continue
            found[group.id] = card.put_on(left)
            left -= Counter({one: card.count(one, Kept.SIDECAR) for one in left})
    return found


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
