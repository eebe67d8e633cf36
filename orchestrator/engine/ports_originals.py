"""Restores to the original location, done by EM inside the guest: what the engine needs for them, in its own words."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.core.catalog import Task
from orchestrator.core.originals import InPlace, OriginalRow


class RestoreTasks(Protocol):
    """EM's tasks that restore files out of a mount; `generation` as with Mounts."""

    async def restore_tasks(self, generation: int) -> list[Task]:
        """Those of this session, finished or not; also those that make files ready for a download."""
        ...

    async def task(self, href: str, generation: int) -> Task:
        """The task now. NotFound when EM no longer has it."""
        ...

    async def forget_task(self, href: str, generation: int) -> None:
        """DELETE a task; one that runs is stopped."""
        ...


class Originals(RestoreTasks, Protocol):
    """Asks EM to restore to the original location."""

    async def restore_in_place(self, href: str, name: str, how: InPlace, generation: int) -> Task:
        """Ask for one, exactly once. OutcomeUnknown when EM may have begun; every other EmError says that it has
        not."""
        ...


class OriginalLedger(Protocol):
    """What EM was asked for, in the journal. Methods block; every write is durable when it returns."""

    def write_original(self, row: OriginalRow) -> None:
        """Insert or update one, by run, group and guest path."""
        ...

    def originals(self, run: str) -> Sequence[OriginalRow]:
        """Those of a run, in the order in which EM was asked for them."""
        ...

    def originals_of_vm(self, vm: str) -> Sequence[OriginalRow]:
        """Those of one machine, of any run, oldest first."""
        ...

    def open_originals(self) -> Sequence[OriginalRow]:
        """Those of any run whose end nobody has seen (core.originals.UNSETTLED), oldest first."""
        ...
