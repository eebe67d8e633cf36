"""The units that run one job and sweep, for real: under systemd, confined, with the password as a credential."""

import json
from typing import Any

import pytest

from tests.service.conftest import Site, files_below

pytestmark = pytest.mark.timeout(180)

PROBE = r"""
import ctypes, errno, mmap, os, socket

libc = ctypes.CDLL(None, use_errno=True)

def mount():
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")

for name, act in {
    "writing to /etc": lambda: open("/etc/probe", "w"),
    "writing to /usr": lambda: open("/usr/probe", "w"),
    "writing to a destination that is not in site.conf": lambda: open("/elsewhere/probe", "w"),
    "reading /root": lambda: os.listdir("/root"),
    "reading the password's file": lambda: open("/etc/orchestrator/em-password"),
    "a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "code that is written while it runs": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC),
    "mounting": mount,
    "giving a file away": lambda: os.chown("/var/lib/orchestrator/state", 0, 0),
    "a file that runs as its owner": lambda: os.chmod("/restore", 0o4750),
    "the kernel's log": lambda: open("/dev/kmsg"),
    "another process": lambda: os.listdir("/proc/1"),
}.items():
    try:
        act()
    except OSError as error:
        print(name, "refused", errno.errorcode[error.errno])
    else:
        print(name, "ALLOWED")
for folder in ("/var/lib/orchestrator", "/var/log/orchestrator", "/restore", "/tmp"):
    open(folder + "/probe", "w").close()
    os.unlink(folder + "/probe")
    print(folder, "can be written")
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print("capabilities", status["CapEff"], status["CapBnd"], status["CapAmb"])
print("privileges fixed", status["NoNewPrivs"], "calls filtered", status["Seccomp"], "core", status.get("CoreDumping"))
"""


def report_of(site: Site, job: str) -> dict[str, Any]:
    """The report of the only run of a job."""
    (found,) = site.machine.path("/var/lib/orchestrator/state/runs").glob(f"{job}-*/report.json")
    report: dict[str, Any] = json.loads(found.read_text())
    return report


def test_a_job_is_restored_by_its_unit_with_the_password_as_a_credential(site: Site) -> None:
    site.machine.path("/etc/orchestrator/jobs/night.toml").write_text(site.job("night"))
    site.machine.run("systemctl", "start", "orchestrator-run@night.service")
    assert site.machine.show("orchestrator-run@night.service", "Result") == "success"
    report = report_of(site, "night")
    restored = site.machine.path("/restore")
    assert files_below(restored) == report["totals"]["restored"] > 100
    owner = restored.stat().st_uid
    assert owner != 0
    assert all(one.stat().st_uid == owner for one in restored.rglob("*"))
    assert "mounts opened 4, deleted 4, left 0" in site.machine.log("orchestrator-run@night.service")


def test_a_destination_that_site_conf_does_not_name_is_refused_before_anything_is_mounted(site: Site) -> None:
    site.machine.path("/etc/orchestrator/jobs/elsewhere.toml").write_text(site.job("elsewhere", "/elsewhere"))
    site.machine.run("systemctl", "start", "orchestrator-run@elsewhere.service", ok=False)
    assert site.machine.show("orchestrator-run@elsewhere.service", "ExecMainStatus") == "2"
    log = site.machine.log("orchestrator-run@elsewhere.service")
    assert "the destination refuses to be written (Read-only file system: it is mounted read-only)" in log
    assert "nothing was mounted" in log


def test_the_confinement_holds_for_whatever_a_unit_runs(site: Site) -> None:
    site.machine.path("/opt/probe.py").write_text(PROBE)
    with site.dropped_in(
        "orchestrator-run@probe.service", "ExecStart=", "ExecStart=/opt/orchestrator/bin/python -I /opt/probe.py"
    ):
        site.machine.run("systemctl", "start", "orchestrator-run@probe.service", ok=False)
    said = site.machine.log("orchestrator-run@probe.service")
    assert said.count("refused") == 12, said
    assert "ALLOWED" not in said, said
    assert said.count("can be written") == 4, said
    assert "capabilities 0000000000000000 0000000000000000 0000000000000000" in said
    assert "privileges fixed 1 calls filtered 2" in said


def test_a_missing_password_is_named_by_systemd_and_nothing_is_started(site: Site) -> None:
    with site.dropped_in("orchestrator-run@night.service", "LoadCredential=em-password:/etc/orchestrator/none"):
        site.machine.run("systemctl", "start", "orchestrator-run@night.service", ok=False)
        assert site.machine.show("orchestrator-run@night.service", "ExecMainStatus") == "243"  # CREDENTIALS


def test_the_password_may_be_encrypted_for_this_machine(site: Site) -> None:
    site.machine.run("install", "-d", "-m", "700", "/etc/credstore.encrypted")
    sealed = "/etc/credstore.encrypted/em-password"
    site.machine.run("systemd-creds", "encrypt", "--with-key=host", "--name=em-password", "/srv/em/em-password", sealed)
    password = site.machine.path("/srv/em/em-password").read_text().strip()
    assert password.encode() not in site.machine.path(sealed).read_bytes()
    with site.dropped_in(
        "orchestrator-run@night.service", "LoadCredential=", f"LoadCredentialEncrypted=em-password:{sealed}"
    ):
        site.machine.run("systemctl", "start", "orchestrator-run@night.service")
    assert site.machine.log("orchestrator-run@night.service").count("Everything asked for is restored") == 2


def test_two_jobs_that_meet_run_one_after_the_other(site: Site) -> None:
    for name in ("one", "two"):
        site.machine.path(f"/etc/orchestrator/jobs/{name}.toml").write_text(site.job(name, f"/restore/{name}"))
    site.machine.run("systemctl", "start", "orchestrator-run@one.service", "orchestrator-run@two.service")
    one, two = report_of(site, "one"), report_of(site, "two")
    assert one["ended"] <= two["started"] or two["ended"] <= one["started"]
    assert one["exit_code"] == two["exit_code"] == 0


def test_sweep_by_its_unit_finds_nothing_left(site: Site) -> None:
    site.machine.run("systemctl", "start", "orchestrator-sweep.service")
    assert "mounts cleared 0, left 0" in site.machine.log("orchestrator-sweep.service")


def test_sweep_by_its_unit_does_nothing_while_an_orchestrator_runs(site: Site) -> None:
    before = site.machine.log("orchestrator-sweep.service")
    with site.state_in_use():
        site.machine.run("systemctl", "start", "orchestrator-sweep.service")
    said = site.machine.log("orchestrator-sweep.service").removeprefix(before)
    assert "exec-condition" in said, said
    assert "mounts cleared" not in said
