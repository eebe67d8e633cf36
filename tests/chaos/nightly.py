# ruff: noqa: T201 - prints what it finds
"""What is too long for the suite: real SIGKILLs, random fault scripts, a death at every single call, and a session that
is ended every five seconds.

    python -m tests.chaos.nightly                    # what `make chaos` does
    python -m tests.chaos.nightly --runs 5000 --kills 0 --calls 0
    python -m tests.chaos.nightly --seed 4711        # one fault script again, told in full

Every run ends with the same demands: an honest exit code, no wrong byte and no half file under a final name at any
time, and, once Enterprise Manager behaves again, everything restored with no mount and no session left.
"""

import argparse
import asyncio
import faulthandler
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import anyio

from orchestrator.core.errors import ExitCode, OrchestratorError, worst
from orchestrator.core.events import SessionRenewed
from orchestrator.simulator import (
    Delay,
    Drop,
    EndSession,
    Estate,
    FailedTaskButMounted,
    FailTask,
    Fault,
    Garbage,
    SlowTask,
    Status,
    VanishFolder,
)
from orchestrator.simulator.faults import Action, FaultScript
from orchestrator.views import report_html, report_text
from tests.support.chaos import (
    PASSWORD,
    Ended,
    Fate,
    House,
    build_estate,
    demand_whole_files,
    house,
    live,
    report_of,
)
from tests.support.chaos import stopped_and_resumed as demand_all_of_a_stop

ROUTES = ("logon", "session", "logoff", "query", "mounts_list", "mount_post", "task", "mount_get", "browse")
LAST_ROUTES = (*ROUTES, "mount_delete", "tasks")
REQUESTS_OF_A_RUN = 24
"""What a run that nobody disturbs asks of EM."""

LONGEST = 60.0
"""Seconds one story may take; more is a hang."""

LONGEST_SESSIONS = 600.0
"""The same for a story of ended sessions, which takes a minute when nothing else runs."""


# --- one fault script -------------------------------------------------------------------------------------------------


def _status(rng: random.Random) -> Action:
    code = rng.choice((500, 500, 502, 503, 503, 504, 429, 404, 403))
    headers = {"Retry-After": str(rng.choice((0, 1, 5)))} if code in (503, 429) and rng.random() < 0.7 else {}
    return Status(code, headers=headers, after=rng.random() < 0.3)


def _garbage(rng: random.Random) -> Action:
    kinds = ("html", "half_xml", "empty", "doctype", "wrong_namespace")
    return Garbage(rng.choice(kinds), after=rng.random() < 0.7)  # type: ignore[arg-type]


ANYWHERE: Sequence[Callable[[random.Random], Action]] = (
    _status,
    _status,
    _garbage,
    lambda rng: Drop(after=False),
    lambda rng: Drop(after=True),
    lambda rng: Delay(rng.uniform(0.001, 0.05)),
)
UNDER_A_SESSION: Sequence[Callable[[random.Random], Action]] = (lambda rng: EndSession(), lambda rng: VanishFolder())
AT_THE_POST: Sequence[Callable[[random.Random], Action]] = (
    lambda rng: FailTask(),
    lambda rng: SlowTask(rng.uniform(0.01, 0.1)),
    lambda rng: FailedTaskButMounted(),
)


def script_of(seed: int) -> tuple[Fault, ...]:
    """The faults that a seed stands for."""
    rng = random.Random(seed)
    faults = []
    for _ in range(rng.randint(1, 5)):
        route = rng.choice((*LAST_ROUTES, "mount_post", "mount_delete", "*"))
        makers = list(ANYWHERE)
        if route != "logon":
            makers += UNDER_A_SESSION
        if route == "mount_post":
            makers += AT_THE_POST
        nth = rng.randint(1, 20) if route in ("*", "task") else rng.randint(1, 4)
        faults.append(Fault(route, nth, _no_lie(route, rng.choice(makers)(rng)), times=rng.choice((1, 1, 1, 2, 3, 8))))
    return tuple(faults)


def _no_lie(route: str, action: Action) -> Action:
    """A logoff that answers success, or `gone`, and is not done, is a lie that no client can see through."""
    if route in ("logoff", "*"):
        if isinstance(action, Garbage):
            return Garbage(action.kind, after=True)
        if isinstance(action, Status) and action.code == 404:
            return Status(500, after=action.after)
    return action


def settings_of(seed: int) -> dict[str, Any]:
    """How the Enterprise Manager of a seed behaves where its documentation leaves it open."""
    rng = random.Random(seed + 1)
    return {
        "task_seconds": rng.choice((0.001, 0.001, 0.03)),
        "delete_status": rng.choice((200, 202, 204)),
        "session_end_unmounts": rng.choice(("now", "now", "later")),
        "session_end_delay": 0.05,
        "collection_404_when_empty": rng.random() < 0.3,
        "folder_suffix": rng.random() < 0.8,
        "folder_delay": rng.choice((0.0, 0.0, 0.02)),
        "unmount_seconds": rng.choice((0.0, 0.0, 0.02)),
        "task_related": rng.random() < 0.8,
        "task_wrapped": rng.random() < 0.2,
        "operation_finished_seconds": rng.choice((0.0, 0.01)),
    }


def fate_of(seed: int) -> Fate:
    """One run in three is also stopped, at an event."""
    rng = random.Random(seed + 2)
    how = rng.choice(("", "", "", "", "cancel", "drain", "kill"))
    return Fate(how, event=rng.randint(1, 40))


@dataclass
class Told:
    """What one story has to tell; sums up with others."""

    seed: int
    kind: str
    seconds: float = 0.0
    killed: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    mounts_left: int = 0
    sessions_left: int = 0
    wrong: int = 0
    visible_halves: int = 0
    broken: str = ""
    run_seconds: float = 0.0
    renewals: int = 0
    remounts: int = 0


async def _ended(home: House, fate: Fate, told: Told, *, resume: bool = False) -> tuple[int | None, Ended]:
    """(exit code as the command line would give it, None when killed; what it printed)."""
    try:
        ended = await live(home, fate, resume=resume)
    except OrchestratorError as error:
        told.codes[str(int(error.exit_code))] += 1
        return int(error.exit_code), None
    except BaseExceptionGroup as group:
        known, bugs = group.split(OrchestratorError)
        if bugs is not None or known is None:
            raise
        told.codes["group"] += 1
        return int(ExitCode.EM), None
    if ended is None:
        told.killed += 1
        told.codes["killed"] += 1
        return None, None
    code = int(worst(*(ExitCode(one.report.exit_code or 0) for one in ended)))
    told.codes[str(code)] += 1
    return code, ended


async def fault_story(estate: Estate, folder: Path, seed: int, told: Told) -> None:
    """One run under a fault script, then one without faults."""
    faults = script_of(seed)
    async with house(estate, folder, *faults, strict=False, **settings_of(seed)) as home:
        fate = fate_of(seed)
        code, _ = await _ended(home, fate, told)
        _note_files(home, told)
        script = home.simulator._script
        for fault, count in zip(script._faults, script._fired, strict=True):
            told.fired[type(fault.action).__name__] += count
        assert code != ExitCode.BUG, "exit code 1"
        if code == 0:
            assert not home.missing(), f"exit code 0, but missing: {home.missing()}"
        if code not in (None, int(ExitCode.MOUNTS_LEFT)):
            mounts = [one for one in home.simulator.open_mounts() if one.session_alive]
            assert not mounts, f"exit code {code}, but EM still holds {mounts}"
        home.simulator._script = FaultScript(())
        code, ended = await _ended(home, Fate(), told, resume=True)
        _note_files(home, told)
        if code == int(ExitCode.MOUNTS_LEFT):  # what the share still shows takes a moment to go
            code, ended = await _ended(home, Fate(), told, resume=True)
        problems = [one for story in ended or () for one in story.report.problems]
        assert code == 0, f"without faults: exit code {code}: {problems}"
        assert not home.missing(), f"resumed, but missing: {home.missing()}"
        assert not home.partial(), f"resumed, but there are still {home.partial()}"
        await _until_disks_are_off(home)
        told.mounts_left += len(home.simulator.open_mounts())
        told.sessions_left += len(_known_sessions(home, fate))


def _known_sessions(home: House, fate: Fate) -> list[str]:
    """The sessions left that somebody could have known of: not one whose logon was never answered, nor one that died
    with its process before anything was written. Both end by being idle."""
    if fate.dead:
        return []
    used = {entry.session for entry in home.simulator.log if entry.route != "logon"}
    return [one.label for one in home.simulator.open_sessions() if one.label in used]


async def _until_disks_are_off(home: House) -> None:
    """EM takes disks off a little after it has said so (`unmount_seconds`, `session_end_delay`)."""
    with anyio.move_on_after(2):
        while home.simulator.open_mounts():  # noqa: ASYNC110 - the simulator is watched from outside
            await anyio.sleep(0.01)


def _note_files(home: House, told: Told) -> None:
    wrong = home.wrong()
    told.wrong += len(wrong)
    told.visible_halves += sum("bytes that differ" in one for one in wrong)
    demand_whole_files(home)


# --- one death at one call --------------------------------------------------------------------------------------------


async def call_story(estate: Estate, folder: Path, number: int, told: Told) -> None:
    """Killed at call `number`: odd ones before the call, even ones after it."""
    fate = Fate("kill", call=(number + 1) // 2, after=number % 2 == 0)
    async with house(estate, folder, session_end_unmounts="never") as home:
        await demand_all_of_a_stop(home, fate)
        told.killed += fate.dead


# --- one real SIGKILL -------------------------------------------------------------------------------------------------


async def kill_story(estate: Estate, folder: Path, seed: int, told: Told) -> None:
    """A real process, killed a moment after one of its requests, and what `resume` makes of it. Counted by requests and
    not by the clock, so that it is killed while it works however busy the machine is."""
    rng = random.Random(seed)
    fatal = rng.randint(1, REQUESTS_OF_A_RUN)
    quirks: dict[str, Any] = {"task_seconds": 0.02, "request_latency": 0.005, "session_end_unmounts": "never"}
    async with house(estate, folder, **quirks) as home:
        _write_words(home)
        process = await _start(home, "run", str(home.folder / "job.toml"))
        with anyio.move_on_after(20):
            while len(home.simulator.log) < fatal and process.returncode is None:  # noqa: ASYNC110 - the same
                await anyio.sleep(0.002)
        await anyio.sleep(rng.uniform(0.0, 0.03))
        if process.returncode is None:
            process.kill()
            told.killed += 1
        await process.wait()
        told.codes["killed" if process.returncode == -9 else str(process.returncode)] += 1
        _note_files(home, told)
        held = bool(home.simulator.mounts_made)
        code = await _finished(home, "resume")
        if code == int(ExitCode.WORDS):
            code = await _finished(home, "run", str(home.folder / "job.toml"))
        told.codes[str(code)] += 1
        _note_files(home, told)
        assert code == 0, f"resume: exit code {code}; {(home.folder / 'stderr').read_text()[-2000:]}"
        assert not home.missing(), home.missing()
        assert not home.partial(), home.partial()
        told.mounts_left += len(home.simulator.open_mounts())
        if held:
            told.sessions_left += len(home.simulator.open_sessions())


def _write_words(home: House) -> None:
    """config.toml and job.toml."""
    shares = "".join(
        f'[[backup_servers]]\nname = "{name}"\nshares = ["{share}"]\n'
        for name, share in home.simulator.estate.shares.items()
    )
    (home.folder / "config.toml").write_text(
        f"[enterprise_manager]\nurl = \"{home.server.url}\"\nusername = '{home.simulator.settings.username}'\n"
        f'password_env = "EM_PASSWORD"\nca_file = "{home.server.ca_file}"\n'
        f'{shares}[limits]\npoll_interval = 0.05\nreserve_mib = 0\n[targets]\nallow = ["{home.target}"]\n'
        f'[state]\nfolder = "{home.state}"\n'
    )
    entries = "".join(
        f'[[restore]]\nvm = "{one.vm}"\npaths = {[str(path) for path in one.paths]!r}\n'
        + (f'os = "{one.os.value}"\n' if one.os else "")
        for one in home.job.restore
    )
    # Python writes a backslash twice and quotes once; TOML's literal strings do not double it.
    entries = entries.replace("\\\\", "\\")
    (home.folder / "job.toml").write_text(f'name = "chaos"\n[defaults]\nto = "{home.target}/{{vm}}"\n{entries}')


async def _start(home: House, *words: str) -> asyncio.subprocess.Process:
    with (home.folder / "stderr").open("ab") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orchestrator", "--config", str(home.folder / "config.toml"), *words,
            stdout=stderr, stderr=stderr, env={**os.environ, "EM_PASSWORD": PASSWORD},
        )  # fmt: skip


async def _finished(home: House, *words: str) -> int:
    process = await _start(home, *words)
    return await process.wait()


# --- a session that is ended every five seconds -----------------------------------------------------------------------

CROWD = 50
CROWD_SERVERS = 5
CROWD_FILES = 24
SLOW = 0.4
"""Seconds that a file takes: 1,200 of them, 16 at a time, are half a minute of copying when nobody disturbs."""

EVERY = 5.0
AT_LEAST = 30.0


def crowd(folder: Path) -> tuple[Estate, dict[str, dict[str, str]]]:
    """Fifty machines on five backup servers, every file with content of its own. Blocks."""
    estate = Estate.empty(folder, tuple(f"vbr{number:02d}" for number in range(CROWD_SERVERS)))
    for number in range(CROWD):
        files = {f"Shares/{n:02d}.txt": b"machine %d, file %d\n" % (number, n) * 500 for n in range(CROWD_FILES)}
        estate.add_machine(f"vm{number:02d}", backup_server=f"vbr{number % CROWD_SERVERS:02d}", points=[{"C:": files}])
    return estate, {f"vm{number:02d}": {"C:\\": "C:"} for number in range(CROWD)}


class SlowTarget:
    """Where every file takes SLOW seconds, and notices meanwhile that it is given up."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def place(
        self, source: Any, entry: Any, target: Any, replace: bool, check: Callable[[int], None], *more: Any
    ) -> Any:
        for _ in range(8):
            time.sleep(SLOW / 8)
            check(0)
        return self._real.place(source, entry, target, replace, check, *more)


async def session_story(_: Estate, folder: Path, seed: int, told: Told) -> None:
    """EM ends the logon session every five seconds while the groups copy; the limits are those of the defaults."""
    estate, wanted = await anyio.to_thread.run_sync(crowd, folder / "estate")
    async with house(estate, folder / "house", wanted=wanted, task_seconds=0.05, session_end_unmounts="later") as home:

        async def end_sessions() -> None:
            while True:
                await anyio.sleep(EVERY)
                await home.simulator.end_session()

        fate, begun = Fate(), time.monotonic()
        async with anyio.create_task_group() as beside:
            beside.start_soon(end_sessions)
            ended = await live(home, fate, wrap=lambda name, room: SlowTarget(room) if name == "target" else room)
            beside.cancel_scope.cancel()
        told.run_seconds = time.monotonic() - begun
        report = report_of(ended)
        told.codes[str(report.exit_code)] += 1
        told.renewals = sum(isinstance(event, SessionRenewed) for event in fate.seen)
        told.remounts = report.remounts
        _note_files(home, told)
        assert report.exit_code == 0, f"exit code {report.exit_code}: {report.problems[:3]}"
        assert not home.missing(), f"missing: {home.missing()[:3]}"
        assert told.run_seconds >= AT_LEAST, f"only {told.run_seconds:.0f} s: nothing is proved"
        assert told.renewals >= AT_LEAST / EVERY - 1, f"only {told.renewals} renewals"
        told_of = f"{report.sessions} sessions in the report, {told.renewals} renewals"
        assert report.sessions in (told.renewals, told.renewals + 1), told_of
        said = f"{report.sessions} logon sessions, {report.remounts} remounts"
        for name, text in {"text": report_text(report), "HTML": report_html(report)}.items():
            assert said in text, f"the {name} report does not say: {said}"
        await _until_disks_are_off(home)
        told.mounts_left = len(home.simulator.open_mounts())
        told.sessions_left = len(home.simulator.open_sessions())


# --- many of them -----------------------------------------------------------------------------------------------------

STORIES: dict[str, Callable[[Estate, Path, int, Told], Any]] = {
    "faults": fault_story,
    "calls": call_story,
    "kills": kill_story,
    "sessions": session_story,
}
_estate: list[Estate] = []


def tell(kind: str, seed: int) -> Told:
    """One story from beginning to end, in a folder of its own. Never raises: what broke is in `broken`."""
    longest = LONGEST_SESSIONS if kind == "sessions" else LONGEST
    faulthandler.dump_traceback_later(longest * 2, exit=True)
    told, begun = Told(seed, kind), time.monotonic()
    if not _estate:
        folder = Path(tempfile.mkdtemp(prefix="chaos-estate-"))
        Finalize(None, shutil.rmtree, (folder, True), exitpriority=1)  # atexit is not run in a pool's processes
        _estate.append(build_estate(folder))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        try:
            asyncio.run(_bounded(STORIES[kind](_estate[0], Path(folder), seed, told), longest))
        except BaseException:
            told.broken = traceback.format_exc()
    told.seconds = time.monotonic() - begun
    faulthandler.cancel_dump_traceback_later()
    return told


async def _bounded(story: Any, longest: float) -> None:
    async with asyncio.timeout(longest):
        await story


def _all(jobs: Iterable[tuple[str, int]], workers: int, until: float) -> Iterable[Told]:
    """The stories, as they end; none is begun after `until`."""
    waiting = iter(jobs)
    with ProcessPoolExecutor(workers) as pool:
        running: set[Future[Told]] = set()
        while True:
            while len(running) < workers and time.monotonic() < until and (job := next(waiting, None)):
                running.add(pool.submit(tell, *job))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="real processes that are killed")
    parser.add_argument("--runs", type=int, default=1000, help="random fault scripts")
    parser.add_argument("--calls", type=int, default=480, help="deaths at calls, two to a call: before and after")
    parser.add_argument("--sessions", type=int, default=1, help="runs whose session is ended every 5 seconds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing after so long")
    parser.add_argument("--jobs", type=int, default=2, help="at once")
    parser.add_argument("--seed", type=int, help="tell one story again, in full")
    parser.add_argument("--kind", choices=sorted(STORIES), default="faults", help="of which kind --seed is")
    words = parser.parse_args()
    if words.seed is not None:
        return _again(words.kind, words.seed)
    jobs = [("faults", words.first + n) for n in range(words.runs)]
    jobs += [("calls", 1 + n) for n in range(words.calls)]
    jobs += [("kills", words.first + n) for n in range(words.kills)]
    random.Random(words.first).shuffle(jobs)  # a bound on time cuts all kinds alike
    jobs = [("sessions", words.first + n) for n in range(words.sessions)] + jobs
    stories = []
    for told in _all(jobs, words.jobs, time.monotonic() + words.minutes * 60):
        stories.append(told)
        if told.broken or told.mounts_left or told.sessions_left:
            print(f"{told.kind} --seed {told.seed}: {_short(told)}", flush=True)
        if len(stories) % 100 == 0:
            print(f"... {len(stories)} of {len(jobs)}", flush=True)
    return _table(stories)


def _shown(told: Told) -> str:
    return f"{told.run_seconds:.0f}, {told.renewals}, {told.remounts}"


def _short(told: Told) -> str:
    lines = told.broken.strip().splitlines()
    left = f"mounts left {told.mounts_left}, sessions left {told.sessions_left}"
    return f"{lines[-1][:300] if lines else ''} {left}".strip()


def _again(kind: str, seed: int) -> int:
    if kind == "faults":
        for fault in script_of(seed):
            print(fault)
        print(settings_of(seed), fate_of(seed).how, fate_of(seed).event)
    told = tell(kind, seed)
    print(told.broken or "as it should be")
    print(told)
    return int(bool(told.broken or told.mounts_left or told.sessions_left))


def _table(stories: Sequence[Told]) -> int:
    kinds = Counter(one.kind for one in stories)
    fired: Counter[str] = sum((one.fired for one in stories), Counter())
    codes: Counter[str] = sum((one.codes for one in stories), Counter())
    broken = [one for one in stories if one.broken]
    rows = [
        ("runs under fault scripts", kinds["faults"]),
        ("deaths at calls", kinds["calls"]),
        ("runs of a real process", kinds["kills"]),
        ("real SIGKILLs", sum(one.killed for one in stories if one.kind == "kills")),
        ("runs with a session of 5 s", kinds["sessions"]),
        ("... seconds, renewals, remounts", "; ".join(_shown(one) for one in stories if one.kind == "sessions")),
        *((f"faults fired: {kind}", count) for kind, count in sorted(fired.items())),
        ("exit codes seen", ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))),
        ("stories that broke a demand", len(broken)),
        ("mounts left", sum(one.mounts_left for one in stories)),
        ("sessions left", sum(one.sessions_left for one in stories)),
        ("wrong files", sum(one.wrong for one in stories)),
        ("partial files visible", sum(one.visible_halves for one in stories)),
        ("seconds a story, median", f"{sorted(one.seconds for one in stories)[len(stories) // 2]:.2f}"),
    ]
    for name, value in rows:
        print(f"{name:32} {value}")
    clean = not broken and not any(one.mounts_left or one.sessions_left or one.wrong for one in stories)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
