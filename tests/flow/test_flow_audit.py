"""What a run leaves for an auditor, and what happens when it cannot be left."""

import hashlib
import json
import os
import pwd
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from orchestrator.cli.commands import cli
from orchestrator.simulator import Delay, EndSession, Fault, SlowTask
from tests.support.flow import Done, Flow, entry_of, flow, seeded, small, toml

pytestmark = pytest.mark.flow
KEY = "0f" * 32
ME = pwd.getpwuid(os.geteuid()).pw_name


def trail(em: Flow, folder: str = "state/audit") -> list[dict[str, Any]]:
    """Every entry, oldest first."""
    files = sorted((em.folder / folder).glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


async def ask(em: Flow, *words: str) -> Done:
    """`orchestrator <words>` in this process: it only reads, and a process of its own would show nothing more."""
    before = [] if "--config" in words else ["--config", str(em.folder / "config.toml")]
    result = await anyio.to_thread.run_sync(CliRunner().invoke, cli, [*before, *words])
    em.said.append(result.output)
    return Done(result.exit_code, result.stdout, result.stderr)


def words(entries: list[dict[str, Any]]) -> Counter[str]:
    return Counter(entry["what"] for entry in entries)


def facts(entries: list[dict[str, Any]], what: str, **wanted: object) -> dict[str, Any]:
    """What the only entry of that kind with those facts says."""
    [found] = [one["facts"] for one in entries if one["what"] == what and wanted.items() <= one["facts"].items()]
    return found


async def test_a_run_leaves_who_restored_what_where_and_the_digests_of_its_files(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(limits={"mounts": 1})
        job = em.job()
        assert (await em.run("run", job)).code == 0
        entries, report = trail(em), em.report()
        assert words(entries) == {
            "file_begun": 1, "command_started": 1, "run_started": 1, "mount_opened": 2, "mount_deleted": 2,
            "group_ended": 2, "run_ended": 1, "report_written": 4,
        }  # fmt: skip
        assert {(one["account"], one["host"]) for one in entries} == {(ME, os.uname().nodename)}
        assert facts(entries, "command_started")["words"][:2] == ["run", job]
        group = report["groups"][0]
        ended = facts(entries, "group_ended", vm=group["vm"])
        assert (ended["restore_point"], ended["destinations"]) == (group["restore_point"], group["destinations"])
        assert {name: ended[name] for name in group["totals"]} == group["totals"]
        assert facts(entries, "run_ended")["exit_code"] == 0
        for kind, path in report["files"].items():
            written = facts(entries, "report_written", kind=kind)
            assert (written["path"], written["digest"]) == (path, digest(Path(path)))
        assert facts(entries, "report_written", kind="job")["digest"] == digest(em.folder / job)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def test_verify_proves_the_trail_of_several_commands_and_finds_a_change(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        assert (await em.run("run", em.job())).code == 0
        assert (await em.run("sweep")).code == 0
        fine = await ask(em, "audit", "verify")
        assert fine.code == 0, fine.everything
        entries = trail(em)
        anchor = entries[-1]["hash"]
        assert fine.out.startswith(f"{len(entries)} entries hold in 1 file: 1 to {len(entries)}, from 20")
        assert f"anchor: {anchor}\n" in fine.out
        assert (await ask(em, "audit", "verify", "--expect", anchor)).code == 0
        [file] = (em.state / "audit").glob("*.jsonl")
        content = file.read_bytes()
        file.write_bytes(content.replace(b'"vm":"fs01"', b'"vm":"fs99"', 1))
        broken = await ask(em, "audit", "verify")
        assert broken.code == 3
        assert f"BROKEN at {file} line " in broken.out
        assert "its hash does not fit what it says" in broken.out
        as_json = (await ask(em, "--json", "audit", "verify")).json
        assert (as_json["holds"], as_json["broken"]["file"]) == (False, str(file))
        file.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
        assert (await ask(em, "audit", "verify")).code == 0
        cut = await ask(em, "audit", "verify", "--expect", anchor)
        assert cut.code == 3
        assert "the end was cut off, or the trail was written anew" in cut.out


async def test_a_copy_of_a_keyed_trail_is_proved_without_a_config(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(audit={"key_env": "AUDIT_KEY", "folder": "trail"})
        none = await em.run("run", em.job())
        assert none.code == 2
        assert "audit.key_env: the environment variable AUDIT_KEY is not set or empty" in none.err
        short = await em.run("run", em.job(), env={"AUDIT_KEY": "short"})
        assert (short.code, "audit: the key has less than 16 characters" in short.err) == (2, True)
        em.assert_untouched()
        assert (await em.run("run", em.job(), env={"AUDIT_KEY": KEY})).code == 0
        [file] = (tmp_path / "trail").glob("*.jsonl")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        copy = elsewhere / file.name
        copy.write_bytes(file.read_bytes())
        (elsewhere / "key").write_text(KEY + "\n")
        proved = await em.run(
            "--config", "none.toml", "audit", "verify", "--key-file", str(elsewhere / "key"), str(copy)
        )
        assert proved.code == 0, proved.everything
        assert "hashes with the key" in proved.out
        without = await ask(em, "--config", "none.toml", "audit", "verify", str(copy))
        assert without.code == 3
        assert "hmac-sha256; give its key" in without.out
        refused = await ask(em, "audit", "verify", "--expect", "abc")
        assert refused.code == 2
        em.said.clear()  # the key was in none of it
        assert KEY not in none.everything + proved.everything + without.everything


async def test_show_tells_the_entries_of_one_run_or_since_a_time(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        nothing = await ask(em, "audit", "show")
        assert nothing.code == 5
        assert "audit: No such file or directory" in nothing.err
        assert (await em.run("run", em.job({"vm": "fs01", "paths": ["*"]}, name="one"))).code == 0
        assert (await em.run("run", em.job({"vm": "lx01", "os": "linux", "paths": ["/"]}, name="two"))).code == 0
        run = facts(trail(em), "run_started", job="two")["run"]
        shown = await ask(em, "audit", "show", "--run", run)
        assert shown.code == 0
        assert f" {ME} run_started " in shown.out
        assert "vm=lx01" in shown.out
        assert "fs01" not in shown.out
        everything = (await ask(em, "--json", "audit", "show", "--since", "2026-01-01")).json
        assert everything == trail(em)
        assert (await ask(em, "--json", "audit", "show", "--since", "2999-01-01T00:00Z")).json == []
        wrong = await ask(em, "audit", "show", "--since", "yesterday")
        assert (wrong.code, "'yesterday' is no time" in wrong.err) == (2, True)


async def test_everything_unusual_is_entered(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=EndSession())) as em:
        em.configure(limits={"mounts": 1})
        assert (await em.run("run", em.job())).code == 0
        found = words(trail(em))
        assert (found["session_renewed"], found["mount_gone"], found["mount_opened"]) == (1, 1, 3)
        assert (await ask(em, "audit", "verify")).code == 0


async def test_a_killed_run_and_what_its_resume_sweeps_are_one_chain(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_post", nth=2, action=SlowTask(1.5))) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.until(lambda: em.count("mount_post") == 2)
        running.signal(signal.SIGKILL)
        await running.done()
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        entries = trail(em)
        assert [one["facts"]["resumed"] for one in entries if one["what"] == "run_started"] == [False, True]
        swept = facts(entries, "sweep_ended")
        assert (len(swept["cleared"]), swept["left"]) == (1, [])
        assert (await ask(em, "audit", "verify")).code == 0


async def test_a_trail_that_cannot_be_written_is_told_of_and_the_run_goes_on(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(audit={"folder": "blocked/audit"})
        (tmp_path / "blocked").write_text("no folder")
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert done.err.count("The audit trail in") == 2
        assert f"The audit trail in {tmp_path}/blocked/audit cannot be written: " in done.err
        assert "entries missing in the audit trail: " in done.err
        quiet = await em.run("--quiet", "run", em.job())
        assert quiet.code == 0
        assert quiet.err.count("What is to be entered is kept and tried again") == 1
        told = [json.loads(line) for line in (tmp_path / "events-0.jsonl").read_text().splitlines()]
        assert any("What is to be entered is kept" in one["message"] for one in told if one["event"] == "notice")
        assert em.restored() == em.expected()


async def test_without_a_required_trail_no_run_begins(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(audit={"folder": "blocked/audit", "required": True})
        (tmp_path / "blocked").write_text("no folder")
        refused = await em.run("run", em.job())
        assert refused.code == 5, refused.everything
        assert refused.err.startswith(f"error: The audit trail in {tmp_path}/blocked/audit cannot be written: ")
        assert em.requests() == []
        em.assert_untouched()


@pytest.mark.parametrize("required", [True, False])
async def test_a_trail_that_is_lost_in_the_middle(tmp_path: Path, required: bool) -> None:
    """Required: the run drains. Not required: it goes on, and what was missed is entered when the trail is back."""
    slowly = Fault("mount_delete", action=Delay(2.5), times=2)
    async with flow(tmp_path, seeded(machines=3, files=30), slowly) as em:
        em.configure(audit={"folder": "trail", "required": required}, limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        (tmp_path / "trail").rename(tmp_path / "away")
        (tmp_path / "trail").write_text("in the way")
        if required:
            await running.event("stopping")
            done = await running.done()
            assert done.code == 6, done.everything
            assert "The audit trail in" in done.err
            assert "missing in the audit trail" in done.err
            assert em.simulator.mounts_made < 3
        else:
            await running.event("notice")
            (tmp_path / "trail").unlink()
            (tmp_path / "away").rename(tmp_path / "trail")
            done = await running.done()
            assert done.code == 0, done.everything
            assert "the audit trail is written again, nothing is missing" in done.err
            assert (await ask(em, "audit", "verify")).code == 0
            assert words(trail(em, "trail"))["mount_deleted"] == 3
        em.assert_nothing_left()


async def test_a_required_trail_that_takes_the_end_of_a_run_no_more_spoils_its_exit_code(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(audit={"folder": "trail", "required": True})
        running = await em.start("run", em.job())
        await running.event("run_started")
        await running.until(lambda: em.count("mount_delete") == 2)
        running.signal(signal.SIGSTOP)
        (tmp_path / "trail").rename(tmp_path / "away")
        (tmp_path / "trail").write_text("in the way")
        running.signal(signal.SIGCONT)
        done = await running.done()
        assert done.code in (5, 6), done.everything
        assert "missing in the audit trail" in done.err


async def test_who_asks_a_watcher_to_stop_is_entered_beside_what_it_did(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch={"settle": 0.05, "poll": 0.2})
        watcher = await em.start("watch")
        await watcher.event("watcher_ready")
        em.drop(
            toml({"name": "night", "restore": [entry_of(em.machine("fs01"), to=str(em.target / "n"))]}), "night.toml"
        )
        em.drop("name = 7", "wrong.toml")
        await watcher.event("job_rejected")
        await watcher.event("job_ended")
        assert (await em.run("stop")).code == 0
        assert (await watcher.done()).code == 0
        entries = trail(em)
        taken = facts(entries, "job_taken")
        assert taken["digest"] == facts(entries, "report_written", kind="job")["digest"]
        assert [one["who"] for one in entries if one["what"] in ("job_taken", "job_rejected")] == [ME, ME]
        commands = [one for one in entries if one["what"] == "command_started"]
        assert [one["facts"]["words"] for one in commands] == [["watch", *commands[0]["facts"]["words"][1:]], ["stop"]]
        assert len({one["process"] for one in commands}) == 2
        assert words(entries)["stopping"] == 1
        assert (await ask(em, "audit", "verify")).code == 0


async def test_a_report_that_is_written_again_is_entered_again(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        first = (await em.run("--json", "run", em.job())).json["run"]
        assert (await em.run("report", "--write", first)).code == 0
        assert len([one for one in trail(em) if one["what"] == "report_written"]) == 7
        assert (await ask(em, "audit", "verify")).code == 0
