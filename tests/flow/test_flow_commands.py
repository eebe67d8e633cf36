"""The other commands, and what stands on which stream."""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from orchestrator.cli.commands import cli
from orchestrator.config import Config
from orchestrator.core.job import Job
from orchestrator.simulator import EndSession, Fault
from tests.docs.reading import keys_of
from tests.support.flow import Flow, flow, seeded, small

pytestmark = pytest.mark.flow

COMMANDS = (
    "audit",
    "run",
    "resume",
    "plan",
    "validate",
    "status",
    "report",
    "verify",
    "sweep",
    "apply-metadata",
    "prune",
    "drills",
    "schema",
    "simulate",
    "demo",
)


async def test_a_plan_names_points_and_destinations_and_mounts_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job()
        text = await em.run("plan", job)
        assert text.code == 0, text.everything
        for word in ("fs01", "lx01", "vbr01", "C:\\", "2026-11-20 02:00", str(em.target / "fs01")):
            assert word in text.out
        as_json = (await em.run("--json", "plan", job)).json
        points = {group["vm"]: group["restore_point"] for group in as_json["groups"]}
        assert {vm: uid.rpartition(":")[2] for vm, uid in points.items()} == {
            one.name: one.points[-1].uid for one in em.estate.machines
        }
        assert as_json["destinations"] == [str(em.target / "fs01"), str(em.target / "lx01")]
        assert as_json["problems"] == []
        assert {entry.route for entry in em.requests()} == {"logon", "query", "catalog_vms", "logoff"}
        assert not em.state.exists()
        em.assert_untouched()


async def test_a_plan_shows_what_cannot_be_planned_beside_what_can_and_ends_with_2(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("plan", em.job({"vm": "fs01", "paths": ["*"]}, {"vm": "fs99", "paths": ["*"]}))
        assert done.code == 2
        assert "restore[2].vm: there is no machine 'fs99'" in done.out
        assert str(em.target / "fs01") in done.out
        em.assert_untouched()


async def test_validate_asks_enterprise_manager_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("validate", em.job())
        assert (done.code, done.err) == (0, "")
        assert "job.toml: ok, 2 restore entries" in done.out
        em.job({"vm": "fs01", "paths": ["Shares"]}, name="bad")
        bad = await em.run("validate", "job.toml", "bad.toml")
        assert bad.code == 2
        assert "bad.toml: restore[1].paths: 'Shares' is not an absolute guest path" in bad.err
        assert em.requests() == []


async def test_status_can_be_asked_before_during_and_after_a_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        nothing = await em.run("status")
        assert nothing.code == 5, nothing.everything
        assert "no run has been started" in nothing.err
        running = await em.start("run", em.job())
        run = (await running.event("run_started"))["run"]
        await running.event("mount_opened")
        running.signal(signal.SIGSTOP)
        listed = await em.run("status")
        assert listed.code == 0, listed.everything
        assert any(run in line and "running" in line for line in listed.out.splitlines())
        shown = await em.run("status", run)
        assert shown.code == 0, shown.everything
        assert "fs01" in shown.out
        assert "mounts open: " in shown.out
        running.signal(signal.SIGCONT)
        assert (await running.done()).code == 0
        [row] = (await em.run("--json", "status")).json
        assert (row["run"], row["state"], row["exit_code"]) == (run, "finished", 0)


async def test_a_report_can_be_printed_and_written_again(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        first = await em.run("--json", "run", em.job())
        run, html = first.json["run"], Path(first.json["files"]["html"])
        assert first.json == em.report()
        assert (await em.run("--json", "report", run)).json == first.json
        html.unlink()
        again = await em.run("report", "--write", run)
        assert again.out.rstrip().endswith("mounts opened 2, deleted 2, left 0")
        assert "fs01" in html.read_text()
        unknown = await em.run("report", "no-such-run")
        assert unknown.code == 2
        assert "no-such-run" in unknown.err
        assert "orchestrator status" in unknown.err


async def test_verify_names_every_file_that_is_no_longer_what_was_restored(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        report = (await em.run("--json", "run", em.job())).json
        run, totals = report["run"], report["totals"]
        fine = await em.run("verify", run)
        shown = f"verified {totals['restored']} files, {totals['bytes']} B; 0 differ\n"
        assert (fine.code, fine.out) == (0, shown)
        flip_a_bit(em.target / "fs01/C/Shares/plan.txt")
        differing = await em.run("verify", run)
        assert differing.code == 3, differing.everything
        assert f"differs: {em.target}/fs01/C/Shares/plan.txt" in differing.out
        (em.target / "lx01/etc/hosts").unlink()
        as_json = await em.run("--json", "verify", run)
        assert as_json.code == 3
        assert sorted(Path(one["target_path"]).name for one in as_json.json["differences"]) == ["hosts", "plan.txt"]


async def test_a_run_is_verified_with_its_own_kind_of_checksum_whatever_the_config_says_by_now(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(copy={"checksum": "sha256"})
        report = (await em.run("--json", "run", em.job())).json
        em.configure(copy={"checksum": "blake3"})
        done = await em.run("verify", report["run"])
        assert (done.code, done.out.rpartition("; ")[2]) == (0, "0 differ\n")
        again = (await em.run("--json", "report", "--write", report["run"])).json
        assert again["files"] == report["files"]
        assert Path(again["files"]["manifest"]).name == "manifest.sha256"


async def test_a_job_says_how_its_copies_are_proved(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(copy={"checksum": "xxh3"})
        report = (await em.run("--json", "run", proved(em, em.job(), "read-back"))).json
        assert (report["checksum"], report["verify"], report["exit_code"]) == ("xxh3", "read-back", 0)
        assert Path(report["files"]["manifest"]).name == "manifest.xxh3"
        assert (await em.run("verify", report["run"])).code == 0
        unproved = (await em.run("--json", "run", proved(em, em.job(to=f"{em.target}/again/{{vm}}"), "none"))).json
        assert (unproved["checksum"], "manifest" in unproved["files"]) == ("none", False)
        done = await em.run("verify", unproved["run"])
        assert (done.code, "took no checksums" in done.out) == (0, True)
        (em.target / "again/fs01/C/Shares/plan.txt").write_bytes(b"shorter")
        assert (await em.run("verify", unproved["run"])).code == 3


def proved(em: Flow, job: str, how: str) -> str:
    """The job with `verify`, which is a key of the whole job."""
    file = em.folder / job
    file.write_text(f'verify = "{how}"\n{file.read_text("utf-8")}', "utf-8")
    return job


def flip_a_bit(file: Path) -> None:
    """Same size, same time, another content: only a checksum can tell."""
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(("of", "model"), [("job", Job), ("config", Config)])
async def test_schemas_describe_every_key_that_is_accepted(tmp_path: Path, of: str, model: type[BaseModel]) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("schema", of)
        schema = done.json
        assert (done.code, schema["type"], schema["additionalProperties"]) == (0, "object", False)
        assert schema["properties"].keys() == keys_of(model)
        tables = [schema, *schema["$defs"].values()]
        described = [one for table in tables for one in table.get("properties", {}).values()]
        assert all(name.startswith("#/$defs/") and name[8:] in schema["$defs"] for name in references(described))


def references(node: Any) -> list[str]:
    """Every `$ref` in a JSON document."""
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [one for inner in node.values() for one in references(inner)]
    return [one for inner in node for one in references(inner)] if isinstance(node, list) else []


async def test_machine_output_stands_alone_on_stdout_and_logs_are_json_lines_without_secrets(tmp_path: Path) -> None:
    faults = [Fault("browse", action=EndSession())]
    async with flow(tmp_path, small, *faults) as em:
        em.configure(limits={"mounts": 1})
        words = ["--json", "--log-format", "json", "run", "--events", str(tmp_path / "events.jsonl"), em.job()]
        done = await em.run(*words)
        assert done.code == 0, done.everything
        assert done.json["exit_code"] == 0
        lines = [json.loads(line) for line in done.err.splitlines()]
        assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
        assert [line["event"] for line in lines].count("mount deleted") == 2
        assert "session renewed" in [line["event"] for line in lines]
        text = (tmp_path / "events.jsonl").read_text()
        em.said.append(text)
        everything = [json.loads(line) for line in text.splitlines()]
        events = [one for one in everything if one["event"] != "request_answered"]
        assert len(everything) - len(events) == len(em.requests())
        begun, ended, told = (
            next(one for one in events if one["event"] == name) for name in ("run_started", "run_ended", "run_reported")
        )
        assert all("at" in event for event in everything)
        written = [event for event in events if event["event"] == "report_written"]
        assert [one["kind"] for one in written] == ["job", "report", "html", "manifest"]
        assert events[:2] == [written[0], begun]
        assert events[-5:] == [ended, told, *written[1:]]
        for one in written:
            assert hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() == one["digest"]
        assert len(em.simulator.enterprise.sessions.all) == 2
        em.assert_nothing_left()


async def test_two_jobs_run_one_after_the_other_and_quiet_says_nothing_on_stderr(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        one = em.job({"vm": "fs01", "paths": ["*"]}, name="one")
        two = em.job({"vm": "lx01", "os": "linux", "paths": ["/"]}, name="two")
        done = await em.run("--json", "--quiet", "run", one, two)
        assert (done.code, done.err) == (0, "")
        assert [report["job"] for report in done.json] == ["one", "two"]
        assert em.count("logon") == em.count("logoff") == 1
        assert em.restored() == em.expected()


async def test_the_demo_ends_well_and_says_where_everything_is(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("demo", "--machines", "3", "--files", "60", "--folder", str(tmp_path / "demo"))
        assert done.code == 0, done.everything
        assert done.out.count("mounts opened 3, deleted 3, left 0") == 2
        assert "; 0 differ" in done.out
        reports = [Path(line.split()[1]) for line in done.out.splitlines() if line.startswith("Report:")]
        assert [file.suffix for file in reports if file.is_file()] == [".html"]
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "thesis.txt").touch()
        refused = await em.run("demo", "--folder", str(precious))
        assert refused.code == 2
        assert (precious / "thesis.txt").exists()


async def test_the_help_lists_every_command(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        listed = await em.run("--help")
        assert listed.code == 0
        assert [command for command in COMMANDS if f" {command} " not in listed.out] == []
        one = await em.run("sweep", "--help")
        assert (one.code, one.err) == (0, "")


def test_the_help_of_every_command_has_an_example() -> None:
    for command in COMMANDS:  # in this process: a dozen more would show nothing more
        page = CliRunner().invoke(cli, [command, "--help"]).output
        assert any(is_example(line.strip(), command) for line in page.splitlines()), page


def is_example(line: str, command: str) -> bool:
    return line.startswith("orchestrator ") and command in line.split()


async def test_the_main_job_reports_odd_names_whole(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=1, files=60)) as em:
        done = await em.run("--json", "run", em.job())
        assert done.code == 0, done.everything
        manifest = Path(done.json["files"]["manifest"]).read_text()
        for name in ("日本語の書類.txt", "📊 chart.png", "~$plan.xlsx", "100% done.txt"):
            assert name in manifest
