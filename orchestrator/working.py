"""The program of a copying process: `python -m orchestrator.working`, started by a run and by nobody else.

It takes what it builds its rooms of from the first socket that it is given, and serves the others. Signals to stop are
for the process that started it, which tells it what to do, and whose end is its end.
"""

import pickle
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.worker import serve
from orchestrator.files import Algorithm, LocalSource, LocalTarget, Sidecar

PROGRAM = "orchestrator.working"
"""The name of this module, by which a process of its own runs it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the rooms of a copying process are built of."""

    allow: tuple[str, ...]
    checksum: Algorithm
    durable: bool
    read_back: bool = False
    sidecar: Path | None = None


def _rooms(recipe: Recipe) -> tuple[LocalSource, LocalTarget]:
    target = LocalTarget(recipe.allow, durable=recipe.durable)
    sidecar = Sidecar(recipe.sidecar) if recipe.sidecar is not None else None
    return LocalSource(), target.hashing(recipe.checksum, sidecar, read_back=recipe.read_back)


def main(words: list[str]) -> None:
    """Serve the sockets whose descriptors are named, the control socket first."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    control, *lanes = map(int, words)
    with socket.socket(fileno=control) as talking:
        length = int.from_bytes(talking.recv(4, socket.MSG_WAITALL), "big")
        recipe = pickle.loads(talking.recv(length, socket.MSG_WAITALL))  # noqa: S301 - from the process that started us
        serve(talking, lanes, lambda: _rooms(recipe))


if __name__ == "__main__":
    main(sys.argv[1:])
