"""Files of a mount through Enterprise Manager itself: folders page by page, files by download.

Sources: pages "GET .../mounts/{ID}/{filepath}", "POST .../mounts/{ID}/{filepath}?action=restore" and the twins for
replicas and agents, "Downloading Files to Local Machine".
"""

from collections.abc import Awaitable, Callable

from orchestrator.core.catalog import BrowsedPage, Task
from orchestrator.core.errors import AnswerUnreadable, OutcomeUnknown
from orchestrator.core.originals import InPlace
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.mounts import Ask, MountCalls
from orchestrator.enterprise_manager.streams import Incoming
from orchestrator.enterprise_manager.translate import no_file, refusal
from orchestrator.enterprise_manager.wire import browsing, records, requests
from orchestrator.enterprise_manager.wire.exchange import Request
from orchestrator.enterprise_manager.wire.links import Base

Fetch = Callable[[Request, int], Awaitable[Incoming]]
"""Sends under the session of that generation, and leaves the answer's body to be read; SessionEnded as Ask."""


class FileCalls(MountCalls):
    """The calls on files of a mount; like those on mounts they belong to one session."""

    def __init__(self, ask: Ask, fetch: Fetch, base: Base, mask: Mask) -> None:
        super().__init__(ask, base, mask)
        self._fetch = fetch

    async def page(self, href: str, name: str, generation: int) -> BrowsedPage:
        """One page of a folder; NotFound when it is not there. `name` is what messages call it."""
        request = requests.folder(href, name)
        reply = await self._ask(request, generation)
        return self._read(lambda root: browsing.browsed(root, self._base, href), reply, request)

    async def stage(self, href: str, name: str, generation: int) -> Task:
        """Have EM make a file ready for a download: the task that does it."""
        request = requests.stage(href, name)
        reply = await self._ask(request, generation)
        return self._read(lambda root: records.task(root, self._base), reply, request)

    async def restore_in_place(self, href: str, name: str, how: InPlace, generation: int) -> Task:
        """Have EM restore a file or folder to where it was, asked exactly once: the task that does it.

        OutcomeUnknown when EM may have begun; every other EmError says that it has not.
        """
        self._mask.learn(how.password)
        request = requests.restore_in_place(href, name, how)
        reply = await self._ask(request, generation)
        try:
            return self._read(lambda root: records.task(root, self._base), reply, request)
        except AnswerUnreadable as cause:
            said = f"the answer cannot be read: {cause.facts['cause']}"
            raise OutcomeUnknown(what=request.what, cause=said) from cause

    async def fetch(self, href: str, name: str, generation: int) -> Incoming:
        """A file that is ready, to be read and closed. By GET, and where that is not supported by POST."""
        request = requests.download(href, name)
        incoming = await self._fetch(request, generation)
        if incoming.status == 405:
            incoming.close()
            request = requests.download(href, name, "POST")
            incoming = await self._fetch(request, generation)
        if 200 <= incoming.status < 300 and not incoming.is_document:
            return incoming
        reply = await incoming.as_reply()
        raise refusal(reply, request, self._mask) or no_file(reply, request, self._mask)
