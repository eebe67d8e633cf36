"""From an announcement to the words that go out: the operator's template, or the built-in text."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anyio import fail_after

from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.events import Notice
from orchestrator.notify.means import Means
from orchestrator.views import visible
from orchestrator.views.announcement import announcement_values

if TYPE_CHECKING:
    from jinja2 import Template

RENDER_WITHIN = 5.0
"""Seconds that a template may take; one that loops for ever is not used again."""
TEXT_LIMIT = 32_768
"""Characters of a text that a template makes; no service takes more."""
VARIABLES = frozenset(announcement_values(Announcement(Kind.FINISHED, datetime.fromtimestamp(0, UTC))))
"""The names that a template may use."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes out on one channel. `id` stays the same however often it is sent; `values` are those of the view."""

    id: str
    announcement: Announcement
    title: str
    text: str
    values: dict[str, Any]


class Writer:
    """Writes the letters of one channel. `folder_of` says where the files of a run are, `host` who is writing."""

    def __init__(
        self, channel: str, template: "Template | None", folder_of: Callable[[str], str], host: str, means: Means
    ) -> None:
        self._channel = channel
        self._template = template
        self._folder_of = folder_of
        self._host = host
        self._means = means

    async def write(self, id_: str, announcement: Announcement) -> Letter:
        """A letter in any case: a template that fails is told of, and the built-in text goes out."""
        folder = self._folder_of(announcement.run) if announcement.run else ""
        values = announcement_values(announcement, folder, self._host)
        title, text = values["title"], values["text"]
        if self._template is not None:
            title, text = await self._rendered(self._template, values) or (title, text)
        return Letter(id_, announcement, title, text, {**values, "title": title, "text": text})

    async def _rendered(self, template: "Template", values: dict[str, Any]) -> tuple[str, str] | None:
        try:
            with fail_after(RENDER_WITHIN):
                made = await self._means.in_thread(lambda: template.render(values))
        except TimeoutError:
            self._template = None  # its thread goes on; there shall not be a second one
            self._tell(f"took longer than {RENDER_WITHIN:g} s and is not used any more")
            return None
        except Exception as cause:
            # Whatever an operator's template may raise: the message matters more than its dress.
            self._tell(f"failed: {visible(str(cause)) or type(cause).__name__}")
            return None
        title, _, text = made.strip().partition("\n")
        if not title:
            return None
        return visible(title.strip()), text.strip()[:TEXT_LIMIT] or visible(title.strip())

    def _tell(self, what: str) -> None:
        text = f"notifications: the template of {self._channel} {what}; the built-in text is sent instead"
        self._means.emit(Notice(self._means.clock(), text))
