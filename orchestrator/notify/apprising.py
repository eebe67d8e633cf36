"""Mail, chats and pagers by Apprise. Its errors become plain words here, without what is secret in an address.

Apprise blocks, and its own `async_notify` uses a thread pool that a service which hangs is never freed from; so its
plain `notify` runs in a thread of the engine, one at a time for each service.
"""

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

from orchestrator.core.announce import Kind
from orchestrator.notify.letters import Letter
from orchestrator.notify.means import InThread, Undelivered
from orchestrator.views import visible

CAUSE_LIMIT = 300
"""Characters of what a service says about a failure."""
_SHORTEST = 3
_SILENCED = ("urllib3", "requests", "requests_oauthlib", "oauthlib")
_TONES = {Kind.STARTED: "info", Kind.FINISHED: "success", Kind.FAILED: "failure", Kind.MOUNTS_LEFT: "failure"}


class Plugin(Protocol):
    """What is used of an Apprise service."""

    def notify(self, *, title: str, body: str, notify_type: str, body_format: str) -> bool:
        """Whether the service took it. Blocks; never raises for a service that refuses, so the log says why."""

    def url(self, *, privacy: bool) -> str:
        """Its address, without secrets when `privacy`."""


class AppriseChannel:
    """One Apprise address."""

    def __init__(self, plugin: Plugin, url: str, in_thread: InThread) -> None:
        self._plugin = plugin
        self._secrets = secrets_in(url, plugin.url(privacy=True))
        self._in_thread = in_thread
        self._busy = False

    async def send(self, letter: Letter) -> None:
        """One call in a thread. While one hangs there is no second: threads cannot be ended from outside."""
        if self._busy:
            raise Undelivered("the last attempt still hangs")
        taken, heard = await self._in_thread(lambda: self._call(letter))
        if not taken:
            raise Undelivered(self._cause(heard))

    def _call(self, letter: Letter) -> tuple[bool, list[logging.LogRecord]]:
        self._busy = True
        try:
            with overhearing() as heard:
                taken = self._plugin.notify(
                    title=letter.title,
                    body=letter.text,
                    notify_type=tone(letter),
                    body_format="text",
                )
            return taken, heard
        except Exception as error:
            # Its services are hundreds, and each may raise what it likes.
            raise Undelivered(self._masked(f"{type(error).__name__}: {error}")) from None
        finally:
            self._busy = False

    def _cause(self, heard: list[logging.LogRecord]) -> str:
        """The warnings, and what the connection said; other debug lines show what was sent."""
        said = [
            re.sub(r"with url: \S+", "", record.getMessage())
            for record in heard
            if record.levelno >= logging.WARNING or record.getMessage().startswith("Socket Exception")
        ]
        return self._masked("; ".join(said[-3:])) or "the service did not take it"

    def _masked(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
        text = visible(text)
        return text if len(text) <= CAUSE_LIMIT else f"{text[:CAUSE_LIMIT]}..."


def tone(letter: Letter) -> str:
    """The colour that chats give a message."""
    one = letter.announcement
    if one.kind is Kind.DRILL and one.exit_code == 0:
        return "success"
    return _TONES.get(one.kind, "warning")


def open_service(url: str, in_thread: InThread) -> AppriseChannel | None:
    """The service at an Apprise address; None when Apprise knows no such service or finds the address wrong."""
    _overhear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # meant for the authors of Apprise, not for operators
        return _instantiated(url, in_thread)


def _instantiated(url: str, in_thread: InThread) -> AppriseChannel | None:
    import apprise  # a third of a second that only those who use it shall pay

    asset = apprise.AppriseAsset(
        app_id="orchestrator",
        app_desc="orchestrator",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        secure_logging=True,
        allow_templates=False,
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    return None if plugin is None else AppriseChannel(cast(Plugin, plugin), url, in_thread)


def secrets_in(url: str, shown: str) -> set[str]:
    """Every piece of an address but its host and mail server, and these too when the service counts them as secret,
    which shows in `shown`, the address without secrets."""
    hosts = {urlsplit(shown).hostname or "", *parse_qs(urlsplit(shown).query).get("smtp", ())}
    _, _, rest = url.partition("://")
    pieces = re.split(r"[/:@?&=,;#\s]+", rest)
    spellings = {spelling for piece in pieces for spelling in (piece, unquote(piece))}
    return {one for one in spellings if len(one) >= _SHORTEST and one.casefold() not in hosts}


class _Overheard(logging.Handler):
    """Keeps what is logged in a thread that listens, and nothing else: Apprise's log goes nowhere."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.ears = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        heard = getattr(self.ears, "heard", None)
        if heard is not None:
            heard.append(record)


_EAR = _Overheard()


def _overhear() -> None:
    """Nothing that Apprise and the libraries below it log reaches a handler of anybody else: it may quote addresses."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if _EAR not in log.handlers:
        log.addHandler(_EAR)
    for name in _SILENCED:
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(logging.NullHandler())


@contextmanager
def overhearing() -> Iterator[list[logging.LogRecord]]:
    """What Apprise logs in this thread while the block lasts."""
    heard: list[logging.LogRecord] = []
    _EAR.ears.heard = heard
    try:
        yield heard
    finally:
        _EAR.ears.heard = None
