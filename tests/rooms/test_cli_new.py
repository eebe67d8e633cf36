"""`orchestrator new`: a job that can be used, from options or answers, and never in place of another file."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.commands import cli
from orchestrator.core.catalog import GuestOs
from orchestrator.core.draft import Draft
from orchestrator.core.entry import Conflict
from orchestrator.core.job import Job, read_job
from orchestrator.views.draft import job_text

NEEDED = ["--vm", "fs01", "--path", "C:\\Shares", "--to", "/restore/{vm}"]


def new(*words: str) -> tuple[int, str]:
    """The exit code, and all that was said."""
    done = CliRunner().invoke(cli, ["new", *words], prog_name="orchestrator")
    return done.exit_code, done.output


def written(file: Path) -> Job:
    return read_job(file.read_bytes(), file.name)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_options_become_a_job_with_comments(tmp_path: Path) -> None:
    more = ["--as-of", "2026-11-20T18:00+01:00", "--os", "linux", "--exclude", "~$*", "--include", "*.docx"]
    code, said = new(*NEEDED, "--path", "D:\\it's", *more, "--on-conflict", "aside", "finance.toml")
    assert (code, said) == (0, "wrote finance.toml; look first: orchestrator plan finance.toml\n")
    job = written(tmp_path / "finance.toml")
    [entry] = job.restore
    assert (job.name, entry.vm, entry.paths, entry.os) == ("finance", "fs01", ["C:\\Shares", "D:\\it's"], GuestOs.LINUX)
    assert entry.as_of is not None
    assert entry.as_of.isoformat() == "2026-11-20T18:00:00+01:00"
    assert (entry.include, entry.exclude, job.conflict(entry)) == (["*.docx"], ["~$*"], Conflict.ASIDE)
    text = (tmp_path / "finance.toml").read_text()
    assert "'C:\\Shares'" in text, "as people type it"
    assert sum(1 for line in text.splitlines() if line.startswith("#")) > 15


@pytest.mark.parametrize(
    "draft",
    [
        Draft("j", vms=("fs01",), paths=("C:\\a",), to="/r"),
        Draft("j", vms=("fs01", "x'\"\\\u00fc"), paths_from="l.txt", to="/r"),
        Draft("j", restore_point="urn:x", paths=("*",), to="\\\\srv\\share\\{vm}"),
        Draft("j", vms=("a",), paths=tuple(f"/srv/{number}" for number in range(9)), to="/r", os="linux"),
    ],
)
def test_every_line_that_is_commented_out_may_be_uncommented(draft: Draft) -> None:
    text = job_text(draft, "j.toml")
    job = read_job(text.encode(), "j.toml")
    assert job.restore[0].paths == list(draft.paths)
    for line in re.findall(r"^# [a-z_]+ = .*$", text, re.MULTILINE):
        assert read_job(text.replace(line, line.removeprefix("# "), 1).encode(), line)


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("mine")
    (tmp_path / "b.toml").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "b"):
        code, said = new(*NEEDED, "--name", name)
        assert code == 2
        assert f"{name}.toml is there already, and is never overwritten; name another file" in said
    assert (tmp_path / "a.toml").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.toml"], "--vm, --path, --to: missing, and there is no terminal to ask at; see new --help"),
        (NEEDED, "--name: missing"),
        ([*NEEDED, "--path", "Shares", "a.toml"], "a.toml: restore[1].paths: 'Shares' is not an absolute guest path"),
        ([*NEEDED, "--as-of", "yesterday", "a.toml"], "restore[1].as_of: "),
        ([*NEEDED, "--as-of", "2026-11-20T18:00", "a.toml"], "restore[1].as_of: 2026-11-20 18:00:00 has no time zone"),
        ([*NEEDED, "--name", "a b"], "a b.toml: name: "),
        ([*NEEDED, "nowhere/a.toml"], "nowhere/a.toml cannot be written: No such file or directory"),
        ([*NEEDED, "--include", "a\\b", "a.toml"], "holds a backslash; write / between folders"),
    ],
)
def test_what_would_be_no_job_is_refused_and_nothing_is_written(tmp_path: Path, words: list[str], said: str) -> None:
    code, told = new(*words)
    assert (code, said in told) == (2, True), told
    assert not list(tmp_path.iterdir())


def test_a_machine_beside_a_restore_point_stays(tmp_path: Path) -> None:
    assert new(*NEEDED, "--restore-point", "u1", "a.toml")[0] == 0
    [entry] = written(tmp_path / "a.toml").restore
    assert (entry.vm, entry.restore_point) == ("fs01", "u1")


def test_the_result_is_json_for_programs(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--json", "new", *NEEDED, "a.toml"])
    assert done.output == '{\n  "file": "a.toml",\n  "job": "a"\n}\n'


def at_a_terminal(folder: Path, answers: str, *words: str) -> tuple[int, str]:
    """`orchestrator new` with these answers typed; the exit code and what is on the screen."""
    ours, its = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as screen:
        os.write(ours, answers.encode())
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", "new", *words],
            stdin=its, capture_output=True, text=True, cwd=folder, timeout=20,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        os.close(its)
        screen.flush()
    return done.returncode, done.stdout + done.stderr


def test_at_a_terminal_what_is_missing_is_asked_for_until_it_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[enterprise_manager]\nurl = "https://em:9398"\nusername = "x"\npassword_env = "P"\n'
        '[[backup_servers]]\nname = "*"\nshares = ["/x"]\n[targets]\nallow = ["/srv/back"]\n'
    )
    answers = ["a b", "night", "web01", "linux", "soon", "2026-11-20T18:00:00Z", "srv", "/srv/data", "etc", "/etc"]
    code, said = at_a_terminal(tmp_path, "\n".join([*answers, "", "", "aside"]) + "\n")
    assert code == 0, said
    job = written(tmp_path / "night.toml")
    [entry] = job.restore
    assert (job.name, entry.vm, entry.os, entry.paths) == ("night", "web01", GuestOs.LINUX, ["/srv/data", "/etc"])
    assert (job.destination(entry), job.conflict(entry)) == ("/srv/back/{vm}", Conflict.ASIDE)
    assert said.count("error: ") == 4
    assert "error: restore[1].paths: 'etc' is not an absolute guest path" in said
    assert "Destination [/srv/back/{vm}]: " in said


def test_answers_that_end_too_early_write_nothing(tmp_path: Path) -> None:
    code, said = at_a_terminal(tmp_path, "fs01\n\x04", "a.toml")
    assert code == 2
    assert "the answers ended before the job was complete; nothing was written" in said
    assert not list(tmp_path.iterdir())
