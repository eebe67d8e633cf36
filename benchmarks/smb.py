"""Restoring from a share by UNC path, against `rclone` and `smbclient`, which neither checksum nor keep a journal.

A Samba on this machine serves the share and demands signatures, so client and server share the cores. Every contestant
is timed as a whole process: start-up, logon, walk, copy.
"""

import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import VM
from benchmarks.measuring import Contestant, Rounds, mib, print_table, side_by_side
from benchmarks.places import Places, available_memory, find_rclone, remove
from benchmarks.restoring import PASSWORD as PASSWORD_VARIABLE
from benchmarks.restoring import START
from benchmarks.trees import large_files, small_files
from tests.support.samba import PASSWORD, Samba, samba

ONE_WAY = 0.005
"""Seconds of delay in each direction."""
SMALL = (1 << 10, 25 << 10)


@dataclass(frozen=True, slots=True)
class Ground:
    """A server with the share `shown`, on which a mount appears, and `hidden`, which holds the same files all the
    time. `port` is where clients connect."""

    server: Samba
    folder: Path
    port: int


def smb(places: Places, quick: bool) -> None:
    """Small and large files: signed, encrypted, and far away."""
    count, size = (2_000, 32 << 20) if quick else (20_000, min(700 << 20, available_memory() // 12))
    for title, options, delay, transfers in (
        ("signed", {}, 0.0, (4, 16, 32)),
        ("encrypted", {"server smb encrypt": "required"}, 0.0, (4, 16)),
        ("signed, 5 ms away each way", {}, ONE_WAY, (16, 32, 64)),
    ):
        number = min(count, 2_000) if delay else count
        with _ground(places.fast, options, delay) as ground:
            tree = ground.folder / "hidden" / VM / "Volume1"
            total = small_files(tree, number, SMALL)
            rounds = _rounds(ground, transfers, delay, full=True)
            print_rounds(f"{number:,} small files, {mib(total)}, {title}", rounds, number, "files/s")
            remove(tree)
            total = large_files(tree, 3, size)
            rounds = _rounds(ground, transfers[:1], delay)
            print_rounds(f"3 files of {mib(size)}, {title}", rounds, total / 1e6, "MB/s")


def _rounds(ground: Ground, transfers: tuple[int, ...], delay: float, *, full: bool = False) -> Rounds:
    """Side by side; with `full` also with all that is beside the bytes, which the peers leave behind."""
    contestants = [Contestant("orchestrator", lambda to: _ours(ground, to))]
    if full:
        name = "orchestrator, with descriptors and streams"
        contestants.append(Contestant(name, lambda to: _ours(ground, to, "--metadata", "full")))
    if (rclone := find_rclone()) is not None:
        contestants += [_rclone(rclone, ground, number) for number in transfers]
    if shutil.which("smbclient") and not delay:
        contestants.append(Contestant("smbclient", lambda to: _smbclient(ground, to)))
    return side_by_side(contestants, ground.folder, 3)


def print_rounds(title: str, rounds: Rounds, amount: float, unit: str) -> None:
    """One table of what was measured: `amount` of `unit` in each."""
    peers = [name for name in rounds.seconds if name.startswith("rclone")]
    best = min(peers, key=rounds.median, default="orchestrator")
    rows = [
        [
            name,
            f"{rounds.median(name):.2f}",
            f"{rounds.busy(name):.2f}",
            f"{amount / rounds.median(name):,.0f}",
            rounds.ratio(name, best),
            rounds.ratio(name, "smbclient") if "smbclient" in rounds.seconds else "-",
        ]
        for name in rounds.seconds
    ]
    print_table(
        title, ("restore", "s (median)", "processor s", unit, f"speed of {best} = 1", "speed of smbclient = 1"), rows
    )


@contextmanager
def _ground(place: Path, options: dict[str, str], delay: float) -> Iterator[Ground]:
    folder = place / "smb"
    (folder / "hidden" / VM).mkdir(parents=True)
    (folder / "shown").mkdir()
    shares = {"shown": folder / "shown", "hidden": folder / "hidden"}
    try:
        with samba(shares, **{"vfs objects": "streams_xattr", **options}) as server:
            if delay:
                with far_away(server.port, delay) as port:
                    yield Ground(server, folder, port)
            else:
                yield Ground(server, folder, server.port)
    finally:
        remove(folder)


def _ours(ground: Ground, to: Path, *more: str) -> None:
    words = [
        sys.executable, "-c", START, ground.server.unc("shown"), "--below", str(ground.folder),
        "--to", str(to), "--user", ground.server.user, "--port", str(ground.port), *more,
    ]  # fmt: skip
    subprocess.run(words, check=True, env={**os.environ, PASSWORD_VARIABLE: PASSWORD})


def rclone_account(program: str, server: Samba, port: int) -> dict[str, str]:
    """The environment in which rclone knows a server as `:smb:`."""
    hidden = subprocess.run([program, "obscure", "-"], input=PASSWORD, capture_output=True, text=True, check=True)
    return {
        "RCLONE_SMB_HOST": "127.0.0.1", "RCLONE_SMB_PORT": str(port), "RCLONE_SMB_USER": server.user,
        "RCLONE_SMB_PASS": hidden.stdout.strip(), "RCLONE_CONFIG": os.devnull,
    }  # fmt: skip


def _rclone(program: str, ground: Ground, transfers: int) -> Contestant:
    account = rclone_account(program, ground.server, ground.port)

    def run(to: Path) -> None:
        words = [program, "copy", f":smb:hidden/{VM}/Volume1", str(to), "--transfers", str(transfers)]
        subprocess.run([*words, "--checkers", str(transfers), "-q"], check=True, env={**os.environ, **account})

    return Contestant(f"rclone, {transfers} transfers", run)


def _smbclient(ground: Ground, to: Path) -> None:
    to.mkdir()
    account = to / "account"
    account.write_text(f"username = {ground.server.user}\npassword = {PASSWORD}\n")
    words = [
        "smbclient", "//127.0.0.1/hidden", "-p", str(ground.port), "-A", str(account), "-c",
        f"recurse on; prompt off; cd {VM}\\Volume1; lcd {to}; mget *",
    ]  # fmt: skip
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def far_away(port: int, delay: float) -> Iterator[int]:
    """A port of this machine that leads to `port`, `delay` seconds later in each direction."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, delay), daemon=True).start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int, delay: float) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for source, sink in ((near, far), (far, near)):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            held: queue.Queue[tuple[float, bytes]] = queue.Queue(4096)
            threading.Thread(target=_take, args=(source, held, delay), daemon=True).start()
            threading.Thread(target=_give, args=(sink, held), daemon=True).start()


def _take(source: socket.socket, held: "queue.Queue[tuple[float, bytes]]", delay: float) -> None:
    data = b"."
    while data:
        try:
            data = source.recv(256 << 10)
        except OSError:
            data = b""
        held.put((time.monotonic() + delay, data))


def _give(sink: socket.socket, held: "queue.Queue[tuple[float, bytes]]") -> None:
    with suppress(OSError):
        while True:
            due, data = held.get()
            if not data:
                sink.shutdown(socket.SHUT_RDWR)
                return
            time.sleep(max(0.0, due - time.monotonic()))
            sink.sendall(data)
