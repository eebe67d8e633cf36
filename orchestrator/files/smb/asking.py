"""Chains of requests, their answers waited for, and refusals as errors."""

from contextlib import suppress

from orchestrator.files.smb.conversation import Answer, Exchange
from orchestrator.files.smb.packets import SAME_FILE, Command, Request, close, created, handle_of
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import OK, StatusError


def asked(live: Live, *requests: Request) -> Answer:
    """The answer to the first of a chain of requests, waited for."""
    return chain(live, *requests)[0]


def chain(live: Live, *requests: Request) -> list[Answer]:
    """The answers to a chain of requests, waited for. OSError when the connection broke."""
    return settled(live, live.connection.ask(requests))


def settled(live: Live, exchange: Exchange) -> list[Answer]:
    """The answers to a chain that is under way, waited for. Where it ends with closing a file, the file is closed:
    servers let a request fail with the one before it (MS-SMB2 3.3.5.2.7.2), closing too, and it would stay open as long
    as the connection, and keep others from it. OSError when the connection broke."""
    live.connection.wait(exchange)
    requests = exchange.requests
    answers = [exchange.answer(place) for place in range(len(requests))]
    if requests[-1].command is Command.CLOSE and answers[-1].status != OK and len(answers) > 1:
        handle = handle_of(requests[-1])
        if handle == SAME_FILE and requests[0].command is Command.CREATE and answers[0].status == OK:
            handle = created(answers[0].message).handle
        if handle != SAME_FILE:
            with suppress(OSError):
                live.connection.ask([close(handle)])
    return answers


def granted(answer: Answer, name: str) -> Answer:
    """`answer`, if the server has done what it was asked for; StatusError if not."""
    if answer.status != OK:
        raise StatusError(answer.status, name)
    return answer
