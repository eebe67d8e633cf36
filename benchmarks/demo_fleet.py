"""A job over three workers, of which one is killed in the middle: `make demo-fleet`.

PostgreSQL, the simulated Enterprise Manager and the workers are real processes of this machine.
"""

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.processes import WITHIN, Words, process, run, told, until
from tests.support.postgres import postgres

LEASE = 8.0


def main() -> int:
    """0 when every file is there and no mount was left."""
    with tempfile.TemporaryDirectory(prefix="demo-fleet-") as folder, ExitStack() as stack:
        home = Path(folder)
        say("Starting PostgreSQL and a simulated Enterprise Manager with 24 machines ...")
        database = stack.enter_context(postgres())
        em = home / "em"
        estate: Words = ("--port", "0", "--machines", "24", "--files", "6000", "--task-seconds", "2")
        simulator = stack.enter_context(process(home, "simulator", "simulate", "--folder", em, *estate))
        until(lambda: (em / "job.toml").exists(), simulator)
        fleet = {"dsn": database.new_database(), "heartbeat": 0.5, "lease": LEASE}
        with (em / "config.toml").open("a") as config:
            config.write("\n[fleet]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in fleet.items()))
        at: Words = ("--config", em / "config.toml")
        workers = {}
        for name in ("anna", "bert", "carl"):
            events = home / f"{name}.jsonl"
            words: Words = (*at, "--quiet", "worker", "--name", name, "--mounts", "4", "--events", events)
            workers[name] = stack.enter_context(process(home, name, *words))
            until(lambda events=events: told(events, "worker_ready"), workers[name])  # type: ignore[misc]
        say(run(*at, "fleet", "status"))
        say("Submitting the job, and killing bert when it has mounted ...")
        begun = time.monotonic()
        submitted = stack.enter_context(process(home, "run", *at, "--json", "run", em / "job.toml"))
        until(lambda: told(home / "bert.jsonl", "mount_opened"), workers["bert"])
        workers["bert"].kill()
        killed = time.monotonic()
        until(lambda: any("a member of the fleet died" in line for line in heard(home)), submitted)
        noticed = time.monotonic() - killed
        code = submitted.wait(WITHIN)
        seconds = time.monotonic() - begun
        say(run(*at, "fleet", "status"))
        return judge(json.loads((home / "run.out").read_text()), code, noticed, seconds)


def judge(report: dict[str, Any], code: int, noticed: float, seconds: float) -> int:
    totals = report["totals"]
    mounts = sum(len(group["mounts"]) for group in report["groups"])
    say(
        f"{len(report['groups'])} machines, {totals['restored']:,} files restored, {totals['failed']} failed, in "
        f"{seconds:.1f} s\n{mounts} mounts made, {len(report['mounts_left'])} left; "
        f"bert's were deleted {noticed:.1f} s after it was killed (lease {LEASE:g} s)\nexit code of the run: {code}"
    )
    return code or len(report["mounts_left"])


def heard(home: Path) -> list[str]:
    return [line for file in home.glob("*.jsonl") for line in file.read_text().splitlines()]


def say(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
