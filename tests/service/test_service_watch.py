"""The watcher as a service, for real: ready, alive, confined, stopped with mounts open, hung, and with a bad config."""

import re
import stat
from collections.abc import Iterator

import pytest

from tests.service.conftest import DROPS, Site, files_below

pytestmark = pytest.mark.timeout(180)

UNIT = "orchestrator.service"
CONFIG = "/etc/orchestrator/config.toml"


@pytest.fixture
def watcher(site: Site) -> Iterator[Site]:
    """The service, started, with a watchdog that does not let a test wait for minutes."""
    with site.dropped_in(UNIT, "WatchdogSec=3s", "RestartSec=100ms"):
        site.machine.run("systemctl", "start", UNIT)
        yield site
        site.machine.run("systemctl", "stop", UNIT)
        site.machine.run("systemctl", "reset-failed", ok=False)


def status(site: Site) -> str:
    return site.machine.show(UNIT, "StatusText")


def test_the_service_is_ready_says_what_it_waits_for_and_gives_signs_of_life(watcher: Site) -> None:
    machine = watcher.machine
    assert machine.show(UNIT, "ActiveState") == "active"
    assert status(watcher) == f"waiting for jobs in {DROPS}"
    first = machine.show(UNIT, "WatchdogTimestampMonotonic")
    machine.until(lambda: machine.show(UNIT, "WatchdogTimestampMonotonic") not in ("0", first), "petted", 10)


def test_the_process_is_confined(watcher: Site) -> None:
    pid = watcher.machine.show(UNIT, "MainPID")
    told = watcher.machine.run("cat", f"/proc/{pid}/status")
    said = dict(re.findall(r"^(\w+):\t(.*)$", told, re.MULTILINE))
    assert said["CapEff"] == said["CapBnd"] == "0000000000000000"
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")
    assert said["Uid"].split() == [watcher.machine.run("id", "-u", "orchestrator")] * 4
    inside = ("nsenter", f"--target={pid}", "--mount", "touch")
    assert "Read-only file system" in watcher.machine.run(*inside, "/etc/probe", ok=False)
    assert "Read-only file system" in watcher.machine.run(*inside, "/elsewhere/probe", ok=False)


def test_a_dropped_job_is_run_and_answered_and_whose_it_was_is_known(watcher: Site) -> None:
    watcher.drop("dropped", "/restore/dropped")
    assert watcher.ended("dropped").startswith("exit 0: everything is restored")
    assert files_below(watcher.machine.path("/restore/dropped")) > 100
    assert "dropped: taken from dropped.toml of ann" in watcher.machine.log(UNIT)
    watcher.machine.until(lambda: status(watcher) == f"waiting for jobs in {DROPS}", "it waits again")


def test_the_status_page_answers_on_its_address_and_on_its_socket_and_a_health_check_follows(watcher: Site) -> None:
    machine = watcher.machine
    healthy = ("/opt/orchestrator/bin/python", "/opt/deploy/container/healthy.py")
    assert machine.run(*healthy) == ""
    made = machine.path("/run/orchestrator/web.sock").lstat()
    assert stat.S_ISSOCK(made.st_mode)
    assert stat.S_IMODE(made.st_mode) == 0o600
    machine.run("systemctl", "stop", UNIT)
    assert "Connection refused" in machine.run(*healthy, ok=False)
    machine.run("systemctl", "start", UNIT)


def test_a_stop_with_mounts_open_deletes_them_and_the_job_goes_on_at_the_next_start(watcher: Site) -> None:
    watcher.drop("stopped", "/restore/stopped")
    watcher.machine.until(lambda: "open" in status(watcher), "a mount is open")
    watcher.machine.run("systemctl", "stop", UNIT)
    assert watcher.machine.show(UNIT, "Result") == "success"
    assert watcher.machine.show(UNIT, "ExecMainStatus") == "0"
    made, deleted = watcher.mounts()
    assert made == deleted > 0
    watcher.machine.run("systemctl", "start", UNIT)
    assert watcher.ended("stopped").startswith("exit 0")


def test_a_process_that_hangs_with_mounts_open_is_ended_started_anew_and_leaves_none(watcher: Site) -> None:
    restarts = int(watcher.machine.show(UNIT, "NRestarts"))
    watcher.drop("hung", "/restore/hung")
    watcher.machine.until(lambda: "open" in status(watcher), "a mount is open")
    watcher.machine.run("kill", "-STOP", watcher.machine.show(UNIT, "MainPID"))
    watcher.machine.until(lambda: int(watcher.machine.show(UNIT, "NRestarts")) == restarts + 1, "started anew")
    assert watcher.ended("hung").startswith("exit 0")
    log = watcher.machine.log(UNIT)
    assert "Watchdog timeout" in log
    assert "Fatal Python error: Aborted" in log  # and where its threads stood
    made, deleted = watcher.mounts()
    assert made == deleted > 0


def test_a_config_that_is_wrong_is_told_once_and_not_tried_again(site: Site) -> None:
    config = site.machine.path(CONFIG)
    right = config.read_text()
    config.write_text(right.replace("[targets]", "[tagrets]"))
    with site.dropped_in(UNIT, "RestartSec=100ms"):
        site.machine.run("systemctl", "start", UNIT, ok=False)
        assert site.machine.wait_for(UNIT, "ActiveState", "failed", "inactive", "active") == "failed"
        assert site.machine.show(UNIT, "ExecMainStatus") == "2"
        assert site.machine.show(UNIT, "NRestarts") == "0"
    config.write_text(right)
    site.machine.run("systemctl", "reset-failed", UNIT)
    assert "did you mean targets?" in site.machine.log(UNIT)


def test_a_service_whose_state_folder_is_in_use_comes_up_once_it_is_free(site: Site) -> None:
    machine = site.machine
    with site.dropped_in(UNIT, "RestartSec=100ms"):
        with site.state_in_use():
            machine.run("systemctl", "start", UNIT, ok=False)
            machine.until(lambda: int(machine.show(UNIT, "NRestarts")) >= 2, "tried again")
            assert "is in use by another orchestrator" in machine.log(UNIT)
        machine.wait_for(UNIT, "ActiveState", "active")
        machine.run("systemctl", "stop", UNIT)


def test_without_a_resident_watcher_a_dropped_job_starts_one_that_ends_again(site: Site) -> None:
    machine = site.machine
    machine.run("systemctl", "start", "orchestrator-drop.path")
    site.drop("alone", "/restore/alone")
    assert site.ended("alone").startswith("exit 0")
    machine.wait_for("orchestrator-drop.service", "ActiveState", "inactive")
    assert machine.show("orchestrator-drop.path", "ActiveState") == "active"
    assert machine.show("orchestrator-drop.service", "Result") == "success"
    assert machine.log("orchestrator-drop.service").count("Starting") == 1
    machine.run("systemctl", "start", UNIT)
    assert machine.show("orchestrator-drop.path", "ActiveState") == "inactive"
    machine.run("systemctl", "stop", UNIT)


def test_a_share_that_is_mounted_when_it_is_looked_at_is_seen_by_a_service_that_runs_already(watcher: Site) -> None:
    units = watcher.machine.path("/run/systemd/system")
    units.mkdir(exist_ok=True)
    (units / "mnt-late.mount").write_text("[Mount]\nWhat=/srv/em\nWhere=/mnt/late\nType=none\nOptions=bind,ro\n")
    (units / "mnt-late.automount").write_text("[Automount]\nWhere=/mnt/late\n")
    watcher.machine.run("systemctl", "daemon-reload")
    watcher.machine.run("systemctl", "start", "mnt-late.automount")
    pid = watcher.machine.show(UNIT, "MainPID")
    assert "config.toml" in watcher.machine.run("nsenter", f"--target={pid}", "--mount", "ls", "/mnt/late")
    assert watcher.machine.show("mnt-late.mount", "ActiveState") == "active"
    watcher.machine.run("systemctl", "stop", "mnt-late.automount", "mnt-late.mount")


def test_the_events_file_is_rotated_without_a_word_to_the_service(watcher: Site) -> None:
    machine = watcher.machine
    if not machine.path("/usr/sbin/logrotate").exists():
        pytest.skip("logrotate is not installed")
    events = machine.path("/var/log/orchestrator/events.jsonl")
    run = f"/opt/orchestrator/bin/orchestrator --config {CONFIG} watch --events /var/log/orchestrator/events.jsonl"
    with watcher.dropped_in(UNIT, "ExecStart=", f"ExecStart={run}"):
        machine.run("systemctl", "restart", UNIT)
        machine.until(lambda: events.exists() and events.stat().st_size, "there are events")
        machine.run("logrotate", "--force", "--state=/run/logrotate", "/opt/deploy/logrotate.d/orchestrator")
        watcher.drop("rotated", "/restore/rotated")
        watcher.ended("rotated")
        machine.until(lambda: '"job_ended"' in events.read_text(), "events come to the new file")
        assert '"watcher_ready"' not in events.read_text()
        (rotated,) = events.parent.glob("events.jsonl-*")
        assert '"watcher_ready"' in rotated.read_text()
