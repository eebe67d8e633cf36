"""Who this process is, as the system knows it; what the environment says of it can be made up."""

import getpass
import os
import socket
from contextlib import suppress
from pathlib import Path

from orchestrator.core.chain import Writer

if os.name != "nt":
    import pwd

NO_LOGIN = 2**32 - 1
"""What the kernel says of a process that no login has started, such as a service. Source: proc_pid_loginuid(5)."""


def this_process() -> Writer:
    """The account that this process acts as, and, where Linux knows it, who had logged in before any `sudo`."""
    return Writer(_account(), socket.gethostname(), os.getpid(), _login())


def _account() -> str:
    if os.name == "nt":  # pragma: no cover
        return getpass.getuser()
    return _name(os.geteuid())


def _login() -> str:
    with suppress(OSError, ValueError):
        uid = int(Path("/proc/self/loginuid").read_text("ascii"))
        if uid != NO_LOGIN:
            return _name(uid)
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
