"""The status page: what is going on, for a browser, a wall screen, a monitor, and operators who may act. And the
control socket, by which the account of orchestrator changes limits and pauses runs.

May touch: the aiohttp server, its own sockets and their files, the certificate and the token, the clock it is given.
Promises: it only shows snapshots, so that nothing a browser does can hold a run up; read-only unless somebody proves by
a token over TLS, or by the account over the local socket, that they may do more, and each such act is told as an event;
a client that is slow, hostile or gone costs a bounded amount. Refuses: engine and journal, tasks and threads of its own
beyond what the server does itself, requests to anywhere else, and a token in the clear. `server`, the page with its
templates, and `listeners`, where it is asked for, are loaded by who shows it.
"""

from orchestrator.web.control import CONTROL, ControlSocket, controlled, open_control
from orchestrator.web.ports import Actions, Controls, Sources
from orchestrator.web.sockets import reachable

__all__ = [
    "CONTROL",
    "Actions",
    "ControlSocket",
    "Controls",
    "Sources",
    "controlled",
    "open_control",
    "reachable",
]
