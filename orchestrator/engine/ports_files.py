"""Files of a mount through Enterprise Manager itself: what the engine needs for it, in its own words."""

from typing import Protocol

from orchestrator.core.catalog import BrowsedPage, Task


class IncomingFile(Protocol):
    """A file on its way. Close it, whatever came of it."""

    @property
    def announced(self) -> int | None:
        """Bytes that it is said to have; None when nothing is said."""
        ...

    async def read(self, most: int) -> bytes:
        """The next bytes, none at the end. EmError when the connection breaks before all that was announced."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class MountedFiles(Protocol):
    """What lies in a mount; `generation` as with Mounts. `name` is what messages call a file or folder."""

    async def page(self, href: str, name: str, generation: int) -> BrowsedPage:
        """One page of a folder; NotFound when it is not there."""
        ...

    async def stage(self, href: str, name: str, generation: int) -> Task:
        """Have EM make a file ready for a download: the task that does it."""
        ...

    async def fetch(self, href: str, name: str, generation: int) -> IncomingFile:
        """A file that is ready. AnswerUnreadable when EM says something instead of giving it."""
        ...

    async def task(self, href: str, generation: int) -> Task:
        """The task now. NotFound when EM no longer has it."""
        ...

    async def forget_task(self, href: str, generation: int) -> None:
        """DELETE a task that has ended."""
        ...
