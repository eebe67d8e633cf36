"""Mounts: listed, made, browsed, deleted, each under the one session that they live in.

Sources: pages "VmRestorePointMount", "POST /vmRestorePoints/{ID}/mounts", "Task", "FileSystemEntries" and the twins
for replicas and agents.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from orchestrator.core.catalog import GuestOs, Listed, Listing, Mount, MountRoot, RestorePoint, Task
from orchestrator.core.errors import AnswerUnreadable, MountNotOffered, OutcomeUnknown
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.translate import read, refusal
from orchestrator.enterprise_manager.wire import records, requests
from orchestrator.enterprise_manager.wire.document import Element, Unreadable, local, plain
from orchestrator.enterprise_manager.wire.exchange import Reply, Request
from orchestrator.enterprise_manager.wire.links import Base
from orchestrator.enterprise_manager.wire.paging import Pages, paging

Record = TypeVar("Record")
Ask = Callable[[Request, int], Awaitable[Reply]]
"""Sends under the session of that generation; SessionEnded when it is not the live one, or EM answers 401."""


class MountCalls:
    """The calls that belong to one session. None is ever repeated under another: a mount of the old session is gone,
    and an id of the new one may mean something else."""

    def __init__(self, ask: Ask, base: Base, mask: Mask) -> None:
        self._ask = ask
        self._base = base
        self._mask = mask

    async def existing(self, point: RestorePoint, generation: int) -> frozenset[str]:
        """The hrefs of the point's mounts in this session; empty when EM answers 404."""
        request = requests.mounts_of(point)
        if not request.target:
            raise MountNotOffered(vm=point.vm)
        reply = await self._ask(request, generation)
        if reply.status == 404:
            return frozenset()
        return self._read(lambda root: records.mount_hrefs(root, self._base), reply, request)

    async def request(self, point: RestorePoint, os: GuestOs | None, generation: int) -> Task:
        """POST one mount, exactly once.

        OutcomeUnknown when EM may have acted: no answer, 5xx but 501, 408, 3xx, or a 2xx that cannot be read.
        EmUnreachable when nothing was sent. Forbidden, NotFound, EmFault, EmBusy (429) and SessionEnded when EM
        refused. MountNotOffered when the point has no link to make a mount.
        """
        if not point.create_href:
            raise MountNotOffered(vm=point.vm)
        request = requests.make_mount(point, os)
        reply = await self._ask(request, generation)
        try:
            return self._read(lambda root: records.task(root, self._base), reply, request)
        except AnswerUnreadable as cause:
            raise OutcomeUnknown(
                what=request.what, cause=f"the answer cannot be read: {cause.facts['cause']}"
            ) from cause

    async def task(self, href: str, generation: int) -> Task:
        """The task now, under the href it was asked by; NotFound when EM no longer has it."""
        request = requests.task(href)
        reply = await self._ask(request, generation)
        return self._read(lambda root: records.task(root, self._base, href), reply, request)

    async def tasks(self, generation: int) -> list[Task]:
        """The tasks of this session that make a mount, finished or not; empty when EM answers 404."""
        request = requests.tasks()
        reply = await self._ask(request, generation)
        if reply.status == 404:
            return []
        return self._read(lambda root: records.mount_tasks(root, self._base), reply, request)

    async def restore_tasks(self, generation: int) -> list[Task]:
        """The tasks of this session that restore files out of a mount, finished or not; empty when EM answers 404."""
        request = requests.tasks()
        reply = await self._ask(request, generation)
        if reply.status == 404:
            return []
        return self._read(lambda root: records.restore_tasks(root, self._base), reply, request)

    async def forget_task(self, href: str, generation: int) -> None:
        """DELETE a task: one that has ended is forgotten, as EM does by itself with the session; one that runs is
        stopped. Source: page "POST /vmRestorePoints/{ID}/mounts"."""
        await self._ask(requests.delete(href), generation)

    async def mount(self, href: str, generation: int) -> Mount:
        """The mount with its roots; NotFound when it is gone."""
        request = requests.mount(href)
        reply = await self._ask(request, generation)
        return self._read(lambda root: records.mount(root, self._base, href), reply, request)

    async def listing(self, root: MountRoot, generation: int) -> Listing:
        """The direct children of a root, all pages. EM answers with the entries, or first with links to them."""
        first, pages = requests.folder(root.href, root.name), Pages(root.href)
        found: dict[str, Listed] = {}
        while (target := pages.target) is not None:
            request = requests.page(first, target)
            reply = await self._ask(request, generation)
            found.update(self._read(partial(self._page, pages), reply, request))
        return found

    def _page(self, pages: Pages, root: Element) -> Listing:
        listed = records.listing(root)
        if listed is None:
            pages.turn_to(records.list_all_href(root, self._base) or requests.list_all(pages.target or ""))
            return {}
        pages.advance(paging(root, self._base), listing=True)
        return listed

    async def delete(self, href: str, generation: int) -> Task | None:
        """DELETE a mount; None when it is gone (200, 204, 404), the task to poll when EM answers with one."""
        request = requests.delete(href)
        reply = await self._ask(request, generation)
        if reply.status == 404:
            return None
        if error := refusal(reply, request, self._mask):
            raise error
        if not plain(reply.body):
            return None

        return self._read(self._task_if_any, reply, request)

    def _task_if_any(self, root: Element) -> Task | None:
        """Success may come with any representation, but not with an `Error`."""
        if local(root) in ("error", "answer"):
            raise Unreadable("it says both success and error")
        return records.task(root, self._base) if local(root) in ("task", "tasks") else None

    def _read(self, reader: Callable[[Element], Record], reply: Reply, request: Request) -> Record:
        if error := refusal(reply, request, self._mask):
            raise error
        return read(reader, reply, request, self._mask)
