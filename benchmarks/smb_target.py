"""Restoring to a share by UNC path, against `rclone` and `smbclient`, which neither checksum nor keep a journal, write
straight under the final name, and set no time (smbclient).

A Samba on this machine serves the share and demands signatures, so client and server share the cores. Every contestant
is timed as a whole process: start-up, logon, walk, copy.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.engine import forget
from benchmarks.measuring import Contestant, mib, side_by_side
from benchmarks.places import Places, available_memory, remove
from benchmarks.restoring import PASSWORD as PASSWORD_VARIABLE
from benchmarks.smb import ONE_WAY, SMALL, far_away, print_rounds, rclone_account
from benchmarks.trees import large_files, small_files
from tests.support.samba import PASSWORD, Samba, samba


def smb_target(places: Places, quick: bool) -> None:
    """Small and large files: signed, and far away."""
    count, size = (2_000, 32 << 20) if quick else (20_000, min(700 << 20, available_memory() // 12))
    folder = places.fast / "smb-target"
    (folder / "out").mkdir(parents=True)
    try:
        with samba({"out": folder / "out"}) as server:
            _measure(server, server.port, folder, "signed", count, size, (4, 16, 32))
            with far_away(server.port, ONE_WAY) as port:
                _measure(server, port, folder, "signed, 5 ms away each way", min(count, 2_000), 0, (16, 32, 64))
    finally:
        remove(folder)


def _measure(
    server: Samba, port: int, folder: Path, title: str, count: int, size: int, transfers: tuple[int, ...]
) -> None:
    tree = folder / "tree"
    total = small_files(tree, count, SMALL)
    rounds = side_by_side(_contestants(server, port, tree, transfers), folder / "out", 3)
    print_rounds(f"to a share: {count:,} small files, {mib(total)}, {title}", rounds, count, "files/s")
    forget(tree)
    if not size:
        return
    total = large_files(tree, 3, size)
    rounds = side_by_side(_contestants(server, port, tree, transfers[:1]), folder / "out", 3)
    print_rounds(f"to a share: 3 files of {mib(size)}, {title}", rounds, total / 1e6, "MB/s")
    forget(tree)


def _contestants(server: Samba, port: int, tree: Path, transfers: tuple[int, ...]) -> list[Contestant]:
    found = [Contestant("orchestrator", lambda to: _ours(server, port, tree, to))]
    program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is not None:
        found += [_rclone(program, server, port, tree, number) for number in transfers]
    if shutil.which("smbclient") and port == server.port:
        found.append(Contestant("smbclient", lambda to: _smbclient(server, tree, to)))
    return found


def _ours(server: Samba, port: int, tree: Path, to: Path) -> None:
    state = tree.with_name(f"state-{to.name}")
    words = [
        sys.executable, "-m", "benchmarks.sending", str(tree), "--to", server.unc("out", to.name),
        "--state", str(state), "--user", server.user, "--port", str(port),
    ]  # fmt: skip
    subprocess.run(words, check=True, env={**os.environ, PASSWORD_VARIABLE: PASSWORD})
    remove(state)


def _rclone(program: str, server: Samba, port: int, tree: Path, transfers: int) -> Contestant:
    account = rclone_account(program, server, port)

    def run(to: Path) -> None:
        words = [program, "copy", str(tree), f":smb:out/{to.name}", "--transfers", str(transfers)]
        subprocess.run([*words, "--checkers", str(transfers), "-q"], check=True, env={**os.environ, **account})

    return Contestant(f"rclone, {transfers} transfers", run)


def _smbclient(server: Samba, tree: Path, to: Path) -> None:
    to.mkdir()
    account = tree.with_name("account")
    account.write_text(f"username = {server.user}\npassword = {PASSWORD}\n")
    words = [
        "smbclient", "//127.0.0.1/out", "-p", str(server.port), "-A", str(account), "-c",
        f"recurse on; prompt off; cd {to.name}; lcd {tree}; mput *",
    ]  # fmt: skip
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
