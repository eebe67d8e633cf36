"""What an operator does on the page: allowed, told, done."""

import re
from typing import Any

from aiohttp.web import BaseRequest

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Notice, OperatorActed
from orchestrator.web.feed import Picture
from orchestrator.web.guards import Doorkeeper, Peer, Refused, check_same_site
from orchestrator.web.ports import Actions, Sources

_ALL = {"/api/pause": "pause", "/api/resume": "resume", "/api/sweep": "sweep"}
_ONE = re.compile(r"/api/runs/([^/]+)/(drain|cancel)")


def action_of(path: str) -> tuple[str, str] | None:
    """(what, run) that a path asks for; the run is empty when it is for everything."""
    if path in _ALL:
        return _ALL[path], ""
    found = _ONE.fullmatch(path)
    return (found[2], found[1]) if found else None


class Operators:
    """Does what operators ask for, and tells of it before it does."""

    def __init__(self, sources: Sources, picture: Picture, token: str) -> None:
        self._sources = sources
        self._picture = picture
        self._doorkeeper = Doorkeeper(token)

    async def act(self, request: BaseRequest, peer: Peer, what: str, run: str) -> dict[str, Any]:
        """The answer, for JSON. Refused with plain words."""
        actions = self._sources.actions
        if actions is None:
            raise Refused(404, "This orchestrator takes no orders here.")
        check_same_site(request)
        now = self._sources.clock()
        try:
            self._doorkeeper.check(request, peer, now)
        except Refused as refused:
            if refused.status == 401 and "Authorization" in request.headers:
                self._sources.tell(Notice(now, f"a wrong token came from {peer.name}, for {what} on the status page"))
            raise
        if run and not any(one.run == run for one in self._picture.now().runs):
            raise Refused(404, f"No run {run} is going on.")
        self._sources.tell(OperatorActed(now, peer.name, what, run))
        try:
            return {"message": await _done(actions, what, run)}
        except OrchestratorError as error:
            raise Refused(500, str(error)) from error


async def _done(actions: Actions, what: str, run: str) -> str:
    match what:
        case "pause":
            await actions.pause(True)
            return "Paused: nothing new begins. What is mounted goes on to its end."
        case "resume":
            await actions.pause(False)
            return "It goes on."
        case "sweep":
            return await actions.sweep()
        case _:
            if not await actions.stop_run(run, what == "cancel"):
                raise Refused(409, f"The run {run} has just ended.")
            how = "Files in flight are given up" if what == "cancel" else "Files in flight are finished"
            return f"{run} is being stopped. {how}, its mounts are deleted; `orchestrator resume {run}` continues it."
