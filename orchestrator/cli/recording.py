"""What a command leaves for others to read: its entries in the audit trail, lines in a log file, syslog messages.

Each is written on a thread of its own. None of them holds a run up, and none but a required audit trail keeps a run
from beginning or stops it.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import orchestrator
from orchestrator.app import Listen
from orchestrator.audit import Trail, this_process
from orchestrator.cli.aside import LOSSLESS, Aside
from orchestrator.cli.entering import Clerk, gap
from orchestrator.cli.logs import file_log
from orchestrator.cli.speaking import Globals, tell
from orchestrator.config import Config, audit_folder, read_audit_key
from orchestrator.core.audit import AuditEntry, What, audit_entry, plain
from orchestrator.core.errors import AuditUnusable, ExitCode, OrchestratorError, worst
from orchestrator.core.events import Event, Notice
from orchestrator.opening import now
from orchestrator.views import visible
from orchestrator.views.units import count

FIRST_WITHIN = 15.0
"""Seconds in which the trail must take its first entry; longer than another process is waited for."""

HANGS_AFTER = 30.0
"""Seconds in which a required trail must have taken any other."""


class Recording:
    """Open while a command works. `take` takes its events, on the event loop, and never blocks."""

    def __init__(
        self, options: Globals, config: Config, command: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """ConfigInvalid when the key of the trail is not where the config says."""
        self._clock = clock
        self._options = options
        self._config = config
        self._command = command
        self._required = config.audit.required
        self._clerk = Clerk(_trail(config), self._told)
        self._takers: list[Listen] = []
        self._notices: deque[str] = deque()
        self._listen: Listen | None = None
        self._handed = self._seen = 0
        self._seen_at = 0.0
        self._stop_asked = False
        self._tried = threading.Event()

    def __enter__(self) -> Self:
        """Writes the first entry. AuditUnusable when the trail is required and cannot be written; WordsError for a log
        file, and ConfigInvalid for a certificate, that cannot be used."""
        with ExitStack() as stack:
            trail = Aside(self._enter, "audit trail", gap=gap, patience=LOSSLESS, close=self._clerk.flush)
            self._audit = stack.enter_context(trail)
            self._enter_first()
            if (log := file_log(self._options, self._config.log, self._told)) is not None:
                self._takers.append(stack.enter_context(log).add)
            if address := self._config.syslog.address:
                from orchestrator.cli.sending import sending  # few have a receiver

                self._takers.append(stack.enter_context(sending(self._config.syslog, address, self._told)).add)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits until all is written, but not for ever."""
        self._stack.__exit__(kind, error, trace)
        self._last_words()

    def _enter_first(self) -> None:
        self._hand(command_started(self._command))
        if self._tried.wait(FIRST_WITHIN):
            failure = self._clerk.failure
        else:
            cause = f"it took nothing for {FIRST_WITHIN:g} s; does its disk hang?"
            failure = AuditUnusable(folder=audit_folder(self._config), cause=cause)
            self._told(str(failure))
        if failure is not None and self._required:
            raise failure

    def _hand(self, entry: AuditEntry) -> None:
        self._handed += 1
        self._audit.add(entry)

    def _enter(self, entry: AuditEntry) -> None:
        self._clerk.enter(entry)
        self._tried.set()

    def speak_through(self, listen: Listen) -> None:
        """Let notices of what cannot be written reach everyone who listens."""
        self._listen = listen

    def take(self, event: Event) -> None:
        """Take one event."""
        while self._listen is not None and self._notices:
            self._listen(Notice(now(), self._notices.popleft()))
        entry = audit_entry(event)
        if entry is not None:
            self._hand(entry)
        for taker in self._takers:
            taker(event)

    def must_stop(self) -> bool:
        """Whether work must end because a required trail cannot be written, or takes nothing; True once. Any thread."""
        if not self._required or self._stop_asked:
            return False
        self._stop_asked = self._clerk.failure is not None or self._hangs(self._clock())
        return self._stop_asked

    def settle(self, code: ExitCode) -> ExitCode:
        """`code`, or a worse one when a required trail is not whole. Asked after the end."""
        return worst(code, ExitCode.STATE) if self._required and self._unwritten else code

    @property
    def _unwritten(self) -> int:
        return self._handed - self._clerk.written

    def _hangs(self, at: float) -> bool:
        """Whether the clerk has had something to do for long and has not got on."""
        entered = self._clerk.entered
        if entered != self._seen or entered >= self._handed:
            self._seen, self._seen_at = entered, at
        return at - self._seen_at > HANGS_AFTER

    def _told(self, text: str) -> None:
        self._notices.append(text)
        if self._options.quiet:  # nobody shows the notice
            tell(visible(text))

    def _last_words(self) -> None:
        """What could no longer be said as an event."""
        while self._notices and not self._options.quiet:
            tell(visible(self._notices.popleft()))
        if self._unwritten:
            cause = f": {self._clerk.failure}" if self._clerk.failure is not None else ""
            tell(visible(f"{count(self._unwritten, 'entry', 'entries')} missing in the audit trail{cause}"))


def enter_command(config: Config, command: str) -> None:
    """Enter a command that asks a running orchestrator for something. It was asked by then: a trail that cannot be
    written is told of and is no error."""
    try:
        Clerk(_trail(config), lambda text: tell(visible(text))).enter(command_started(command))
    except OrchestratorError as error:
        tell(visible(f"not in the audit trail: {error}"))


def command_started(command: str) -> AuditEntry:
    """The entry for a command of this process, with its words as they were typed."""
    words = [plain(word) for word in sys.argv[1:]]
    return AuditEntry(
        now(), What.COMMAND_STARTED, {"command": command, "version": orchestrator.__version__, "words": words}
    )


def _trail(config: Config) -> Trail:
    return Trail(audit_folder(config), this_process(), read_audit_key(config.audit), config.audit.file_mib << 20)
