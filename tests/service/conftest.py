"""A machine with the product installed as docs/deploy says, and a simulated Enterprise Manager beside it."""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.service.machine import Machine, booted, cannot_boot, install, installation

DROPS = "/var/lib/orchestrator/jobs"
STEPS = """
cd /opt/deploy
install -m 644 systemd/*.service systemd/*.timer systemd/*.path /etc/systemd/system
install -D -m 644 -t /etc/sysusers.d sysusers.d/orchestrator.conf
install -D -m 644 -t /etc/tmpfiles.d tmpfiles.d/orchestrator.conf
install -D -m 644 -t /etc/systemd/system/orchestrator.service.d systemd/site.conf
install -D -m 644 -t /etc/systemd/system/orchestrator-.service.d systemd/site.conf
systemd-sysusers
systemd-tmpfiles --create orchestrator.conf
install -d -o orchestrator -g orchestrator -m 750 /restore /elsewhere
systemctl daemon-reload
useradd --user-group ann
usermod --append --groups orchestrator ann
"""
"""As docs/deploy/README.md says."""


@dataclass
class Site:
    """The machine of one site; `em` is the config that the simulator has written for itself."""

    machine: Machine
    em: dict[str, Any]

    def configure(self, **sections: dict[str, Any]) -> None:
        """Write config.toml; a table given here is laid over the one of the site."""
        server = self.em["enterprise_manager"]
        config: dict[str, Any] = {
            "enterprise_manager": {
                **{key: server[key] for key in ("url", "username", "ca_file")},
                "password_credential": "em-password",
            },
            "backup_servers": self.em["backup_servers"],
            "targets": {"allow": ["/restore", "/elsewhere"]},
            "state": {"folder": "/var/lib/orchestrator/state"},
            "watch": {"folder": DROPS, "settle": 0.2},
            "web": {"listen": "127.0.0.1:8090", "socket": "/run/orchestrator/web.sock"},
        }
        for name, section in sections.items():
            config[name] = {**config.get(name, {}), **section}
        self.machine.path("/etc/orchestrator/config.toml").write_text(tomli_w.dumps(config))

    def job(self, name: str, to: str = "/restore") -> str:
        """The text of a job that restores all of every machine."""
        job = tomllib.loads(self.machine.path("/srv/em/job.toml").read_text())
        return tomli_w.dumps({**job, "name": name, "defaults": {**job["defaults"], "to": f"{to}/{{vm}}"}})

    @contextmanager
    def dropped_in(self, unit: str, *lines: str) -> Iterator[None]:
        """A drop-in for a unit, as an administrator would write one, for a while."""
        folder = self.machine.path(f"/etc/systemd/system/{unit}.d")
        folder.mkdir(exist_ok=True)
        file = folder / f"test-{len(list(folder.iterdir()))}.conf"
        file.write_text("\n".join(["[Service]", *lines, ""]))
        self.machine.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            file.unlink()
            self.machine.run("systemctl", "daemon-reload")

    def drop(self, name: str, to: str = "/restore") -> None:
        """Drop a job as ann does: written under a hidden name, then renamed."""
        hidden, whole = f"{DROPS}/incoming/.{name}.toml", f"{DROPS}/incoming/{name}.toml"
        script = f"umask 027; cat > {hidden} && mv {hidden} {whole}"
        self.machine.run(
            "setpriv", "--reuid=ann", "--regid=ann", "--init-groups", "sh", "-c", script, stdin=self.job(name, to)
        )

    def ended(self, name: str, folder: str = "done") -> str:
        """Wait for a dropped job to end in a folder; what is said beside it."""
        place = self.machine.path(f"{DROPS}/{folder}")
        self.machine.until(lambda: list(place.glob(f"{name}.*.reason.txt")), f"{name} is in {folder}")
        (said,) = place.glob(f"{name}.*.reason.txt")
        return said.read_text()

    @contextmanager
    def state_in_use(self) -> Iterator[None]:
        """Another process holds the lock on the state folder, for a while."""
        lock = "/var/lib/orchestrator/state/lock"
        holder = ("systemd-run", "--unit=holder", "--collect", "--property=User=orchestrator")
        self.machine.run(*holder, "/usr/bin/flock", lock, "sleep", "60")
        taken = ("flock", "--nonblock", lock, "echo", "free")
        self.machine.until(
            lambda: self.machine.path(lock).exists() and self.machine.run(*taken, ok=False) != "free",
            "the lock is held",
        )
        try:
            yield
        finally:
            self.machine.run("systemctl", "stop", "holder.service")

    def mounts(self) -> tuple[int, int]:
        """(mounts that the simulator made, mounts that it deleted)."""
        lines = map(json.loads, self.machine.path("/srv/em/requests.log").read_text().splitlines())
        calls = [(one["method"], one["path"]) for one in lines if one["status"] < 300]
        made = sum(method == "POST" and path.endswith("/mounts") for method, path in calls)
        return made, sum(method == "DELETE" and "/mounts/" in path for method, path in calls)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if not os.environ.get("SERVICE_TEST"):
        pytest.skip("boots a machine of its own; `make service-test` runs it")
    if why := cannot_boot():
        pytest.fail(f"no machine can be booted here: {why}")
    folder = tmp_path_factory.mktemp("machine")
    with booted(folder, **installation(folder)) as machine:
        install(machine)
        yield machine


@pytest.fixture(scope="session")
def site(machine: Machine) -> Site:
    """Installed by the steps of docs/deploy/README.md."""
    machine.run("sh", "-eu", "-c", STEPS)
    em = _simulator(machine)
    machine.run("install", "-m", "600", "/srv/em/em-password", "/etc/orchestrator/em-password")
    site = Site(machine, em)
    site.configure()
    machine.run("systemd-tmpfiles", "--create", "orchestrator.conf")
    return site


def _simulator(machine: Machine) -> dict[str, Any]:
    """Start a simulated Enterprise Manager as a unit of its own; the config that it writes."""
    machine.run(
        "systemd-run", "--unit=em", "--collect", "/opt/orchestrator/bin/orchestrator", "simulate",
        "--folder=/srv/em", "--machines=4", "--files=400", "--backup-servers=2", "--log=/srv/em/requests.log",
    )  # fmt: skip
    config = machine.path("/srv/em/config.toml")
    machine.until(config.exists, "the simulator writes its config")
    return tomllib.loads(config.read_text())


def files_below(folder: Path) -> int:
    """How many files there are."""
    return sum(len(files) for _, _, files in os.walk(folder))
