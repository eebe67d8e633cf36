"""Manners towards a service manager: systemd is told when a stop takes longer than usual.

Source: sd_notify(3), the datagram protocol behind $NOTIFY_SOCKET.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.core.events import Event, MountDeleted, MountLeft, RunEnded, RunStarted, Stopping

EXTEND_SECONDS = 120
"""Asked for anew at every sign of life, so a stop that hangs still ends by the manager's clock."""


def service_notifier(environment: Mapping[str, str] = os.environ) -> Callable[[Event], None] | None:
    """What takes events and tells systemd; None when nobody listens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return None
    stopping = False

    def take(event: Event) -> None:
        nonlocal stopping
        match event:
            case RunStarted(job=job):
                _send(address, f"READY=1\nSTATUS=restoring {job}")
            case Stopping(how=how):
                stopping = True
                _send(address, f"STOPPING=1\nSTATUS=stopping ({how})\nEXTEND_TIMEOUT_USEC={EXTEND_SECONDS * 1_000_000}")
            case MountDeleted() | MountLeft() if stopping:
                _send(address, f"EXTEND_TIMEOUT_USEC={EXTEND_SECONDS * 1_000_000}")
            case RunEnded(exit_code=code):
                _send(address, f"STATUS=ended with exit code {code}")
            case _:
                pass

    return take


def _send(address: str, message: str) -> None:
    """One datagram; a manager that does not listen changes nothing."""
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
        notify.sendto(message.encode("utf-8", "replace"), address)
