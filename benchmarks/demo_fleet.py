"""A job over three workers, of which one is killed in the middle: `make demo-fleet`.

PostgreSQL, the simulated Enterprise Manager and the workers are real processes of this machine.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.postgres import postgres

LEASE = 8.0
WITHIN = 300.0
"""Seconds for each thing that is waited for."""

Words = tuple[str | Path, ...]


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
            until(lambda events=events: told(events, "notice"), workers[name])  # type: ignore[misc]
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


@contextmanager
def process(home: Path, name: str, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours; what it says is in files. At the end it is asked to stop, and waited for."""
    command = [sys.executable, "-m", "orchestrator", *map(str, words)]
    with (home / f"{name}.out").open("wb") as out, (home / f"{name}.err").open("wb") as err:
        running = subprocess.Popen(command, stdout=out, stderr=err)
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def run(*words: str | Path) -> str:
    command = [sys.executable, "-m", "orchestrator", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def heard(home: Path) -> list[str]:
    return [line for file in home.glob("*.jsonl") for line in file.read_text().splitlines()]


def told(events: Path, kind: str) -> bool:
    lines = events.read_text().splitlines() if events.exists() else []
    return any(json.loads(line)["event"] == kind for line in lines if line.endswith("}"))


def until(holds: Callable[[], object], running: subprocess.Popen[bytes]) -> None:
    """Wait until `holds`; SystemExit when the process ends first, or it takes too long."""
    end = time.monotonic() + WITHIN
    while not holds():
        if running.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"{running.args!r} {how(running)}")
        time.sleep(0.05)


def how(running: subprocess.Popen[bytes]) -> str:
    code = running.poll()
    return f"did not do what it should within {WITHIN:g} s" if code is None else f"ended with {code}"


def say(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
