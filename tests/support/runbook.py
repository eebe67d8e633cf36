"""The runbook as something that can be done: what each chapter tells its reader to type, and what is seen then.

How the page says it, in its source:

    <!-- world: em-down -->     the chapter begins in this world (tests/support/worlds.py); it ends at the next
                                heading of the second level, or at the next world
    ```sh                       commands, typed as they stand
    ```text                     what the commands above show
    <!-- file: a.toml -->       above a block: the reader's editor saves it under this name
    <!-- exit: 4 -->            above a block of commands: it ends with this exit code, not with 0
    <!-- runs on -->            above a block of commands: it is not waited for until the chapter is through
    <!-- now: em-up -->         something happens that is not the reader's doing

In what is shown, `...` stands for anything: a line of its own for any number of lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ELSEWHERE = {"powershell": "it is typed on the backup server, which is the vendor's"}
"""Kinds of blocks that hold commands and are not executed, each with its reason."""

NOT_EXECUTED = {
    "findmnt": "what is mounted is the operating system's to say",
    "mount": "mounting a share needs a file server and the rights of root; the world puts the share back instead",
    "sudoedit": "an editor waits for a person; the file that the person saves is a block of its own",
    "tmux": "it takes the terminal over; the commands typed in it are blocks of their own",
}
"""Commands that are not executed, by their first word after `sudo`, each with its reason."""

_FENCE = re.compile(r"( *)```(\w*)$")
_COMMENT = re.compile(r"<!-- (?:(\w+): )?(.+?) -->$")


@dataclass(frozen=True)
class Typed:
    """One block of commands. `seen` is what it must show, `code` its exit code; `runs_on` when nobody waits for it."""

    line: int
    text: str
    seen: str = ""
    code: int = 0
    runs_on: bool = False

    @property
    def commands(self) -> list[str]:
        """The commands one by one."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]

    @property
    def executed(self) -> bool:
        """Whether a test types it, and does not leave it out for a reason of NOT_EXECUTED."""
        return not all(first_word(command) in NOT_EXECUTED for command in self.commands)


@dataclass(frozen=True)
class Saved:
    """A file that the reader writes."""

    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Happens:
    """What happens without the reader, by its name and words."""

    line: int
    what: str


Step = Typed | Saved | Happens


@dataclass(frozen=True)
class Chapter:
    """What is done in one world, in order."""

    name: str
    world: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block, or a comment (kind `!` and what it says)."""

    line: int
    kind: str
    text: str


def first_word(command: str) -> str:
    """What a command calls."""
    words = command.split()
    return words[1] if words[0] == "sudo" and len(words) > 1 else words[0]


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block, comment and heading of a page in order. A heading has the kind `#` or `##` and so on."""
    kind, indent, start, held = None, 0, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if kind is not None:
            if fence and not fence[2]:
                yield Block(start, kind, "\n".join(held))
                kind, held = None, []
            else:
                held.append(line[indent:] if not line[:indent].strip() else line)
        elif fence:
            kind, indent, start = fence[2], len(fence[1]), number
        elif line.lstrip().startswith("<!--"):
            yield Block(number, "!", line.strip())
        elif heading := re.match(r"(#+) (.+)", line):
            yield Block(number, heading[1], heading[2])
    assert kind is None, f"the block of line {start} has no end"


def chapters(page: Path) -> list[Chapter]:
    """The chapters of a page in order. AssertionError for a command that stands in no chapter, for a block whose kind
    says nothing, and for a comment that is no word of the language above."""
    found: list[Chapter] = []
    reader = _Reader()
    for block in blocks(page.read_text("utf-8")):
        if block.kind.startswith("#"):
            reader.heading = block.text
        begins = block.kind == "!" and (said := _COMMENT.match(block.text)) is not None and said[1] == "world"
        if (begins or block.kind in ("#", "##")) and reader.world:
            found.append(reader.closed())
        if begins and said is not None:
            reader.world, reader.name = said[2], reader.heading
        else:
            reader.take(block)
    return [*found, reader.closed()] if reader.world else found


class _Reader:
    """Gathers the steps of one chapter."""

    def __init__(self) -> None:
        self.heading = self.name = self.world = ""
        self._steps: list[Step] = []
        self._code, self._runs_on, self._file = 0, False, ""

    def closed(self) -> Chapter:
        chapter = Chapter(self.name, self.world, tuple(self._steps))
        self.name, self.world, self._steps = "", "", []
        return chapter

    def take(self, block: Block) -> None:
        where = f"line {block.line}"
        match block.kind:
            case "!":
                self._say(block, where)
            case "sh":
                assert self.world, f"{where}: no test executes these commands; they stand in no world"
                self._steps.append(Typed(block.line, block.text, code=self._code, runs_on=self._runs_on))
                self._code, self._runs_on = 0, False
            case "text":
                last = next((one for one in reversed(self._steps) if not isinstance(one, Happens)), None)
                assert isinstance(last, Typed), f"{where}: nothing was typed that shows this"
                assert not last.seen, f"{where}: what the commands of line {last.line} show stands there already"
                self._steps[self._steps.index(last)] = replace(last, seen=block.text)
            case "toml":
                assert self._file, f"{where}: this block has no name to be saved under"
                self._steps.append(Saved(block.line, self._file, block.text))
                self._file = ""
            case kind:
                assert kind.startswith("#") or kind in ELSEWHERE, f"{where}: a block of the kind {kind!r}"

    def _say(self, block: Block, where: str) -> None:
        said = _COMMENT.match(block.text)
        assert said, f"{where}: {block.text}"
        match said[1], said[2]:
            case "exit", code:
                self._code = int(code)
            case "file", name:
                self._file = name
            case "now", what:
                self._steps.append(Happens(block.line, what))
            case None, "runs on":
                self._runs_on = True
            case _:
                raise AssertionError(f"{where}: {block.text}")


# --- what is shown, compared ---

_PLACEHOLDERS = [
    (re.compile(pattern), kind)
    for pattern, kind in [
        (r"\b[0-9a-f]{64}\b", "<digest>"),
        (r"\b[0-9a-f]{6}-[0-9a-f]{8}\b", "<claim>"),
        (r"(?<=_)[0-9a-f]{8}\b", "<mount>"),
        (r"(?<=audit-)\d{6}\b", "<month>"),
        (r"\b\d{8}T\d{6}Z(-\d+)?", "<stamp>"),
        (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( UTC|Z|\+00:00)?", "<time>"),
        (r"\b\d\d:\d\d:\d\d(Z| UTC)?", "<time>"),
        (r"\b(\d+ (d|h|min) \d+ (h|min|s)|\d+(\.\d)? s)\b", "<duration>"),
        (r"\b\d[\d,.]* ([KMGTP]i)?B(/s)?(?!\w)", "<size>"),
        (r"\bprocess \d+ on [\w.-]+", "<process>"),
        (r"  +", "  "),
    ]
]


def canonical(text: str) -> str:
    """`text` with what differs from night to night replaced by its kind."""
    for pattern, kind in _PLACEHOLDERS:
        text = pattern.sub(kind, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def shows(expected: str, actual: str) -> bool:
    """Whether `actual` is what `expected` says, times and the like aside."""
    parts = []
    for line in canonical(expected).splitlines():
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(".*".join(re.escape(piece) for piece in line.split("...")) + r"\n")
    whole = canonical(actual)
    return re.fullmatch("".join(parts), f"{whole}\n" if whole else "") is not None
