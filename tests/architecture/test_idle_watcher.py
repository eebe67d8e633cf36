"""What a watcher that waits for its first job has in memory: it may wait for months, on a small machine beside others.

A library that only a job, a page or a terminal needs is imported where it is needed, in the function that needs it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.commands import COMMANDS as LISTED

LIBRARIES = {
    "aiohappyeyeballs": "of aiohttp",
    "aiohttp": "the client of Enterprise Manager",
    "aiosignal": "of aiohttp",
    "annotated_doc": "of typer",
    "annotated_types": "of pydantic",
    "anyio": "the event loop's tasks and threads",
    "attr": "of aiohttp",
    "blake3": "checksums, named by the config",
    "cronsim": "schedules of jobs",
    "frozenlist": "of aiohttp",
    "idna": "of yarl",
    "lxml": "answers of Enterprise Manager",
    "multidict": "of aiohttp",
    "pathspec": "patterns of jobs",
    "propcache": "of yarl",
    "pydantic": "config and jobs",
    "pydantic_core": "of pydantic",
    "shellingham": "of typer",
    "sniffio": "of anyio",
    "tenacity": "retries of requests",
    "tomli_w": "residual jobs",
    "typer": "the command line",
    "typing_extensions": "of pydantic",
    "typing_inspection": "of pydantic",
    "watchfiles": "the drop folder",
    "xxhash": "checksums, named by the config",
    "yarl": "of aiohttp",
}
"""All that an idle watcher may have imported, and what for. What is added here is resident for ever, everywhere."""

UNNEEDED = {
    "aiohttp.web": "a web server: only when somebody asks by the control socket, or a status page is wanted",
    "concurrent.futures.process": "worker processes: only when something is copied",
    "frozenlist._frozenlist": "the only C++ there is, and a library of 1 MB for it; lists in Python do",
    "multiprocessing.pool": "worker processes: only when something is copied",
    "orchestrator.cli.bars": "bars, and rich with them: only on a terminal",
    "orchestrator.cli.sending": "messages to a receiver of syslog: only where the config names one",
    "orchestrator.core.plan_document": "a plan that was frozen: only when one is dropped",
    "orchestrator.core.survey": "a close look: only when a plan is dropped that was looked at closely",
    "orchestrator.engine.deferring": "hands units to workers: only in a fleet",
    "orchestrator.engine.original_ends": "restores into guests: only when a job asks for them",
    "orchestrator.engine.putting_back": "restores into guests: only when a job asks for them",
    "orchestrator.engine.renewals": "the life of a member: only in a fleet",
    "orchestrator.engine.serving_units": "what a worker does",
    "orchestrator.files.bag": "bags: only for `bag`",
    "orchestrator.files.smb": "only where the config has shares by UNC path",
    "orchestrator.files.undoing": "only for `undo`",
    "orchestrator.fleet": "only where the config has [fleet]",
    "orchestrator.freezing": "plans that were frozen: only when one is dropped",
    "orchestrator.handing_out": "only in a fleet",
    "orchestrator.journal_postgres": "the journal of a fleet",
    "orchestrator.metrics": "only where somebody reads them",
    "orchestrator.notify": "only where the config has channels",
    "orchestrator.simulator": "plays another machine",
    "orchestrator.showing": "only where a status page is wanted",
    "orchestrator.syslog": "only where the config names a receiver",
    "orchestrator.tracing.sending": "only where traces are wanted",
    "orchestrator.unit_queue": "hands units out: only in a fleet",
    "orchestrator.views.plan": "what `plan` shows",
    "orchestrator.views.status": "templates of the page, compiled when they are loaded",
    "orchestrator.web.desk": "answers by the control socket: only when somebody asks",
    "orchestrator.web.server": "the page: only where it is wanted",
}

COMMANDS = {"orchestrator.cli.watching"}
"""The modules of commands that a watcher needs: its own."""

SCRIPT = """
import atexit, json, sys
def tell():
    from aiohttp import connector
    contexts = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED
    kept = sum(one.cert_store_stats()["x509"] for one in contexts)
    print(json.dumps([sorted(sys.modules), kept]), file=sys.__stdout__)
atexit.register(tell)
from orchestrator.cli import main
main()
"""

CONFIG = """
[enterprise_manager]
url = "https://127.0.0.1:9"
username = "u"
password_env = "EM_PASSWORD"
[[backup_servers]]
name = "*"
shares = ["{folder}"]
[targets]
allow = ["{folder}/restored"]
[state]
folder = "{folder}/state"
[watch]
folder = "{folder}/jobs"
"""


@pytest.fixture(scope="module")
def idled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], int]:
    """What a watcher has imported that was started, had nothing to do, and ended, and how many certificates aiohttp
    keeps for itself."""
    folder = tmp_path_factory.mktemp("idle")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "--config", str(config), "watch", "--once"],
        env={"EM_PASSWORD": "secret", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "watching" in done.stderr
    names, certificates = json.loads(done.stdout)
    return names, certificates


@pytest.fixture
def modules(idled: tuple[list[str], int]) -> set[str]:
    return set(idled[0])


def test_an_idle_watcher_keeps_no_certificates_for_clients_that_say_whom_they_trust(
    idled: tuple[list[str], int],
) -> None:
    assert idled[1] == 0


def test_an_idle_watcher_has_imported_no_library_that_is_not_listed_with_its_reason(modules: set[str]) -> None:
    tops = {name.partition(".")[0] for name in modules if not _is_shim(name)}
    unlisted = tops - set(sys.stdlib_module_names) - set(LIBRARIES) - {"orchestrator", "__main__", "__mp_main__"}
    assert not unlisted, "import these where they are needed, or say in LIBRARIES why every idle watcher needs them"


def test_an_idle_watcher_has_imported_no_other_command(modules: set[str]) -> None:
    commands = {f"orchestrator.cli.{one.where.partition(':')[0]}" for one in LISTED.values()}
    assert commands >= COMMANDS
    assert commands & modules == COMMANDS


@pytest.mark.parametrize("name", sorted(UNNEEDED))
def test_an_idle_watcher_has_not_imported(name: str, modules: set[str]) -> None:
    assert name not in modules, UNNEEDED[name]


def test_what_must_not_be_imported_is_still_there_under_that_name() -> None:
    """Else the test above could not fail any more."""
    for name in UNNEEDED:
        if name.startswith("orchestrator."):
            stem = Path(__file__).parents[2].joinpath(*name.split("."))
            assert stem.is_dir() or stem.with_suffix(".py").is_file(), name


def _is_shim(name: str) -> bool:
    """What an interpreter or an editable installation brings, and no import of ours."""
    return name.startswith(("__editable__", "_cython_", "_sysconfigdata", "_distutils_hack", "cython_runtime"))
