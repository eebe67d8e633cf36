"""A real Samba on loopback: its own port, its own passwords, all of it in one folder; and a wire that can be cut."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.smb import Account, Reaching, SmbSource, SmbTarget

PASSWORD = "Reiher3-im-Schilf"

_CONF = """[global]
server role = standalone server
netbios name = VBR01
interfaces = 127.0.0.1
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
disable spoolss = yes
load printers = no
printing = bsd
printcap name = /dev/null
map to guest = never
passdb backend = tdbsam:{own}/passdb.tdb
private dir = {own}
lock directory = {own}/lock
state directory = {own}/state
cache directory = {own}/cache
pid directory = {own}/pid
ncalrpc dir = {own}/ncalrpc
log file = {own}/log
log level = 0
server min protocol = SMB2_10
server signing = mandatory
{more}
"""


@dataclass
class Samba:
    """A server that runs, with its shares by name."""

    port: int
    user: str
    shares: Mapping[str, Path]
    conf: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def unc(self, share: str, *below: str, server: str = "127.0.0.1") -> str:
        return "\\\\" + "\\".join((server, share, *below))


def smb_source(server: Samba, **reaching: Any) -> SmbSource:
    """What reads the server's shares, as who may. `reaching` is laid over how they are reached."""
    account = Account(server.user, PASSWORD, "$SHARE_PASSWORD")
    return SmbSource(lambda unc: Reaching(**{"account": account, "port": server.port, **reaching}))


def smb_target(server: Samba, allow: Sequence[str], *, port: int = 0, **more: Any) -> SmbTarget:
    """What writes to the server's shares, as who may."""
    reaching = Reaching(Account(server.user, PASSWORD, "$SHARE_PASSWORD"), port or server.port)
    return SmbTarget(allow, lambda unc: reaching, **more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def smbd() -> str:
    """The server program; the test is skipped where it is not installed."""
    found = shutil.which("smbd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        pytest.skip("smbd is not installed; `make samba` as root installs it")
    return found


def needs_modules() -> None:
    """The test is skipped where the server cannot keep what Windows keeps of a file."""
    smbd()
    if not list(Path("/usr/lib").glob("**/samba/vfs/streams_depot.so")):
        pytest.skip("Samba's modules are not installed; `make samba` as root installs them")


@contextmanager
def samba(shares: Mapping[str, Path], namespaces: Collection[str] = (), **options: str) -> Iterator[Samba]:
    """Run a server. `options` are laid over its [global] section, `_` for a blank. In `namespaces`, some of the shares,
    a symbolic link to `msdfs:server\\share` is a DFS link.

    What it keeps for itself lies in a folder with a short name: it makes sockets there, whose paths may not be long.
    """
    with tempfile.TemporaryDirectory(prefix="smb-") as own, _serving(Path(own), shares, namespaces, options) as server:
        yield server


@contextmanager
def _serving(
    own: Path, shares: Mapping[str, Path], namespaces: Collection[str], options: Mapping[str, str]
) -> Iterator[Samba]:
    program, port, user = smbd(), free_port(), getpass.getuser()
    for name in ("lock", "state", "cache", "pid", "ncalrpc"):
        (own / name).mkdir(parents=True)
    more = "\n".join(f"{name.replace('_', ' ')} = {value}" for name, value in options.items())
    conf = own / "smb.conf"
    sections = [
        f"[{name}]\npath = {path}\nread only = no\nmsdfs root = {'yes' if name in namespaces else 'no'}\n"
        for name, path in shares.items()
    ]
    conf.write_text(_CONF.format(port=port, own=own, more=more) + "".join(sections))
    _enrol(conf, user)
    process = subprocess.Popen(
        [program, "--foreground", "--no-process-group", f"--configfile={conf}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _until_it_listens(port, process)
        yield Samba(port, user, dict(shares), conf, [process])
    finally:
        _end(process)


def other_account(server: Samba, *privileges: str) -> str:
    """Enrol an account that is not the one that serves, with privileges of Windows; its name. Skipped where the server
    could not become that account."""
    if os.geteuid() != 0:
        pytest.skip("a server that serves other accounts must run as root")
    name = "games"
    _enrol(server.conf, name)
    for privilege in privileges:
        words = ["net", "sam", "rights", "grant", name, privilege, "-s", str(server.conf)]
        subprocess.run(words, check=True, capture_output=True)
    return name


def _enrol(conf: Path, user: str) -> None:
    subprocess.run(
        ["smbpasswd", "-c", str(conf), "-s", "-a", user],
        input=f"{PASSWORD}\n{PASSWORD}\n".encode(), check=True, capture_output=True,
    )  # fmt: skip


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        assert process.poll() is None, "smbd ended at once"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)


def until_alone(server: Samba) -> None:
    """Return when the server serves nobody, and so has let go of what others held open."""
    deadline = time.monotonic() + 15
    while _serves(server.port):
        if time.monotonic() > deadline:
            raise TimeoutError("the server still serves a connection")
        time.sleep(0.005)


def _serves(port: int) -> bool:
    """Whether a connection to a port is established, or closed by the client alone (proc(5), /proc/net/tcp)."""
    established, close_wait, here = "01", "08", f"{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if local.endswith(f":{here}") and state in (established, close_wait):
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server and those that it has forked: they share its session, which is nobody else's."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(10)


class Wire:
    """A TCP proxy in front of a server. `cut_after` bytes towards the client, each connection is cut, `cuts` times; or
    when `cut_when` says so of what is about to be passed on, towards the client or not."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cut_after: int | None = None
        self.cut_when: Callable[[bytes, bool], bool] | None = None
        self.cuts = 0
        self.connections = 0
        self.at_most: int | None = None
        """Connections that are let through; whoever comes later is hung up on."""
        self.carried: list[int] = []
        """Bytes towards the client so far, of each connection."""
        self.open = True
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Nobody gets through any more."""
        self.open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Every connection that there is, now."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while self.open:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.at_most is not None and self.connections > self.at_most:
                near.close()
                continue
            self.carried.append(0)
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [near, far]
            threading.Thread(target=self._carry, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, len(self.carried) - 1), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, number: int | None) -> None:
        """To the server, or to the client of the connection with that number."""
        carried, down = 0, number is not None
        with suppress(OSError):
            while data := source.recv(65536):
                carried += len(data)
                if number is not None:
                    self.carried[number] = carried
                far_enough = down and self.cut_after is not None and carried > self.cut_after
                if self.cuts and (far_enough or (self.cut_when is not None and self.cut_when(data, down))):
                    self.cuts -= 1
                    break
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """A wire to `port`, closed at the end."""
    made = Wire(port)
    try:
        yield made
    finally:
        made.close()
