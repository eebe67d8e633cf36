"""One chain of requests, its answer waited for, and refusals as errors."""

from orchestrator.files.smb.conversation import Answer
from orchestrator.files.smb.packets import Request
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import OK, StatusError


def asked(live: Live, *requests: Request) -> Answer:
    """The answer to the first of a chain of requests, waited for."""
    exchange = live.connection.ask(requests)
    live.connection.wait(exchange)
    return exchange.answer(0)


def granted(answer: Answer, name: str) -> Answer:
    """`answer`, if the server has done what it was asked for; StatusError if not."""
    if answer.status != OK:
        raise StatusError(answer.status, name)
    return answer
