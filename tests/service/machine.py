"""A machine with its own systemd, made of namespaces: no container engine is needed, only root and systemd itself."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOT = Path(__file__).with_name("boot.sh")
GLANCE = 0.05
BOOT_SECONDS = 30.0


def cannot_boot() -> str:
    """Why no machine can be had here; empty when one can."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed (make systemd-tools)"
    if not _unified():
        return "there is no cgroup2 file system"
    tried = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"unshare says: {tried.stderr.strip()}" if tried.returncode else ""


NAMESPACES = ["--mount", "--pid", "--fork", "--cgroup", "--net", "--uts", "--ipc", "--kill-child"]


def _unified() -> Path | None:
    """Where cgroup2 is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


class Machine:
    """A booted machine. Words that fail raise AssertionError with all that they said."""

    def __init__(self, init: int, root: Path) -> None:
        self._init = init
        self.root = root

    def run(self, *words: str, ok: bool = True, stdin: str = "") -> str:
        """The output of a command inside, as root."""
        done = subprocess.run(
            ["nsenter", f"--target={self._init}", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=100,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_COLORS": "0", "TERM": "dumb"},
        )
        assert done.returncode == 0 or not ok, f"{words} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout.strip()

    def path(self, inside: str) -> Path:
        """A file of the machine as the host sees it."""
        return Path(f"/proc/{self._init}/root{inside}")

    def show(self, unit: str, key: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={key}", "--value")

    def log(self, unit: str) -> str:
        """What the journal has of a unit."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def until(self, holds: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Wait until `holds`; AssertionError, naming `what` was waited for, after `seconds`."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds} s in vain until {what}"
            time.sleep(GLANCE)

    def wait_for(self, unit: str, key: str, *values: str, seconds: float = 60) -> str:
        """Wait until a property of a unit has one of `values`; AssertionError, with the journal, after `seconds`."""
        until = time.monotonic() + seconds
        while (found := self.show(unit, key)) not in values:
            assert time.monotonic() < until, f"{unit}: {key} is {found!r}, not {values}\n{self.log(unit)}"
            time.sleep(GLANCE)
        return found


@contextmanager
def booted(folder: Path, **seen: Path) -> Iterator[Machine]:
    """A machine that has come up, and is gone afterwards. `seen`: folders of the host that it sees read-only in /opt,
    by name."""
    root = folder / "root"
    root.mkdir()
    group = _own_group()
    pairs = [f"{place}:/opt/{name}" for name, place in seen.items()]
    with open(folder / "boot.log", "wb") as log:
        unshare = subprocess.Popen(
            ["unshare", *NAMESPACES, "sh", str(BOOT), str(root), *pairs],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
        )
        init = 0
        try:
            init = _child_of(unshare.pid)
            machine = Machine(init, root)
            _wait_until_up(machine, unshare, folder / "boot.log")
            yield machine
        finally:
            if init:
                with suppress(ProcessLookupError):
                    os.kill(init, signal.SIGKILL)
            unshare.kill()
            unshare.wait()
            _remove_group(group)


def _own_group() -> Path:
    """A control group for the machine, so that its systemd sees no other."""
    unified = _unified()
    assert unified is not None
    group = unified / f"orchestrator-test-{os.getpid()}"
    group.mkdir()
    return group


def _remove_group(group: Path) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for place, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(place)
        if not group.exists():
            return
        time.sleep(GLANCE)


def _child_of(parent: int) -> int:
    """The first process inside, by its id outside."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    until = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < until:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(GLANCE)
    raise AssertionError("unshare started nothing")


def _wait_until_up(machine: Machine, unshare: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + BOOT_SECONDS
    state = ""
    while time.monotonic() < until:
        assert unshare.poll() is None, f"the machine did not boot:\n{log.read_text()}"
        if Path(f"/proc/{machine._init}/comm").read_text().strip() == "systemd":
            state = machine.run("systemctl", "is-system-running", ok=False)
            if state in ("running", "degraded"):
                return
        time.sleep(GLANCE)
    raise AssertionError(f"the machine is {state or 'silent'} after {BOOT_SECONDS} s:\n{log.read_text()}")


def installation(folder: Path) -> dict[str, Path]:
    """What an installation needs, as folders for `booted`: a Python, our wheel, and the libraries it stands on."""
    wheels = folder / "wheel"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={wheels}", str(ROOT)],
        check=True,
        capture_output=True,
    )
    libraries = Path(next(path for path in sys.path if path.endswith("site-packages")))
    return {"python": Path(sys.base_prefix), "wheel": wheels, "libraries": libraries}


def install(machine: Machine) -> None:
    """/opt/orchestrator as the install page makes it, from what is already on this host."""
    loader = machine.path("/etc/ld.so.conf")
    loader.write_text("/opt/python/lib\n" + loader.read_text())  # a shared libpython is looked for where it was built
    machine.run("ldconfig")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    machine.run(f"/opt/python/bin/{version}", "-m", "venv", "--without-pip", "/opt/orchestrator")
    site = machine.path(f"/opt/orchestrator/lib/{version}/site-packages")
    (site / "libraries.pth").write_text("/opt/libraries\n")
    wheel = next(machine.path("/opt/wheel").glob("orchestrator-*.whl")).name
    machine.run(
        "/opt/orchestrator/bin/python", "/opt/libraries/pip", "install", "--quiet", "--no-index", "--no-deps",
        "--ignore-installed", "--root-user-action=ignore", f"/opt/wheel/{wheel}",
    )  # fmt: skip
    for name in ("systemd", "sysusers.d", "tmpfiles.d", "logrotate.d", "container"):
        shutil.copytree(ROOT / "docs" / "deploy" / name, machine.path(f"/opt/deploy/{name}"))
