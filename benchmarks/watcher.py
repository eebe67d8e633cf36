"""The watcher as a process: what it costs while nothing happens, and how long a thousand jobs at once take."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.places import Places

JOBS = 1_000
REPEATED, BROKEN = 50, 50
"""Of the jobs: so many are copies of others, and so many are no jobs."""

MACHINES = 20
IDLE_SECONDS = 60.0
REST_SECONDS = 30.0
"""After the last answer: by then the watcher has given back what the jobs took."""

ORCHESTRATOR = (sys.executable, "-m", "orchestrator")


def watcher(places: Places, quick: bool) -> None:
    """Prints processor time and memory of an idle watcher, and jobs per second of a full drop folder."""
    folder = places.disk / "watcher"
    jobs = JOBS // 10 if quick else JOBS
    with _simulator(folder), _watching(folder) as process:
        idle = _idle(process, IDLE_SECONDS / 10 if quick else IDLE_SECONDS)
        began = time.perf_counter()
        _drop(folder, jobs)
        dropped = time.perf_counter() - began
        _until_answered(folder, jobs)
        seconds = time.perf_counter() - began
        busy = _resident(process)
        time.sleep(REST_SECONDS)
        after, peak = _resident(process), _resident(process, "VmHWM")
    print_table(
        "a watcher that waits for jobs",
        ("", "processor", "resident"),
        [
            ["idle", f"{idle[0]:.2%}", f"{idle[1]:,} kB"],
            [f"as {jobs:,} jobs end", "", f"{busy:,} kB"],
            [f"idle again, {REST_SECONDS:g} s later", "", f"{after:,} kB"],
            ["the most at any time", "", f"{peak:,} kB"],
        ],
    )
    done = len(list((folder / "jobs" / "done").glob("*.reason.txt")))
    rejected = len(list((folder / "jobs" / "failed").glob("*.rejected.txt")))
    ran = sum(1 for _ in (folder / "state" / "runs").iterdir())
    print_table(
        f"{jobs:,} jobs dropped at once in {dropped:.1f} s, 4 at a time, a mount takes 0.01 s",
        ("", "s", "jobs/s", "run", "repeated", "rejected"),
        [["all answered", f"{seconds:.1f}", f"{jobs / seconds:.1f}", str(ran), str(done - ran), str(rejected)]],
    )


@contextmanager
def _simulator(folder: Path) -> Iterator[None]:
    words = ["simulate", "--folder", str(folder), "--port", "0", "--machines", str(MACHINES), "--files", "400"]
    process = subprocess.Popen(
        [*ORCHESTRATOR, *words, "--task-seconds", "0.01"], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        while "job.toml" not in process.stdout.readline():
            if process.poll() is not None:
                raise SystemExit("the simulator did not start")
        _configure(folder)
        yield
    finally:
        process.terminate()
        process.wait()


def _configure(folder: Path) -> None:
    config = folder / "config.toml"
    text = config.read_text()
    text = text.replace("[limits]", "[limits]\npoll_interval = 0.02")
    # The default of 50 is manners towards a real EM, and would be all that is measured: a small job asks ten times.
    text = text.replace("[enterprise_manager]", "[enterprise_manager]\nrequests_per_second = 1000")
    config.write_text(f'{text}\n[watch]\nfolder = "{folder}/jobs"\nruns = 4\nsettle = 1.0\n')


@contextmanager
def _watching(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["--config", str(folder / "config.toml"), "--quiet", "watch", "--events", str(folder / "events.jsonl")]
    process = subprocess.Popen([*ORCHESTRATOR, *words])
    try:
        while "watcher_ready" not in _read(folder / "events.jsonl"):
            time.sleep(0.05)
            if process.poll() is not None:
                raise SystemExit("the watcher did not start")
        yield process
        process.send_signal(signal.SIGTERM)
        if process.wait() != 0:
            raise SystemExit(f"the watcher ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _idle(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[float, int]:
    """(share of one processor, resident kB) over a while in which nothing happens."""
    time.sleep(2.0)  # what belongs to its start is over
    before = _processor_seconds(process)
    time.sleep(seconds)
    return (_processor_seconds(process) - before) / seconds, _resident(process)


def _processor_seconds(process: "subprocess.Popen[bytes]") -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: "subprocess.Popen[bytes]", which: str = "VmRSS") -> int:
    """Resident memory in kB, now or (VmHWM) the most that it has been."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1])
    raise SystemExit(f"no {which}")


def _drop(folder: Path, jobs: int) -> None:
    """Small jobs, each of one folder of one machine; some twice, some broken."""
    job = _tomls((folder / "job.toml").read_text())
    repeated, broken = jobs * REPEATED // JOBS, jobs * BROKEN // JOBS
    for number in range(jobs):
        text = job[number % len(job)].replace('name = "x"', f'name = "small-{number:04d}"')
        if number >= jobs - broken:
            text = text.replace("[[restore]]", "[[restroe]]")
        elif number >= jobs - broken - repeated:
            name = f"small-{number - (jobs - broken - repeated):04d}"
            text = job[int(name[-4:]) % len(job)].replace('name = "x"', f'name = "{name}"')
        place = folder / "jobs" / "incoming" / f"{number:04d}.toml"
        draft = place.with_suffix(".tmp")
        draft.write_text(text)
        os.replace(draft, place)


def _tomls(text: str) -> list[str]:
    """One job for each entry of the estate's own job."""
    head, *entries = text.split("[[restore]]")
    to = next(line for line in head.splitlines() if line.startswith("to ="))
    return [f'name = "x"\n[defaults]\n{to}\n[[restore]]{entry}' for entry in entries]


def _until_answered(folder: Path, jobs: int) -> None:
    done, failed, incoming = (folder / "jobs" / name for name in ("done", "failed", "incoming"))
    while True:
        answered = sum(1 for _ in done.glob("*.toml")) + sum(
            1 for one in failed.glob("*.toml") if not one.name.endswith(".residual.toml")
        )
        if answered >= jobs and not any(incoming.glob("*.toml")):
            return
        time.sleep(0.2)
