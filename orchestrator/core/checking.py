"""Proves an audit trail line by line: the first line that does not hold, and what is wrong with it.

What cannot be seen from the lines alone: that the end was cut off at a line end, or, without a key, that somebody wrote
the whole trail anew. Both are seen with an anchor, the hash of a line that was noted down elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.core.audit import What
from orchestrator.core.chain import GENESIS, Link, Record, canonical, closes, fits, kind_of, read_line


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, with its line end if it has one."""

    file: str
    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where a trail does not hold."""

    file: str
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was proved. `entries` are those before the break, from `first` to `last` (seq), `began` to `ended` (times as
    they stand there). `anchor` is the hash of the last one. `torn`: how often a write had been cut off, and said so.
    `expected`: whether the anchor that was asked for is among them; None when none was."""

    entries: int = 0
    first: int = 0
    last: int = 0
    began: str = ""
    ended: str = ""
    anchor: str = GENESIS
    torn: int = 0
    expected: bool | None = None
    broken: Break | None = None

    @property
    def holds(self) -> bool:
        return self.broken is None and self.expected is not False


def check(lines: Iterable[Line], key: bytes | None, *, whole: bool, expect: str = "") -> Checked:
    """Prove `lines`. `whole`: they must begin with the first entry; else they may be a later part of a trail."""
    checker = _Checker(key, whole, expect.lower())
    rest = iter(lines)
    broken = checker.run(rest)
    if expect and broken is None and not checker.expected:
        checker.expected = False
    return Checked(
        entries=checker.entries,
        first=checker.first,
        last=checker.end.seq if checker.entries else 0,
        began=checker.began,
        ended=checker.ended,
        anchor=checker.end.hash,
        torn=checker.torn,
        expected=checker.expected if expect else None,
        broken=broken,
    )


class _Checker:
    def __init__(self, key: bytes | None, whole: bool, expect: str) -> None:
        self._key = key
        self._whole = whole
        self._expect = expect
        self._claimed = kind_of(key)
        self._strange: list[Line] = []
        self._skipped = False
        self.end = Link()
        self.entries = self.first = self.torn = 0
        self.began = self.ended = ""
        self.expected = False

    def run(self, lines: Iterator[Line]) -> Break | None:
        for line in lines:
            broken = self._take(line)
            if broken is not None:
                return self._sought(broken, lines) if self._skipped else broken
        return self._stranger()

    def _take(self, line: Line) -> Break | None:
        if not line.content.endswith(b"\n"):
            cut = "the line is not ended: writing it was cut off; the next start of orchestrator closes it and says so"
            return self._stranger() or Break(line.file, line.number, cut)
        record = read_line(line.content[:-1])
        if record is None:
            self._strange.append(line)
            return None
        told = closes(record, b"".join(one.content for one in self._strange)[:-1])
        if self._strange and not told:
            return self._stranger()
        what = self._wrong(record, line.content[:-1])
        if not what and record["what"] == What.TORN.value:
            self.torn += 1
            what = "" if self._strange else "it tells of a torn line before it, which is not there any more"
        self._strange.clear()
        if what:
            return Break(line.file, line.number, what)
        self._accept(record)
        return None

    def _stranger(self) -> Break | None:
        """The first line that is none and that no later line speaks of."""
        if not self._strange:
            return None
        return Break(
            self._strange[0].file, self._strange[0].number, "this is no line of an audit trail: it was changed"
        )

    def _wrong(self, record: Record, content: bytes) -> str:
        """What is wrong with a line, or nothing."""
        try:
            same = canonical(record) == content
        except (ValueError, RecursionError):  # NaN, which JSON does not have
            same = False
        if not same:
            return "the line was changed: it is not written as the trail is"
        if record["what"] == What.FILE_BEGUN.value:
            self._claimed = str(record["facts"].get("chain"))
        if not fits(record, self._key):
            return self._unfit()
        return self._misplaced(record)

    def _unfit(self) -> str:
        ours = kind_of(self._key)
        if self._claimed != ours:
            need = "give its key" if self._key is None else "it was begun without this key"
            return f"the hash does not fit: the file says that its hashes are {self._claimed}; {need}"
        key = ", or the key is another" if self._key is not None else ""
        return f"the line was changed: its hash does not fit what it says{key}"

    def _misplaced(self, record: Record) -> str:
        seq, wanted = record["seq"], self.end.seq + 1
        if not self.entries and not self._whole:
            return ""
        if not self.entries and seq != wanted:
            return f"the trail begins with entry {seq}: those before it are in no file here (removed, or archived)"
        if seq > wanted:
            self._skipped = True
            one = f"entry {wanted} is" if seq == wanted + 1 else f"entries {wanted} to {seq - 1} are"
            return f"{one} missing before it"
        if seq < wanted:
            return f"entry {seq} stands after entry {self.end.seq}: it was moved or put in again"
        if record["prev"] != self.end.hash:
            return "it does not follow from the line before it, which was changed together with its hash"
        return ""

    def _accept(self, record: Record) -> None:
        if not self.entries:
            self.first, self.began = record["seq"], record["at"]
            self.expected = record["prev"] == self._expect and record["prev"] != GENESIS
        self.entries += 1
        self.ended = record["at"]
        self.end = Link(record["seq"], record["hash"])
        self.expected = self.expected or record["hash"] == self._expect

    def _sought(self, broken: Break, rest: Iterator[Line]) -> Break:
        """Entries are missing; perhaps the next one stands further down."""
        wanted = self.end.seq + 1
        for line in rest:
            record = read_line(line.content.rstrip(b"\n"))
            if record is not None and record["seq"] == wanted and fits(record, self._key):
                what = f"out of order: entry {wanted} stands further down, in {line.file} line {line.number}"
                return Break(broken.file, broken.line, what)
        return broken
