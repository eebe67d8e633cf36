"""Events to a syslog receiver."""

import os
import socket
import time
from collections.abc import Callable
from typing import get_args

from orchestrator.cli.aside import Aside, Patience
from orchestrator.cli.masking import mask
from orchestrator.cli.missing import events_lost
from orchestrator.core.events import Event
from orchestrator.core.levels import Level
from orchestrator.core.receiver import Receiver, Transport, parse_receiver
from orchestrator.records import SyslogSettings
from orchestrator.syslog import Post, client_context
from orchestrator.views import LogLines, event_name
from orchestrator.views.syslog import Sender, framed, syslog_message

WAITING = Patience(items=10_000, seconds=3.0)
"""Messages that wait for a receiver that is away, and how long the end of a command waits for it."""


def sending(settings: SyslogSettings, address: str, told: Callable[[str], None]) -> Aside[Event]:
    """What sends events to the receiver at `address`. `told` hears when it is away, and when it is back.

    ConfigInvalid for a certificate file that cannot be used.
    """
    receiver = parse_receiver(address)
    secured = receiver.transport is Transport.TLS
    context = client_context(settings.ca_file, settings.cert_file, settings.key_file) if secured else None
    post = Post(receiver, context, lambda cause: told(_words(receiver, cause)), time.sleep)
    make = _maker(settings, receiver)

    def take(event: Event) -> None:
        message = make(event)
        if message is not None:
            post.send(framed(message) if receiver.transport.framed else message)

    return Aside(take, f"syslog {receiver}", gap=events_lost, patience=WAITING, close=post.close)


def _maker(settings: SyslogSettings, receiver: Receiver) -> Callable[[Event], bytes | None]:
    """An event as a message, or None when it is below the level."""
    sender = Sender(settings.facility, settings.app_name, socket.gethostname(), os.getpid())
    levels: tuple[Level, ...] = get_args(Level)
    least = levels.index(settings.level)
    limit = settings.max_bytes or receiver.limit
    lines = LogLines()

    def make(event: Event) -> bytes | None:
        level, text, values = lines.line(event)
        if levels.index(level) < least:
            return None
        plain = {name: mask(value) if isinstance(value, str) else value for name, value in values.items()}
        return syslog_message(sender, level, event.at, event_name(event), mask(text), plain, limit)

    return make


def _words(receiver: Receiver, cause: str | None) -> str:
    if cause is None:
        return f"syslog receiver {receiver} is reached again"
    return f"syslog receiver {receiver} cannot be reached: {cause}; messages wait for it, at most {WAITING.items:,}"
