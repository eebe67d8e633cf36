"""One connection, shared by threads: who waits for an answer reads from the socket, for himself and for all others.

So no thread is needed that only reads, and an answer that is there already costs no switch between threads.
"""

import errno
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice

from orchestrator.files.smb.conversation import FRAME_LIMIT, Conversation, Exchange
from orchestrator.files.smb.guarding import TAIL
from orchestrator.files.smb.packets import BadAnswer, Request, echo

PROBE_AFTER = 20.0
"""Seconds of silence while something is under way after which the server is asked whether it is there."""
DEAD_AFTER = 60.0
"""Seconds of silence while something is under way after which the connection counts as broken."""
BUFFER = 256 << 10
"""Bytes taken from the socket at once. Longer frames are received into memory of their own."""
SPARE = 32
"""Long frames whose memory is kept for others."""
FRAMES_AT_ONCE = 64
"""Frames that are given to the system in one call."""
_LOOK = 250
"""Milliseconds."""


class ConnectionLost(OSError):
    """The connection broke. What was under way can be asked again on a new one."""

    def __init__(self, cause: str) -> None:
        super().__init__(errno.ENOTCONN, f"the connection to the server broke: {cause}")


class _Own(threading.local):
    waited = 0.0


_own = _Own()


def waited() -> float:
    """Seconds for which the calling thread has waited for answers, of any server, since it began."""
    return _own.waited


def broken_off(error: BaseException | None) -> bool:
    """Whether a connection broke on the way to this error, so that what was written was out of reach."""
    while error is not None and not isinstance(error, ConnectionLost):
        error = error.__cause__ or error.__context__
    return error is not None


class Connection:
    """Every method may be called in many threads at once. All raise ConnectionLost or BadAnswer."""

    def __init__(
        self, sock: socket.socket, conversation: Conversation, dead_after: float = DEAD_AFTER, buffer: int = BUFFER
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._conversation = conversation
        self._dead_after = dead_after
        self._probe_after = min(PROBE_AFTER, dead_after / 2)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._lock = threading.Lock()
        self._receiving = False
        self._asleep: deque[tuple[Exchange, threading.Lock]] = deque()
        self._outbox: deque[memoryview] = deque()
        self._buffer = bytearray(buffer)
        self._begin = self._end = 0
        self._long: bytearray | None = None
        self._spare: list[bytearray] = []
        self._long_end = 0
        self.broken: OSError | None = None

    def ask(self, requests: Sequence[Request]) -> Exchange:
        """Send a chain; its answers are waited for with `wait`."""
        exchange = Exchange(requests)
        self.ask_all((exchange,))
        return exchange

    def ask_all(self, exchanges: Iterable[Exchange]) -> None:
        """Send several chains in one go."""
        with self._lock:
            if self.broken is not None:
                raise self.broken
            try:
                for exchange in exchanges:
                    self._outbox.extend(self._conversation.say(exchange, self._memory))
                self._send()
            except OSError as error:
                self._break(error)
                raise self._lost(error) from error

    def wait(self, exchange: Exchange) -> None:
        """Return when the exchange is settled."""
        while not exchange.done:
            gate: threading.Lock | None = None
            with self._lock:
                if self._receiving:
                    gate = threading.Lock()
                    if not exchange.done:
                        gate.acquire()
                        exchange.wake = gate.release
                        self._asleep.append((exchange, gate))
                else:
                    self._receiving = True
            if gate is not None:
                begun = time.monotonic()
                gate.acquire()  # opened when the answer is there, or when it is this thread's turn to receive
                _own.waited += time.monotonic() - begun
            else:
                self._receive_until(exchange)

    def take_back(self, message: memoryview) -> None:
        """Use the memory of a long answer again, which nobody looks at any more: fresh memory costs more than what is
        done with it. Memory that holds other messages too is left alone."""
        memory = message.obj
        if isinstance(memory, bytearray) and len(self._buffer) // 2 < len(memory) == len(message) + TAIL:
            with self._lock:
                self._keep(memory)

    def _keep(self, memory: bytearray) -> None:
        if len(self._spare) >= SPARE:
            del self._spare[0]  # of a size that is asked for no more
        self._spare.append(memory)

    def _memory(self, size: int) -> bytearray:
        """Memory of `size` bytes, if it is for something long one that was used before."""
        if size > len(self._buffer) // 2:
            for place in reversed(range(len(self._spare))):
                if len(self._spare[place]) == size:
                    return self._spare.pop(place)
        return bytearray(size)

    def close(self) -> None:
        """Break off whatever is under way."""
        with self._lock:
            self._break(OSError(errno.ENOTCONN, "it was closed"))

    def _receive_until(self, exchange: Exchange) -> None:
        heard, probed = time.monotonic(), False
        try:
            while not exchange.done:
                if self._receive():
                    heard, probed = time.monotonic(), False
                    continue
                silence = time.monotonic() - heard
                if silence >= self._dead_after:
                    raise OSError(errno.ETIMEDOUT, f"it has said nothing for {silence:.0f} s")
                if silence >= self._probe_after and not probed:
                    probed = True
                    self._probe()
        except OSError as error:
            with self._lock:
                self._break(error)
                if not exchange.done:  # it was never sent
                    exchange.settle(self.broken)
        finally:
            with self._lock:
                self._receiving = False
                while self._asleep:
                    other, gate = self._asleep.popleft()
                    if not other.done:
                        other.wake = _nobody
                        gate.release()
                        break

    def _receive(self) -> bool:
        """Take what has come, or wait for a moment. Whether something has come."""
        if self._long is not None:
            view = memoryview(self._long)[self._long_end : len(self._long) - TAIL]
        else:
            view = memoryview(self._buffer)[self._end :]
        try:
            count = self._socket.recv_into(view)
        except (BlockingIOError, InterruptedError):
            return self._await()
        if not count:
            raise OSError(errno.ECONNRESET, "the server has closed it")
        with self._lock:
            if self._long is not None:
                self._long_end += count
                if self._long_end == len(self._long) - TAIL:
                    frame, self._long = self._long, None
                    self._conversation.hear(frame, self._long_end, self._memory)
                    if self._conversation.standing.sealing:
                        self._keep(frame)  # what it held has been decrypted into other memory
            else:
                self._end += count
                self._take_frames()
            self._outbox.extend(self._conversation.frames(self._memory))
            self._send()
        return True

    def _await(self) -> bool:
        """Whether the socket can be read now. A full sending buffer is emptied as the server takes it."""
        with self._lock:
            if self.broken is not None:
                raise self.broken
            self._send()
            self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        begun = time.monotonic()
        ready = self._poll.poll(_LOOK)
        _own.waited += time.monotonic() - begun
        return any(event & ~select.POLLOUT for _, event in ready)

    def _take_frames(self) -> None:
        """Hand over every whole frame of the buffer; begin a long one in memory of its own."""
        view = memoryview(self._buffer)
        while self._end - self._begin >= 4:
            length = int.from_bytes(view[self._begin : self._begin + 4], "big")
            if length > FRAME_LIMIT or length < 4:
                raise BadAnswer(f"a frame of {length} bytes")
            first, last = self._begin + 4, self._begin + 4 + length
            if last <= self._end:
                self._begin = last
                self._conversation.hear(bytearray(view[first:last]))
                continue
            if last - self._begin > len(view) // 2:
                size = length + TAIL
                self._long, self._long_end = self._memory(size), self._end - first
                self._long[: self._long_end] = view[first : self._end]
                self._begin = self._end = 0
                return
            break
        kept = self._end - self._begin
        if self._begin == self._end or self._begin > len(view) // 2:
            view[:kept] = view[self._begin : self._end]
            self._begin, self._end = 0, kept

    def _send(self) -> None:
        while self._outbox:
            try:
                count = self._socket.sendmsg(islice(self._outbox, FRAMES_AT_ONCE))
            except (BlockingIOError, InterruptedError):
                return
            while self._outbox and count >= len(self._outbox[0]):
                sent = self._outbox.popleft()
                count -= len(sent)
                if isinstance(sent.obj, bytearray) and len(sent.obj) > len(self._buffer) // 2:
                    self._keep(sent.obj)
            if count:
                self._outbox[0] = self._outbox[0][count:]
                return

    def _probe(self) -> None:
        """Ask a silent server whether it is there; its answer counts as life."""
        with self._lock:
            self._outbox.extend(self._conversation.say(Exchange([echo()])))

    def _break(self, error: OSError) -> None:
        if self.broken is None:
            self.broken = self._lost(error)
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._conversation.break_off(self.broken)

    def _lost(self, error: OSError) -> OSError:
        if isinstance(error, BadAnswer | ConnectionLost):
            return error
        return ConnectionLost(error.strerror or str(error))


def _nobody() -> None:
    """Nobody waits any more."""
