"""The units of docs/deploy are ones that systemd accepts, all confined alike, and that call commands there are."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config_fleet import FleetSettings
from tests.docs.reading import COMMANDS, ROOT, global_options, options_of

DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted(one for one in (DEPLOY / "systemd").iterdir() if one.suffix != ".conf")
SERVICES = [one for one in UNITS if one.suffix == ".service"]
COMMAND = "/opt/orchestrator/bin/orchestrator"
MOST_EXPOSED = 2.0
"""Of 10. Network and local sockets cost 1.1, and cannot be done without."""

ANALYZE = shutil.which("systemd-analyze")
analyzed = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (make systemd-tools)")


def name_of(unit: Path) -> str:
    return unit.name


def keys(unit: Path, key: str) -> list[str]:
    """The values of one key of a unit."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All units, calling a program that is there on this machine."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text("utf-8").replace(COMMAND, sys.executable))
    return tmp_path


def complaints(unit: Path) -> list[str]:
    """What systemd says of a unit, and not of others of this machine."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{unit.parent}:", "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    stem = unit.stem.rstrip("@")
    said = [line for line in (done.stdout + done.stderr).splitlines() if stem in line]
    return said or ([done.stderr or "failed"] if done.returncode else [])


@analyzed
@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_systemd_accepts_a_unit(folder: Path, unit: Path) -> None:
    assert complaints(folder / unit.name) == []


@analyzed
def test_a_word_that_systemd_does_not_know_is_noticed(folder: Path) -> None:
    unit = folder / "orchestrator.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in complaints(unit)[0]


@analyzed
@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_service_is_hardly_exposed(folder: Path, unit: Path) -> None:
    if "--offline" not in subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True).stdout:
        pytest.skip("this systemd-analyze cannot judge a unit that is not loaded")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED * 10:.0f}",
         folder / unit.name.replace("@", "@job")],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)  # noqa: T201 - the figure, shown by -s
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_services_are_confined_alike() -> None:
    confined = {unit.read_text("utf-8").split("# Who and where")[1].split("[Install]")[0].strip() for unit in SERVICES}
    assert len(confined) == 1


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_service_gives_a_stop_time_to_delete_mounts_and_never_kills_early(unit: Path) -> None:
    assert keys(unit, "TimeoutStopSec") == ["15min"]
    assert keys(unit, "KillMode") == ["mixed"]
    assert keys(unit, "KillSignal") == ["SIGTERM"]


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_service_calls_a_command_that_exists_with_options_that_exist(unit: Path) -> None:
    (line,) = keys(unit, "ExecStart")
    words = shlex.split(line.split(f"{COMMAND} ")[1])
    before = [word for word in words[:2] if word.startswith("-")]
    command, *after = words[2:]
    assert set(before) <= global_options()
    assert command in COMMANDS
    assert {word for word in after if word.startswith("-")} <= options_of(command)


@pytest.mark.parametrize("unit", [one for one in UNITS if one.suffix in (".timer", ".path")], ids=name_of)
def test_a_timer_or_path_starts_a_service_that_is_there(unit: Path) -> None:
    (started,) = keys(unit, "Unit") or [unit.with_suffix(".service").name]
    assert (unit.parent / started).exists()


def test_a_worker_says_when_it_serves_and_comes_back_when_its_name_is_free() -> None:
    unit = DEPLOY / "systemd" / "orchestrator-worker@.service"
    assert keys(unit, "Type") == ["notify"]
    assert keys(unit, "WatchdogSec") == ["3min"]
    assert keys(unit, "Restart") == ["on-failure"]
    (pause,) = keys(unit, "RestartSec")
    assert int(pause.removesuffix("s")) > FleetSettings.model_fields["lease"].default


def test_a_worker_is_given_the_passwords_of_enterprise_manager_and_of_the_database() -> None:
    given = keys(DEPLOY / "systemd" / "orchestrator-worker@.service", "LoadCredential")
    assert {one.split(":")[0] for one in given} == {"em-password", "fleet-password"}
    assert "#LoadCredential=fleet-password:" in (DEPLOY / "systemd" / "site.conf").read_text("utf-8")
