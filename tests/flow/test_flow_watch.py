"""The watcher as a process: jobs are dropped, run once, and end beside their answers, whatever happens to it."""

import asyncio
import os
import random
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.journal import open_journal
from tests.support.flow import Command, Flow, entry_of, flow, seeded, small, toml

pytestmark = pytest.mark.flow
WATCH = {"settle": 0.05, "poll": 0.2, "retry_after": 0.2}


def job_text(em: Flow, machine: str, name: str, **more: Any) -> str:
    """A job that restores one whole machine to a folder of its own."""
    entry = entry_of(em.machine(machine), to=str(em.target / name))
    return toml({"name": name, **more, "restore": [entry]})


async def watching(em: Flow, *words: str, **env: str) -> Command:
    """A watcher that is ready."""
    command = await em.start("--log-format", "json", "watch", *words, env=env)
    await command.event("watcher_ready")
    return command


async def stopped(command: Command) -> None:
    """The watcher told to stop: exit code 0."""
    command.signal(signal.SIGTERM)
    done = await command.done()
    assert done.code == 0, done.everything


async def until(command: Command, holds: Any) -> None:
    await command.until(holds)


async def test_a_dropped_job_runs_and_ends_beside_its_report(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        watcher = await watching(em)
        assert em.count("logon") == 0, "nothing is asked of EM while there is nothing to do"
        em.drop(job_text(em, "fs01", "night"), "night job.toml")
        ended = await watcher.event("job_ended", job="night")
        assert (ended["exit_code"], ended["folder"]) == (0, "done")
        taken, begun = await watcher.event("job_taken"), await watcher.event("run_started")
        assert taken["owner"], "the account that has dropped it"
        assert begun["owner"] == taken["owner"]
        await stopped(watcher)
        assert set(em.restored()) >= {"night/C/top.txt", "night/D/Data/d.txt"}
        done = {file.name.partition("Z.")[2].partition(".")[2] for file in (tmp_path / "jobs" / "done").iterdir()}
        assert done == {"toml", "reason.txt", "report.json", "report.html"}
        assert em.ended()["night job"].startswith("exit 0: everything is restored, ")
        assert not list((tmp_path / "jobs" / "active").iterdir())
        em.assert_nothing_left()


UNNEEDED = {
    "cryptography": "an OpenSSL of its own, 7 MB: only for UNC paths",
    "prometheus_client": "only where somebody reads metrics",
    "rich": "only on a terminal",
    "structlog": "only for log lines as JSON",
}
"""What a watcher that works does not need, and what an idle one would then hold for ever."""


async def test_a_job_leaves_nothing_imported_that_it_did_not_need(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        (tmp_path / "jobs" / "incoming").mkdir(parents=True)
        em.drop(job_text(em, "fs01", "night"), "night.toml")
        watcher = await em.start("watch", "--once", env={"PYTHONPROFILEIMPORTTIME": "1"})
        done = await watcher.done()
        assert done.code == 0, done.everything
        assert "night: done: exit 0" in done.err
        lines = [line for line in done.err.splitlines() if line.startswith("import time:")]
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
        assert "jinja2" in imported, "the report was rendered, so what follows was measured"
        assert not imported & set(UNNEEDED), UNNEEDED


async def test_what_is_no_job_is_answered_with_the_key_that_is_wrong(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        watcher = await watching(em)
        em.drop('name = "x"\nresotre = 1\n', "typo.toml")
        em.drop('name = "x\n', "half.toml")
        em.drop(b"\xff\xfe\x00", "binary.toml")
        (tmp_path / "jobs" / "incoming" / "folder.toml").mkdir()
        incoming = tmp_path / "jobs" / "incoming"
        answers = {name: incoming / f"{name}.toml.rejected.txt" for name in ("typo", "half", "binary", "folder")}
        await until(watcher, lambda: all(answer.exists() for answer in answers.values()))
        assert "resotre: unknown key; did you mean restore?" in answers["typo"].read_text()
        assert "not valid TOML" in answers["half"].read_text()
        assert "not UTF-8 text" in answers["binary"].read_text()
        assert "is no regular file" in answers["folder"].read_text()
        failed = [file.name.split(".")[0] for file in (tmp_path / "jobs" / "failed").glob("*.toml")]
        assert sorted(failed) == ["binary", "half", "typo"]
        em.drop(job_text(em, "fs01", "x"), "typo.toml")  # corrected
        await watcher.event("job_ended", job="x", exit_code=0)
        assert not answers["typo"].exists()
        await stopped(watcher)
        em.assert_nothing_left()


async def test_a_job_that_cannot_be_planned_ends_failed_and_says_why(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        watcher = await watching(em)
        wrong = {"vm": "nobody", "paths": ["*"], "to": str(em.target)}
        em.drop(toml({"name": "wrong", "restore": [wrong]}), "wrong.toml")
        ended = await watcher.event("job_ended", job="wrong")
        assert (ended["exit_code"], ended["folder"]) == (2, "failed")
        await stopped(watcher)
        assert "nobody" in em.ended("failed")["wrong"]
        em.assert_untouched()


async def test_the_same_content_runs_once_and_again_when_it_says_so(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        watcher = await watching(em)
        text = job_text(em, "fs01", "once")
        em.drop(text, "first.toml")
        await watcher.event("job_ended", job="once", exit_code=0)
        em.drop(text, "second.toml")
        await until(watcher, lambda: "second" in em.ended())
        assert "the same job was dropped before (first.toml" in em.ended()["second"]
        em.drop("again = true\n" + text, "third.toml")
        await until(watcher, lambda: "third" in em.ended())
        em.drop("again = true\n" + text, "fourth.toml")
        await until(watcher, lambda: "fourth" in em.ended())
        await stopped(watcher)
        assert sum(1 for event in watcher.events() if event["event"] == "run_started") == 3
        em.assert_nothing_left()


async def test_a_paused_watcher_begins_nothing_until_it_goes_on_even_over_a_restart(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        watcher = await watching(em)
        assert (await em.run("pause")).out == "paused: nothing new begins; `orchestrator unpause` goes on\n"
        assert "Paused: nothing new begins;" in (await em.run("status")).out
        await watcher.event("queue_paused", paused=True)
        em.drop(job_text(em, "fs01", "later"), "later.toml")
        held = await watcher.event("job_held", job="later")
        assert held["cause"] == "the queue is paused"
        shown = (await em.run("--json", "queue")).json
        assert shown["paused"] is True
        assert [(one["job"], one["state"], one["file"]) for one in shown["jobs"]] == [
            ("later", "waiting", "later.toml")
        ]
        assert (await em.run("queue")).out.startswith("Paused: nothing new begins")
        await stopped(watcher)
        watcher = await watching(em)
        await watcher.event("job_held", job="later")
        assert em.count("logon") == 0
        assert (await em.run("unpause")).code == 0
        await watcher.event("job_ended", job="later", exit_code=0)
        await stopped(watcher)
        refused = await em.run("pause")
        assert refused.code == 2
        assert "no orchestrator is running" in refused.err
        em.assert_nothing_left()


async def test_one_run_is_stopped_alone_and_can_be_resumed(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=4, files=200), task_seconds=1.2) as em:
        em.configure(watch=WATCH, limits={"mounts": 1})
        watcher = await watching(em)
        everything = [entry_of(machine, to=str(em.target / "{vm}")) for machine in em.estate.machines]
        em.drop(toml({"name": "long", "restore": everything}), "long.toml")
        run = (await watcher.event("mount_opened"))["run"]
        assert (await em.run("stop", run)).code == 0
        ended = await watcher.event("job_ended", job="long")
        assert (ended["exit_code"], ended["folder"]) == (6, "failed")
        assert (
            "stopped by an operator; to go on, drop it again with `again = true`; or end the watcher" in ended["line"]
        )
        refused = await em.run("resume", run)
        assert refused.code == 5, "while the watcher lives, it has the state folder"
        assert f"then `orchestrator resume {run}`" in ended["line"]
        await stopped(watcher)
        em.assert_nothing_left()
        em.configure()
        assert (await em.run("resume", run)).code == 0
        assert em.restored() == em.expected()


async def test_with_once_the_watcher_ends_when_everything_is_done(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        assert (await em.run("watch", "--once")).code == 0
        em.drop(job_text(em, "fs01", "a"), "a.toml")
        em.drop(job_text(em, "lx01", "b"), "b.toml")
        em.drop("nonsense", "c.toml")
        done = await em.run("watch", "--once")
        assert done.code == 0, done.everything
        assert set(em.ended()) == {"a", "b"}
        assert (tmp_path / "jobs" / "incoming" / "c.toml.rejected.txt").exists()
        em.assert_nothing_left()


async def test_jobs_wait_while_enterprise_manager_is_away_and_none_is_lost(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        url = em.server.url
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"https://127.0.0.1:{free.getsockname()[1]}"
        em.configure(watch=WATCH, enterprise_manager={"url": nobody, "retry_for": 0.1})
        watcher = await watching(em)
        em.drop(job_text(em, "fs01", "patient"), "patient.toml")
        await watcher.event("job_not_started", job="patient", exit_code=4)
        await stopped(watcher)
        em.configure(watch=WATCH, enterprise_manager={"url": url})
        watcher = await watching(em)
        await watcher.event("job_ended", job="patient", exit_code=0)
        await stopped(watcher)
        em.assert_nothing_left()


def _write_slowly(em: Flow, name: str, text: str, rng: random.Random) -> None:
    """A careless writer: the file grows under its final name, but never rests for as long as it takes to settle.
    Blocks, so that nothing else of this process comes between."""
    with open(em.folder / "jobs" / "incoming" / name, "w") as file:
        middle = rng.randint(1, len(text) - 1)
        file.write(text[:middle])
        file.flush()
        time.sleep(0.02)
        file.write(text[middle:])


@pytest.mark.timeout(120)
async def test_many_writers_and_a_watcher_that_is_killed_again_and_again_run_every_job_exactly_once(
    tmp_path: Path,
) -> None:
    rng = random.Random(4711)
    async with flow(tmp_path, seeded(machines=6, files=240), strict=False, task_seconds=0.05) as em:
        em.configure(watch={**WATCH, "settle": 1.0, "runs": 3})
        watcher = await watching(em)
        machines = [machine.name for machine in em.estate.machines]
        wanted = {f"job-{number}": machines[number % len(machines)] for number in range(12)}
        texts = {name: job_text(em, vm, name) for name, vm in wanted.items()}

        async def writer(mine: list[str]) -> None:
            for name in mine:
                if rng.random() < 0.5:
                    em.drop(texts[name], f"{name}.toml")
                else:
                    _write_slowly(em, f"{name}.toml", texts[name], rng)
                if rng.random() < 0.4:
                    em.drop(texts[name], f"{name}-copy.toml")
                if rng.random() < 0.4:
                    em.drop(f'name = "{name}', f"{name}-half.toml")
                await anyio.sleep(rng.random() * 0.3)

        async def killer() -> None:
            nonlocal watcher
            for _ in range(5):
                await anyio.sleep(0.3 + rng.random() * 0.9)
                watcher.signal(signal.SIGKILL)
                await watcher.process.wait()
                watcher = await watching(em)

        async with anyio.create_task_group() as tasks:
            for start in range(4):
                tasks.start_soon(writer, list(texts)[start::4])
            tasks.start_soon(killer)
        await until(watcher, lambda: set(texts) <= {name.removesuffix("-copy") for name in em.ended()} and _empty(em))
        await stopped(watcher)
        # Of the journal, since what a killed process was about to tell of a run is lost with it.
        runs = await anyio.to_thread.run_sync(_runs_by_job, em.state)
        assert runs == dict.fromkeys(texts, 1), "one run for each job, however often it was gone on with"
        for name, vm in wanted.items():
            expected = {f"{name}/{path.partition('/')[2]}": file for path, file in em.expected(em.machine(vm)).items()}
            found = {path: file for path, file in em.restored().items() if path.startswith(f"{name}/")}
            assert {path: file for path, file in expected.items() if path != f"{name}/"} == found, name
        await em.settled()
        em.assert_nothing_left()


def _runs_by_job(state: Path) -> Counter[str]:
    with open_journal(state, read_only=True) as journal:
        return Counter(run.job for run in journal.runs())


def _empty(em: Flow) -> bool:
    """Nothing waits to be taken, nothing is being run."""
    incoming = [one for one in os.listdir(em.folder / "jobs" / "incoming") if one.endswith(".toml")]
    return not incoming and not os.listdir(em.folder / "jobs" / "active")


async def test_several_watchers_on_one_folder_run_each_job_once(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=12, files=120)) as em:
        em.configure(watch=WATCH)
        config = (tmp_path / "config.toml").read_text()
        watchers = []
        for number in range(3):
            other = tmp_path / f"config-{number}.toml"
            other.write_text(config.replace('folder = "state"', f'folder = "state-{number}"'))
            command = await em.start("--config", other.name, "--log-format", "json", "watch")
            await command.event("watcher_ready")
            watchers.append(command)
        names = [f"job-{number}" for number in range(12)]
        for number, name in enumerate(names):
            text = job_text(em, em.estate.machines[number].name, name)
            em.drop(text, f"{name}.toml")
            em.drop(text, f"{name}-copy.toml")
        ended = set(names) | {f"{name}-copy" for name in names}
        await until(watchers[0], lambda: set(em.ended()) == ended)
        for command in watchers:
            await stopped(command)
        started = [event["job"] for one in watchers for event in one.events() if event["event"] == "run_started"]
        assert sorted(started) == sorted(names)
        em.assert_nothing_left()


async def test_a_watcher_whose_folder_cannot_be_written_does_not_begin(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "jobs").write_text("a file")
        em.configure(watch=WATCH)
        done = await em.run("watch")
        assert done.code == 2
        assert "a file stands where the folder belongs" in done.err


async def test_systemd_is_told_when_the_watcher_is_ready_and_that_it_lives(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        loop, told = asyncio.get_running_loop(), []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(tmp_path / "notify"))
            notify.setblocking(False)
            watcher = await watching(em, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000")
            while not {"READY=1", "WATCHDOG=1"} <= set(told):
                told += (await loop.sock_recv(notify, 4096)).decode().splitlines()
            await stopped(watcher)
            while "STOPPING=1" not in told:
                told += (await loop.sock_recv(notify, 4096)).decode().splitlines()
