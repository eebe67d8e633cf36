"""Sends messages to a syslog receiver, over a local socket, UDP, TCP or TLS.

May touch: one socket, and the certificate files it is given, with blocking calls. Promises: messages go out in the
order in which they come, each whole; a receiver that is away is tried again after a pause, and the message with it; no
call to the system waits for ever. Refuses: `async`, threads, queues, and to know what a message says.
"""

from orchestrator.syslog.post import Post
from orchestrator.syslog.reaching import client_context

__all__ = ["Post", "client_context"]
