"""One logged-on connection without its socket: what is to be sent, what is under way, what has come.

A chain of requests goes out as one frame, in which each refers to the file that the first has opened. It goes when
the credits that the server has granted pay for it, and waits in line until then. Source: MS-SMB2 3.2.4.1 and 3.2.5.1.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.files.smb.guarding import Memory, Sealing, Sign, prove
from orchestrator.files.smb.packets import (
    CREDIT_BYTES,
    FLAG_ANSWER,
    FLAG_RELATED,
    FLAG_SIGNED,
    HEADER,
    HEADER_SIZE,
    PLAIN,
    SIGNATURE,
    BadAnswer,
    Request,
)
from orchestrator.files.smb.status import PENDING, SESSION_GONE, StatusError

CREDITS_WANTED = 4096
"""Asked for until the server has granted as many: 256 MiB of reads under way at the most."""
CREDITS_MORE = 16
LENGTH = 4
"""Bytes before each frame that tell how long it is."""
FRAME_LIMIT = 0x00FFFFFF
"""The longest frame that the transport can announce, in bytes."""

_UNASKED = 0xFFFFFFFFFFFFFFFF
_PROCESS = 0xFEFF


@dataclass(frozen=True, slots=True)
class Standing:
    """What logging on has settled. Sizes in bytes; exactly one of `sign` and `sealing` is there."""

    session: int
    tree: int
    next_message: int
    credits: int
    largest_read: int
    largest_query: int
    server: bytes
    sign: Sign | None
    sealing: Sealing | None
    largest_write: int = CREDIT_BYTES
    namespace: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer to one request: its status, and the message from its header on."""

    status: int
    message: memoryview


class Exchange:
    """A chain of requests and what came of it. `done` when every request has its answer, or `error` is set."""

    __slots__ = ("answers", "done", "error", "left", "requests", "wake")

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.answers: list[Answer | None] = [None] * len(requests)
        self.left = len(requests)
        self.done = False
        self.error: OSError | None = None
        self.wake = _nobody

    def answer(self, place: int) -> Answer:
        """The answer to one request of the chain. OSError when the connection broke before it came."""
        if self.error is not None:
            raise self.error
        found = self.answers[place]
        if found is None:
            raise BadAnswer("one request of several was left without an answer")
        return found

    def settle(self, error: OSError | None = None) -> None:
        self.error, self.done = error, True
        self.wake()


def _nobody() -> None:
    """Nobody waits."""


class Conversation:
    """The state of one connection. Not for several threads at once."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self._next = standing.next_message
        self._credits = standing.credits
        self._spent = 0
        self._waiting: deque[Exchange] = deque()
        self._under_way: dict[int, tuple[Exchange, int]] = {}
        self._plain = bytearray()

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet."""
        return len(self._under_way)

    def say(self, exchange: Exchange, memory: Memory = bytearray) -> list[memoryview]:
        """Put a chain in line; the frames that may go now."""
        self._waiting.append(exchange)
        return self.frames(memory)

    def frames(self, memory: Memory = bytearray) -> list[memoryview]:
        """The frames of the chains that the credits pay for, in the order in which they were said, each in what
        `memory` gives. BadAnswer when the server grants too little for a chain that nothing stands before."""
        out = []
        while self._waiting:
            price = sum(request.charge for request in self._waiting[0].requests)
            if price > self._credits:
                if not self._under_way:
                    raise BadAnswer(f"the server grants {self._credits} credits where {price} are needed")
                break
            out.append(self._frame(self._waiting.popleft(), memory))
        return out

    def _frame(self, exchange: Exchange, memory: Memory) -> memoryview:
        """The chain as it goes out. What is written is copied once, to where it is signed and sent from."""
        standing, requests = self.standing, exchange.requests
        ends = [HEADER_SIZE + len(one.body) + len(one.content) for one in requests]
        sizes = [*(end + -end % 8 for end in ends[:-1]), ends[-1]]
        room = 0 if standing.sealing else LENGTH
        frame = self._scratch(sum(sizes)) if standing.sealing else memory(LENGTH + sum(sizes))
        view, at, last = memoryview(frame), room, len(requests) - 1
        for place, (command, body, charge, content) in enumerate(requests):
            size = sizes[place]
            flags = (FLAG_RELATED if place else 0) | (FLAG_SIGNED if standing.sign else 0)
            wanted = charge + (CREDITS_MORE if self._credits + self._spent < CREDITS_WANTED else 0)
            HEADER.pack_into(
                frame, at, PLAIN, 64, charge, 0, command, wanted, flags, 0 if place == last else size,
                self._next, _PROCESS, standing.tree, standing.session, bytes(16),
            )  # fmt: skip
            after = at + HEADER_SIZE + len(body)
            view[at + HEADER_SIZE : after] = body
            view[after : at + ends[place]] = content
            view[at + ends[place] : at + size] = bytes(size - ends[place])
            if standing.sign:
                message = view[at : at + size]
                message[SIGNATURE] = standing.sign(message, self._next, False)
            at += size
            self._under_way[self._next] = (exchange, place)
            self._next += charge
            self._credits -= charge
            self._spent += charge
        if standing.sealing:
            view = standing.sealing.seal(view, memory, LENGTH)
        view[:LENGTH] = (len(view) - LENGTH).to_bytes(LENGTH, "big")
        return view

    def _scratch(self, size: int) -> bytearray:
        """Memory for what is to be encrypted, free again as soon as it is."""
        if len(self._plain) != size:
            self._plain = bytearray(size)
        return self._plain

    def hear(self, frame: bytearray, length: int | None = None, memory: Memory = bytearray) -> None:
        """Take in one frame, the first `length` bytes of `frame` or all of it, decrypted into what `memory` gives.
        BadAnswer for one that is not what a server may send."""
        length = len(frame) if length is None else length
        sealing = self.standing.sealing
        view = sealing.unseal(frame, length, memory) if sealing else memoryview(frame)[:length]
        while True:
            if len(view) < HEADER_SIZE or view[:4] != PLAIN:
                raise BadAnswer("a message has no SMB2 header")
            after = int.from_bytes(view[20:24], "little")
            if after and not HEADER_SIZE <= after <= len(view) - HEADER_SIZE:
                raise BadAnswer(f"the next message is told to be at {after} of {len(view)}")
            self._message(view[:after] if after else view)
            if not after:
                return
            view = view[after:]

    def _message(self, message: memoryview) -> None:
        _, size, _, status, command, credits, flags, _, number, _, _, _, _ = HEADER.unpack_from(message)
        if size != HEADER_SIZE or not flags & FLAG_ANSWER:
            raise BadAnswer("a message is no answer")
        if number == _UNASKED:
            return  # a broken oplock, which nobody here has asked for
        # An interim answer is not signed (3.2.5.1.3); all that it can do is to make us wait.
        if self.standing.sign and status != PENDING:
            prove(self.standing.sign, message, number)
        self._credits += credits
        if status == PENDING:
            return
        if status in SESSION_GONE:
            # Every answer from now on would be the same; a new connection logs on anew.
            raise StatusError(status, "")
        exchange, place = self._under_way.pop(number, (None, 0))
        if exchange is None or exchange.requests[place].command != command:
            raise BadAnswer("it answers what was not asked")
        self._spent -= exchange.requests[place].charge
        exchange.answers[place] = Answer(status, message)
        exchange.left -= 1
        if not exchange.left:
            exchange.settle()

    def break_off(self, error: OSError) -> None:
        """Settle everything that is in line or under way with `error`."""
        left = dict.fromkeys(exchange for exchange, _ in self._under_way.values())
        left.update(dict.fromkeys(self._waiting))
        self._under_way.clear()
        self._waiting.clear()
        for exchange in left:
            exchange.settle(error)
