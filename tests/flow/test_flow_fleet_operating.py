"""Operating a fleet: versions side by side, watchers over it, what a worker cannot reach."""

import json
import shutil
import signal
from pathlib import Path

import pytest

import orchestrator
from tests.flow.test_flow_fleet import with_a_big_file
from tests.support.fleet import done_by, fleet, in_fleet, worker
from tests.support.flow import PARTIAL, Command, Flow, entry_of, seeded, small, toml

pytestmark = [pytest.mark.flow, pytest.mark.timeout(120)]

PACKAGE = Path(orchestrator.__file__).parent
WATCH = {"settle": 0.05, "poll": 0.2}
STEPS = "STEPS: Mapping[int, str] = {}"


def program(folder: Path, version: str, **changed: dict[str, str]) -> dict[str, str]:
    """Another version of the whole program, with other words in some modules; the environment that runs it."""
    copy = folder / f"program {version}"
    shutil.copytree(PACKAGE, copy / PACKAGE.name)
    changed = {"__init__": {'version("orchestrator")': f'"{version}"'}, **changed}
    for module, words in changed.items():
        file = copy / PACKAGE.name / f"{module.replace('__', '/') if module != '__init__' else module}.py"
        text = file.read_text()
        for old, new in words.items():
            assert text.count(old) == 1, f"{file.name} has not {old!r} once"
            text = text.replace(old, new)
        file.write_text(text)
    return {"PYTHONPATH": str(copy)}


def newer(folder: Path) -> dict[str, str]:
    """A version whose tables have more, and whose plans say something that this one has never heard of."""
    schema = {"KNOWN = 1\n": "KNOWN = 2\n", STEPS: 'STEPS = {2: "ALTER TABLE members ADD mood TEXT"}'}
    plans = {
        "return _CODEC.dump_json(plan, exclude_defaults=True).decode()": (
            "return _CODEC.dump_json(plan, exclude_defaults=True).decode()[:-1] + ', \"gently\": true}'"
        ),
        "said = json.loads(text)": 'said = json.loads(text)\n    said.pop("gently", None)',
    }
    return program(folder, "98.0", journal_postgres__migrate=schema, core__plan_sent=plans)


def newest(folder: Path) -> dict[str, str]:
    """A version with which neither of the others can work."""
    steps = '{2: "ALTER TABLE members ADD mood TEXT", 3: "ALTER TABLE members DROP host"}'
    schema = {"KNOWN = 1\n": "KNOWN = 3\n", "OLDEST = 1\n": "OLDEST = 3\n", STEPS: f"STEPS = {steps}"}
    return program(folder, "99.0", journal_postgres__migrate=schema)


def stuck(command: Command, words: str) -> bool:
    """Whether a process has been told with these words why nobody can take something."""
    told = [one["why"] for one in command.events() if one["event"] == "groups_stuck"]
    return any(words in why for whys in told for why in whys)


async def test_two_versions_serve_side_by_side_until_a_third_needs_tables_that_they_cannot_work_with(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(6, 60)) as em:
        old = await worker(em, "old", mounts=2)
        submitted = await em.start("--json", "run", em.job(), env=newer(tmp_path))
        await submitted.until(lambda: stuck(submitted, "old refuses: a newer version has submitted it"))
        assert stuck(submitted, "upgrade it here")
        assert em.simulator.mounts_made == 0
        words = ("worker", "--name", "new", "--mounts", "2", "--events", str(tmp_path / "new.jsonl"))
        new = await em.start(*words, env={"PYTHONPATH": str(tmp_path / "program 98.0")})
        new.events_file = tmp_path / "new.jsonl"
        assert (await submitted.done()).code == 0
        assert done_by(new) == {machine.name for machine in em.estate.machines}
        assert em.restored() == em.expected()

        again = await em.run("run", em.job(name="again", on_conflict="overwrite"))
        assert again.code == 0, again.everything
        assert done_by(old), "what this version has submitted both can do"
        status = (await em.run("fleet", "status")).out
        assert f"2 versions side by side: {orchestrator.__version__} (1), 98.0 (1)" in status

        upgraded = await em.run("--json", "fleet", "upgrade", env=newest(tmp_path))
        assert upgraded.code == 0, upgraded.everything
        assert upgraded.json == {"schema": 3}
        assert "waiting for members of an older version to end: new on " in upgraded.err
        for one in (old, new):
            ended = await one.done()
            assert ended.code == 5, ended.everything
            assert "Install the newer version here" in ended.err
        late = await em.run("worker", "--name", "old")
        assert late.code == 5
        assert "has schema 3, this version knows 1" in late.err
        em.assert_nothing_left()


# Watchers


async def watching(em: Flow) -> Command:
    command = await em.start("watch")
    await command.event("watcher_ready")
    return command


def job_text(em: Flow, machine: str, name: str) -> str:
    return toml({"name": name, "restore": [entry_of(em.machine(machine), to=str(em.target / name))]})


def half_copied(folder: Path) -> bool:
    return folder.is_dir() and any(PARTIAL in one.name for one in folder.iterdir())


async def test_a_watcher_that_was_killed_follows_its_run_again_and_another_one_leaves_it_alone(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_big_file) as em:
        in_fleet(em, database, watch=WATCH, limits={"bandwidth": "150 MB/s"})
        serving, first = await worker(em, "w1"), await watching(em)
        em.drop(job_text(em, "big01", "night"), "night.toml")
        await first.until(lambda: half_copied(em.target / "night/C/Data"))
        first.signal(signal.SIGKILL)
        await first.done()

        folders = {"watch": {**WATCH, "folder": "others"}, "state": {"folder": "other"}}
        in_fleet(em, database, **folders)
        other = await watching(em)
        text = job_text(em, "fs01", "day")
        (tmp_path / "others/incoming/.day").write_text(text)
        (tmp_path / "others/incoming/.day").rename(tmp_path / "others/incoming/day.toml")
        assert (await other.event("job_ended"))["job"] == "day"
        assert not any(one.get("job") == "night" for one in other.events())
        assert "night" not in (await em.run("queue")).out

        in_fleet(em, database, watch=WATCH)
        assert "night" in (await em.run("queue")).out
        again = await watching(em)
        ended = await again.event("job_ended", job="night")
        assert (ended["exit_code"], ended["folder"]) == (0, "done")
        assert (em.target / "night/C/Data/huge.bin").exists()
        assert em.simulator.mounts_made == 2, "each machine once: the worker has gone on meanwhile"
        for one in (again, other, serving):
            one.signal(signal.SIGTERM)
            done = await one.done()
            assert done.code == 0, done.everything
        em.assert_nothing_left()


async def test_a_run_that_somebody_follows_is_not_followed_twice(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, small) as em:
        submitted = await em.start("run", em.job())
        run = (await submitted.event("run_started"))["run"]
        await submitted.until(lambda: stuck(submitted, "no worker is serving"))
        in_fleet(em, database, state={"folder": "elsewhere"})
        refused = await em.run("resume", run)
        assert refused.code == 2, refused.everything
        assert f"{run} is going on already" in refused.err
        assert "there is no unfinished run" in (await em.run("resume")).err
        standing = (await em.run("status")).out
        assert "Nobody follows" not in standing
        submitted.signal(signal.SIGKILL)
        await submitted.done()
        in_fleet(em, database)
        serving = await worker(em, "w1")
        resumed = await em.run("resume")
        assert resumed.code == 0, "the state folder is the same: nobody waits until the other is called dead"
        assert em.restored() == em.expected()
        serving.signal(signal.SIGTERM)
        assert (await serving.done()).code == 0


# What a worker cannot reach, and what nobody should type


async def test_a_worker_that_may_not_write_to_a_destination_says_so_and_another_does_the_work(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, small) as em:
        in_fleet(em, database, targets={"allow": [str(tmp_path / "elsewhere")]})
        bound = await worker(em, "bound")
        in_fleet(em, database)
        submitted = await em.start("run", em.job())
        await submitted.until(lambda: stuck(submitted, "bound refuses"))
        assert stuck(submitted, "targets.allow")
        free = await worker(em, "free")
        assert (await submitted.done()).code == 0
        assert em.restored() == em.expected()
        assert (done_by(bound), len(done_by(free))) == (set(), 2)


async def test_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, small) as em:
        for words in (
            ("worker", "--dsn", "postgresql://me:geheim@db/fleet"),
            ("worker", "postgresql://me@db/fleet?password=geheim"),
            ("fleet", "status", "host=db user=me password=geheim"),
        ):
            done = await em.run(*words)
            assert done.code == 2, done.everything
            assert "by password_env, password_file or password_credential" in done.err
            assert "geheim" not in done.everything
        assert "geheim" not in json.dumps([file.read_text() for file in em.state.rglob("*.jsonl")])
