"""`python -m benchmarks [NAME ...] [--quick] [--disk FOLDER]`: measure, and print what was found."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.durable import durable
from benchmarks.end_to_end import end_to_end
from benchmarks.fleet import fleet
from benchmarks.journal import journal
from benchmarks.local_copy import local_copy
from benchmarks.locating import locating
from benchmarks.memory import memory
from benchmarks.metadata import metadata
from benchmarks.places import Places, machine_line, places
from benchmarks.planning import planning
from benchmarks.rerun import rerun
from benchmarks.scaling import scaling
from benchmarks.scheduling import scheduling
from benchmarks.smb import smb
from benchmarks.smb_target import smb_target
from benchmarks.watcher import watcher

ALL: dict[str, Callable[[Places, bool], None]] = {
    "memory": memory,
    "durable": durable,
    "local_copy": local_copy,
    "metadata": metadata,
    "journal": journal,
    "end_to_end": end_to_end,
    "planning": planning,
    "rerun": rerun,
    "scaling": scaling,
    "scheduling": scheduling,
    "locating": locating,
    "smb": smb,
    "smb_target": smb_target,
    "watcher": watcher,
    "fleet": fleet,
}


def main() -> None:
    """Run the benchmarks that are named, else all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures; asserts nothing about speed.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data: shows that it works, not how fast")
    parser.add_argument(
        "--disk", type=Path, help="a folder on the disk to be measured; the working folder if not given"
    )
    words = parser.parse_args()
    unknown = [name for name in words.names if name not in ALL]
    if unknown:
        parser.error(f"{', '.join(unknown)}: there is {', '.join(ALL)}")
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # as Ctrl-C: what was started is stopped, what was made goes
    with places(words.disk) as found:
        print(machine_line(found))
        for name in words.names or ALL:
            begun = time.perf_counter()
            ALL[name](found, words.quick)
            print(f"  ({name} took {time.perf_counter() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
