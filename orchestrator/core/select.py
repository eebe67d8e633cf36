"""Which entries of a requested path are wanted: gitignore-style include and exclude patterns.

Patterns are relative to the requested path. An excluded folder is not entered; an include pattern chooses files
and never keeps a folder from being entered. Windows guests match without regard to letter case.
"""

from collections.abc import Sequence

from pathspec import GitIgnoreSpec


class Selector:
    """The include and exclude patterns of one job entry. Remembers which include patterns have matched."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], *, ignore_case: bool) -> None:
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
        """Whether the file at `file` (relative to the requested path) is to be restored."""
        name = self._fold(file)
        if self._exclude is not None and self._exclude.match_file(name):
            return False
        if not self._include:
            return True
        hits = [text for text, spec in self._include if spec.match_file(name)]
        self._matched.update(hits)
        return bool(hits)

    @property
    def chooses(self) -> bool:
        """Whether include patterns narrow the choice; then empty folders are not part of what was asked for."""
        return bool(self._include)

    @property
    def unmatched(self) -> list[str]:
        """Include patterns that have matched no file so far, in the job's order."""
        return [text for text, _ in self._include if text not in self._matched]
