"""A real PostgreSQL on loopback: its own port, its own account, all of it in one folder."""

import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from orchestrator.simulator.certificate import identity_in

USER = "orchestrator"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # what a test has written need not outlive the machine, only the server
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
_names = itertools.count(1)

_GUARD = """
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && grep -qs "$1" "/proc/$pid/cmdline"; then
    kill -QUIT "$pid"
    while grep -qs "$1" "/proc/$pid/cmdline"; do sleep 0.1; done
fi
rm -rf "$1"
"""
"""What a shell does when its standard input is closed, which nobody who is killed can help: it ends the server of a
folder, and removes the folder."""


class Postgres:
    """A server that may be stopped and started again; what was committed stays, as do port and address."""

    def __init__(self, programs: Path, own: Path, settings: dict[str, str]) -> None:
        self.own = own
        self.port = _free_port()
        self.dsn = self.dsn_of("postgres")
        self._programs = programs
        self._settings = {**_SETTINGS, "unix_socket_directories": str(own), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def dsn_of(self, database: str) -> str:
        """How a database is reached over TCP. It never holds a password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    @property
    def socket_dsn(self) -> str:
        """How the server is reached over its Unix socket, where no password is ever asked."""
        return f"host={self.own} port={self.port} user={USER} dbname=postgres"

    def new_database(self, like: str = "template1") -> str:
        """Make a database of a name of its own, empty or `like` another that nobody is connected to; its DSN."""
        name = f"test_{os.getpid()}_{next(_names)}"
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, like)))
        with psycopg.connect(self.socket_dsn, autocommit=True) as connection:
            connection.execute(words)
        return self.dsn_of(name)

    def start(self) -> None:
        """Start the server and return when it answers."""
        words = [str(self._programs / "postgres"), "-D", str(self.own / "data"), "-p", str(self.port)]
        words += [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with (self.own / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.own, start_new_session=True,
                **_as_whom(),
            )  # fmt: skip
        self._until_it_answers(self._process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server. SIGINT ends every connection and closes in order; SIGQUIT is the power cut."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(15)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server and start it again: every connection is lost, nothing that was committed is."""
        self.stop(how)
        self.start()

    def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.socket_dsn, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(
                        f"PostgreSQL did not start: {(self.own / 'log').read_text()[-2000:]}"
                    ) from error
                time.sleep(0.02)
            else:
                return


def programs() -> Path:
    """The folder of the server's programs, of the newest version; the test is skipped where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: float(one.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.skip("PostgreSQL is not installed; `make postgresql` as root installs it")
    return Path(on_path).resolve().parent


@contextmanager
def postgres(*, password: str = "", tls: bool = False, **settings: str) -> Iterator[Postgres]:
    """Run a server with a superuser `orchestrator`. With a `password` it is asked for over TCP; with `tls` nothing
    else is served there (the authority is `own / "ca.pem"`, for 127.0.0.1 and localhost). `settings` are laid over its
    own.
    """
    found = programs()
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        own = Path(folder)
        with _guarded(own):
            _make(found, own, password)
            if tls:
                settings |= _keep_certificate(own)
                hba = own / "data" / "pg_hba.conf"
                hba.write_text(hba.read_text().replace("\nhost ", "\nhostssl "))
            server = Postgres(found, own, settings)
            try:
                server.start()
                yield server
            finally:
                server.stop()


@contextmanager
def _guarded(own: Path) -> Iterator[None]:
    """A server has a session of its own, and would outlive tests that are killed. Not with this. The kernel's signal at
    the death of a parent would not do: it comes when the thread ends that has started the server."""
    with guard_of(own) as guard:
        try:
            yield
        finally:
            guard.kill()


def guard_of(own: Path) -> subprocess.Popen[bytes]:
    """What ends the server of a folder, and removes the folder, as soon as nobody holds its standard input open."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", str(own)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _make(found: Path, own: Path, password: str) -> None:
    """Make the folder of a server, as who will serve it: PostgreSQL refuses to run as root."""
    _give_away(own)
    words = ["-D", str(own / "data"), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync", "--auth-local=trust"]
    if password:
        given = own / "password"
        given.write_text(password)
        _give_away(given)
        words += ["--auth-host=scram-sha-256", f"--pwfile={given}"]
    else:
        words += ["--auth-host=trust"]
    done = subprocess.run(
        [str(found / "initdb"), *words], capture_output=True, text=True, cwd=own, check=False, **_as_whom()
    )
    assert done.returncode == 0, done.stderr


def _keep_certificate(own: Path) -> dict[str, str]:
    identity = identity_in(own)
    for path in (identity.ca_file, identity.chain_file, identity.key_file):
        _give_away(path)
    return {"ssl": "on", "ssl_cert_file": str(identity.chain_file), "ssl_key_file": str(identity.key_file)}


def _give_away(path: Path) -> None:
    if who := _as_whom():
        os.chown(path, who["user"], who["group"])


def _as_whom() -> dict[str, Any]:
    """Who the server runs as: ourselves, or where we are root its own account, or else that of nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid}
    pytest.skip("PostgreSQL does not run as root, and there is no account to run it as")


def _free_port() -> int:
    """A port that nobody has, and that no connection will get by chance while the server is stopped: Linux gives those
    from 32768 on."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
