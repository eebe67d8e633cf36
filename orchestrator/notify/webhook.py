"""Our own webhook: a signed CloudEvent for programs.

Sources: CloudEvents 1.0.2, JSON format and HTTP binding (structured mode); RFC 2104 (HMAC).
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from orchestrator.notify.http import Place, exchange
from orchestrator.notify.letters import Letter

SIGNATURE = "X-Orchestrator-Signature"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def sign(secret: str, at: int, body: bytes) -> str:
    """`t=<at>,v1=<hex>`: an HMAC-SHA256 over `<at>.<body>`, so that neither can be changed, nor an old one sent again
    without being seen to be old. `at` is seconds since 1970."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def cloud_event(letter: Letter, host: str) -> dict[str, Any]:
    """The letter as a CloudEvent. `type` is `orchestrator.` and the kind; `source` names the machine that tells."""
    values = letter.values
    subject = letter.announcement.run or letter.announcement.job
    return {
        "specversion": "1.0",
        "id": letter.id,
        "source": f"/orchestrator/{quote(host, safe='')}",
        "type": f"orchestrator.{letter.announcement.kind.value}",
        **({"subject": values["run"] or values["job"]} if subject else {}),
        "time": values["at"],
        "datacontenttype": "application/json",
        "data": values,
    }


class Webhook:
    """Posts CloudEvents to one address."""

    def __init__(self, where: Place, secret: str, host: str, clock: Callable[[], datetime]) -> None:
        self._where = where
        self._secret = secret
        self._host = host
        self._clock = clock

    async def send(self, letter: Letter) -> None:
        """One POST, signed anew at each attempt: a signature that is too old is refused by who checks its time."""
        body = json.dumps(cloud_event(letter, self._host)).encode("ascii")
        now = self._clock()
        headers = {"Content-Type": CONTENT_TYPE, SIGNATURE: sign(self._secret, int(now.timestamp()), body)}
        await exchange("POST", self._where, now, body=body, headers=headers)
