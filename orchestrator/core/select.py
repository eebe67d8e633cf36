"""Which entries of a requested path are wanted: gitignore-style include and exclude patterns, sizes and times.

Patterns are relative to the requested path. An excluded folder is not entered; an include pattern chooses files
and never keeps a folder from being entered. Windows guests match without regard to letter case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pathspec import GitIgnoreSpec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which files are wanted by size (bytes) and time of the last change; None does not restrict.

    A file is `larger_than` one of that size only when it has more bytes. One that was changed at the very instant of
    `modified_after` is wanted, of `modified_before` is not, so that two jobs can share a border.
    """

    larger_than: int | None = None
    smaller_than: int | None = None
    modified_after: datetime | None = None
    modified_before: datetime | None = None

    def hold(self, size: int, mtime_ns: int) -> bool:
        """Whether a file of `size` bytes, changed at `mtime_ns` (nanoseconds since 1970 UTC), is wanted."""
        if self.larger_than is not None and size <= self.larger_than:
            return False
        if self.smaller_than is not None and size >= self.smaller_than:
            return False
        if self.modified_after is not None and mtime_ns < _nanoseconds(self.modified_after):
            return False
        return self.modified_before is None or mtime_ns < _nanoseconds(self.modified_before)


BOUNDLESS = Bounds()


def _nanoseconds(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


class Selector:
    """The patterns and bounds of one job entry. Remembers which include patterns have matched."""

    def __init__(
        self, include: Sequence[str], exclude: Sequence[str], *, ignore_case: bool, bounds: Bounds = BOUNDLESS
    ) -> None:
        self._bounds = bounds
        self._fold = str.lower if ignore_case else str
        self._include = tuple((text, self._compile([text])) for text in include)
        self._exclude = self._compile(exclude) if exclude else None
        self._matched: set[str] = set()

    def _compile(self, patterns: Sequence[str]) -> "GitIgnoreSpec":
        return GitIgnoreSpec.from_lines([self._fold(pattern) for pattern in patterns])

    @staticmethod
    def check(patterns: Sequence[str], *, including: bool) -> None:
        """Raises ValueError, naming the pattern, for one that can match nothing or cannot be parsed."""
        for text in patterns:
            if not text.strip() or text.lstrip().startswith("#"):
                raise ValueError(f"the pattern {text!r} is empty or a comment")
            if "\\" in text:
                raise ValueError(f"the pattern {text!r} holds a backslash; write / between folders")
            if including and text.startswith("!"):
                raise ValueError(f"{text!r} takes nothing out of include; write {text[1:]!r} in exclude")
            GitIgnoreSpec.from_lines([text])

    def enters(self, folder: str) -> bool:
        """Whether the folder at `folder` (relative to the requested path) is walked at all."""
        return self._exclude is None or not self._exclude.match_file(self._fold(folder) + "/")

    def wants(self, file: str) -> bool:
        """Whether the patterns want the file at `file` (relative to the requested path). What they match is
        remembered."""
        hits = self._hits(file)
        self._matched.update(hits or ())
        return hits is not None

    def would_want(self, file: str, size: int, mtime_ns: int) -> bool:
        """Whether a file is wanted by patterns and bounds; nothing is remembered."""
        return self._hits(file) is not None and self.fits(size, mtime_ns)

    def _hits(self, file: str) -> list[str] | None:
        """The include patterns that match a file; None when it is not wanted."""
        name = self._fold(file)
        if self._exclude is not None and self._exclude.match_file(name):
            return None
        return [text for text, spec in self._include if spec.match_file(name)] or (None if self._include else [])

    def fits(self, size: int, mtime_ns: int) -> bool:
        """Whether a file is wanted for its size in bytes and its time in nanoseconds since 1970 UTC."""
        return self._bounds is BOUNDLESS or self._bounds.hold(size, mtime_ns)

    @property
    def chooses(self) -> bool:
        """Whether the choice of files is narrowed; then empty folders are not part of what was asked for."""
        return bool(self._include) or self._bounds != BOUNDLESS

    @property
    def unmatched(self) -> list[str]:
        """Include patterns that have matched no file so far, in the job's order."""
        return [text for text, _ in self._include if text not in self._matched]
