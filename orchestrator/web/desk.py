"""Answers what is asked by the control socket. Loaded when somebody asks: it brings a web server with it."""

import json
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.limiting import LimitWish
from orchestrator.core.words import explain, listed
from orchestrator.views import limits_values, visible
from orchestrator.web.guards import Refused, peer_of
from orchestrator.web.ports import Controls, Say

LARGEST = 64 << 10
"""Bytes of one question."""


class Desk:
    """Answers every question. A mistake of ours is told once and answered with 500; it ends nothing."""

    def __init__(self, controls: Controls, tell: Say) -> None:
        self._controls = controls
        self._tell = tell
        self._told = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises nothing but what a cancel raises."""
        try:
            return _json(await self._answer(request))
        except Refused as refused:
            return _json({"error": refused.what}, refused.status)
        except OrchestratorError as error:
            return _json({"error": str(error)}, 409)
        except Exception as bug:
            if not self._told:
                self._told = True
                self._tell(f"the control socket failed: {bug!r}; the runs are not touched by it")
            return _json({"error": "this failed through an error in orchestrator itself"}, 500)

    async def _answer(self, request: web.BaseRequest) -> dict[str, Any]:
        who = peer_of(request).name
        match request.method, *request.path.strip("/").split("/"):
            case "GET", "limits":
                return limits_values(self._controls.in_force())
            case "POST", "limits":
                return limits_values(self._controls.change(await _wish(request), who))
            case "POST", "runs", run, ("pause" | "unpause") as what:
                return {"changed": self._controls.pause(run, what == "pause", who)}
            case _:
                raise Refused(404, "ask GET /limits, POST /limits, POST /runs/RUN/pause or POST /runs/RUN/unpause")


async def _wish(request: web.BaseRequest) -> LimitWish:
    if request.content_length is None or request.content_length > LARGEST:
        raise Refused(413, f"a question has a length, of at most {LARGEST} bytes")
    try:
        table = json.loads(await request.read())
    except ValueError as cause:
        raise Refused(400, f"this is no JSON: {visible(str(cause))}") from cause
    if not isinstance(table, dict):
        raise Refused(400, "this is no JSON object")
    try:
        return LimitWish.model_validate(table)
    except ValidationError as cause:
        raise Refused(400, listed(explain(cause, LimitWish))) from cause


def _json(answer: dict[str, Any], status: int = 200) -> web.Response:
    response = web.Response(text=json.dumps(answer) + "\n", status=status, content_type="application/json")
    response.force_close()
    return response
