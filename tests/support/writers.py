"""Who writes which file: a trace that copying processes leave of themselves, and what it says of two at once.

`watch` goes into a process before it begins: it puts something of a test's own around the few calls by which a copy is
opened, written to and given its name. Each leaves a line with its time in the trace of its process, before the write
and after everything else, at once, so that a SIGKILL loses none. The clock is one for all processes of the machine.
"""

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.files import copying
from orchestrator.files.folders import HeldFolder
from orchestrator.files.staging import Staging

FOREVER = float("inf")


# --- in the process that writes ---


class _Own(threading.local):
    """What a thread is writing just now. `kept` is the file once more, so that no other gets its inode meanwhile."""

    name = ""
    path = ""
    inode = 0
    kept = -1


def watch(folder: str) -> None:
    """From now on this process leaves a trace in `folder`."""
    trace = os.open(f"{folder}/{os.getpid()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    own = _Own()
    staged, create, reopen, rename = Staging.staged, HeldFolder.create, HeldFolder.reopen, HeldFolder.rename
    write_all = copying.write_all

    def tell(what: str, **more: int) -> None:
        line = {"at": time.monotonic_ns(), "what": what, "path": own.path, "inode": own.inode, **more}
        os.write(trace, json.dumps(line).encode() + b"\n")

    def opened(descriptor: int) -> int:
        if own.name:
            let_go()
            own.kept, own.inode = os.dup(descriptor), os.fstat(descriptor).st_ino
            own.path = f"{os.path.dirname(os.readlink(f'/proc/self/fd/{descriptor}'))}/{own.name}"
            tell("opened")
        return descriptor

    def let_go() -> None:
        if own.kept >= 0:
            os.close(own.kept)
        own.kept, own.path, own.inode = -1, "", 0

    def watched_staged(self: Staging, source: Any, entry: Any, folder: Any, name: str, *more: Any, **named: Any) -> Any:
        own.name = name
        try:
            return staged(self, source, entry, folder, name, *more, **named)
        finally:
            if own.path:
                tell("left")
            let_go()
            own.name = ""

    def watched_rename(self: HeldFolder, old: str, new: str, *, replace: bool) -> None:
        rename(self, old, new, replace=replace)
        if own.path and new == own.name:
            tell("named", moved=self.status(new).st_ino)

    def watched_write(descriptor: int, data: memoryview) -> None:
        tell("writes")
        write_all(descriptor, data)

    Staging.staged = watched_staged  # type: ignore[assignment]
    HeldFolder.create = lambda self, name, mode: opened(create(self, name, mode))  # type: ignore[method-assign]
    HeldFolder.reopen = lambda self, name: opened(reopen(self, name))  # type: ignore[method-assign]
    HeldFolder.rename = watched_rename  # type: ignore[method-assign]
    copying.write_all = watched_write


def patch(folder: Path) -> str:
    """Code that has a process watched."""
    return f"from tests.support.writers import watch\nwatch({str(folder)!r})\n"


# --- whoever reads the traces ---


@dataclass
class Writing:
    """One copy of one file by one process, from its opening to its end. Times in nanoseconds."""

    process: int
    path: str
    inode: int
    opened: float
    left: float = FOREVER
    writes: list[float] = field(default_factory=list)
    moved: int | None = None


@dataclass(frozen=True)
class Meetings:
    """Files that two processes met at. `at_once`: two had one file open for writing, or one gave the name of a file to
    what another was writing. `late`: pieces that a process began to write after another had begun that file anew; they
    went into what nobody can see any more. `again`: files that more than one process copied. `copies`: all of them."""

    at_once: list[str]
    late: list[str]
    again: int
    copies: int


def meetings(folder: Path, ended: Mapping[int, float]) -> Meetings:
    """What the traces in `folder` say. `ended` has the end of each process, by its number."""
    of_path: dict[str, list[Writing]] = defaultdict(list)
    for one in _writings(folder, ended):
        of_path[one.path].append(one)
    at_once, late, again, copies = [], [], 0, 0
    for path, those in sorted(of_path.items()):
        those.sort(key=lambda one: one.opened)
        copies += len(those)
        again += len({one.process for one in those}) > 1
        at_once += [
            f"{path}: {one.process} named what it had not written"
            for one in those
            if one.moved is not None and one.moved != one.inode
        ]
        for place, one in enumerate(those):
            for other in those[place + 1 :]:
                if one.process == other.process or other.opened > one.left:
                    continue
                if one.inode == other.inode:
                    at_once.append(f"{path}: {one.process} and {other.process} had it open")
                elif any(moment > other.opened for moment in one.writes):
                    late.append(f"{path}: {one.process} after {other.process}")
    return Meetings(at_once, late, again, copies)


def _writings(folder: Path, ended: Mapping[int, float]) -> Iterator[Writing]:
    for file in sorted(folder.glob("*.jsonl")):
        process = int(file.stem)
        open_now: dict[tuple[str, int], Writing] = {}
        for line in file.read_text("utf-8").splitlines():
            told = json.loads(line)
            key = told["path"], told["inode"]
            if told["what"] == "opened":
                open_now[key] = Writing(process, *key, told["at"])
            elif told["what"] == "writes":
                open_now[key].writes.append(told["at"])
            elif told["what"] == "named":
                open_now[key].moved = told["moved"]
            else:
                done = open_now.pop(key)
                done.left = told["at"]
                yield done
        for cut_short in open_now.values():
            cut_short.left = ended.get(process, FOREVER)
            yield cut_short
