"""The mount desk: tasks that mount and unmount, the mounts themselves, and the seats they take."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from anyio import to_thread

from orchestrator.simulator.background import Background, first_set, stopped_within
from orchestrator.simulator.estate import Estate, Machine, Point
from orchestrator.simulator.faults import FailedTaskButMounted, FailTask, HeldTask, SlowTask, StuckTask, TaskAction
from orchestrator.simulator.mount_hosts import MountHost
from orchestrator.simulator.sessions import Session
from orchestrator.simulator.settings import Settings

_FOR_EVER = 1e8


@dataclass(eq=False)
class Mount:
    """A mount: number `number` of (session, point). `listed`: REST shows it; `gone`: its disks are off."""

    number: int
    session: Session
    machine: Machine
    point: Point
    os_kind: str
    since: datetime
    uid: str
    host: MountHost
    shown: dict[str, Path] = field(default_factory=dict)
    listed: bool = True
    gone: bool = False
    shifted: int = 0
    ended: datetime | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def folder(self) -> Path | None:
        """What is seen of it in the share, None while there is nothing: its folder, or that of its first volume."""
        first = next(iter(self.shown.values()), None)
        return first.parent if first is not None and first.parent != self.host.share else first


@dataclass(eq=False)
class Task:
    """A task of a session, in the states of `get_tasks_id.md`."""

    id: str
    session: Session
    operation: str
    state: str = "Running"
    success: bool | None = None
    message: str = ""
    related: Mount | None = None
    download: str = ""
    credentials_needed: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    job: asyncio.Task[None] | None = None

    def finish(self, success: bool, message: str) -> None:
        """Come to the terminal state."""
        self.state, self.success, self.message = "Finished", success, message


class MountDesk:
    """Makes and deletes mounts. Disk work runs in threads and is never cut in half: jobs are told, not cancelled."""

    def __init__(self, estate: Estate, settings: Settings, background: Background) -> None:
        self.tasks: list[Task] = []
        self.mounts: list[Mount] = []
        self.peaks: Counter[str | None] = Counter()
        self._seats: Counter[str | None] = Counter()
        self._started: list[Task] = []
        self._estate = estate
        self._settings = settings
        self._background = background

    def listed(self, session: Session, point: Point) -> list[Mount]:
        """The mounts of a point that this session may see."""
        return [m for m in self.mounts if m.listed and m.session is session and m.point is point]

    def start_mount(
        self, session: Session, machine: Machine, point: Point, os_kind: str, order: TaskAction | None
    ) -> Task:
        """A new mount task; a second one for the same point makes a second mount."""

        async def work(task: Task) -> None:
            server = machine.backup_server
            seated = self._sit(server)
            mount: Mount | None = None
            try:
                mount = await self._mounting(task, machine, point, os_kind, order, seated)
            finally:
                if seated and mount is None:
                    self._stand(server)

        return self.start_task(session, "MountRestorePoint", work)

    def start_unmount(self, mount: Mount) -> Task:
        """A task that unmounts."""

        async def work(task: Task) -> None:
            await stopped_within(task.stop, self._settings.task_seconds)
            mount.listed = False
            await self.unmount(mount)
            task.finish(True, "Ok")

        return self.start_task(mount.session, "UnmountRestorePoint", work)

    def start_restore(
        self, mount: Mount, download: str, order: TaskAction | None, restore: Callable[[], Awaitable[tuple[str, bool]]]
    ) -> Task:
        """A task that restores a path of a mount. `download` is where it can be fetched afterwards, if it is to be;
        `restore` gives what prevented it and whether credentials are missing."""

        async def work(task: Task) -> None:
            if await _cut_short(task, order, self._settings.restore_seconds):
                return
            failed, task.credentials_needed = (order.message, False) if isinstance(order, FailTask) else await restore()
            task.download = "" if failed else download
            task.finish(not failed, failed or "Ok")

        return self.start_task(mount.session, "FileRestoreFromMountPoint", work)

    def start_task(self, session: Session, operation: str, work: Callable[[Task], Awaitable[None]]) -> Task:
        """A new task of the session, running."""
        task = Task(f"task-{len(self._started) + 1}", session, operation)
        self._started.append(task)
        self.tasks.append(task)

        async def run() -> None:
            await work(task)

        task.job = self._background.start(run())
        return task

    async def delete_task(self, task: Task) -> None:
        """Forget the task; a running one is stopped first, or goes on unseen (Settings.task_delete_stops)."""
        self.tasks.remove(task)
        if self._settings.task_delete_stops:
            await self._halt([task])

    async def delete(self, mount: Mount) -> None:
        """Take the mount off the list; its disks go off now, or `unmount_seconds` later."""
        mount.listed = False
        if not self._settings.unmount_seconds:
            await self.unmount(mount)
            return

        async def later() -> None:
            await stopped_within(mount.stop, self._settings.unmount_seconds)
            await self.unmount(mount)

        self._background.start(later())

    async def unmount(self, mount: Mount) -> None:
        """Take the disks off."""
        await self.vanish(mount)
        if not mount.gone:
            mount.gone, mount.ended = True, datetime.now(UTC)
            mount.stop.set()
            self._stand(mount.machine.backup_server)

    async def vanish(self, mount: Mount) -> None:
        """Take the folder out of the share, and nothing else."""
        async with mount.lock:
            if mount.shown:
                shown, mount.shown = mount.shown, {}
                await to_thread.run_sync(self._estate.hide, mount.point, mount.host, shown)

    async def session_ended(self, session: Session) -> None:
        """What becomes of the tasks and mounts of a session that ended: no session sees them any more."""
        tasks = [task for task in self.tasks if task.session is session]
        self.tasks = [task for task in self.tasks if task.session is not session]
        if self._settings.session_end_unmounts == "now":
            await self._clear(session, tasks)
        elif self._settings.session_end_unmounts == "later":

            async def later() -> None:
                await asyncio.sleep(self._settings.session_end_delay)
                await self._clear(session, tasks)

            self._background.start(later())

    async def close(self) -> None:
        """The server stops: no folder stays in a share; what was still mounted stays in the books."""
        await self._halt(self._started, unmount=False)
        for mount in self.mounts:
            mount.stop.set()
            await self.vanish(mount)

    async def _clear(self, session: Session, tasks: list[Task]) -> None:
        await self._halt(tasks)
        for mount in [one for one in self.mounts if one.session is session]:
            mount.listed = False
            await self.unmount(mount)

    async def _halt(self, tasks: list[Task], *, unmount: bool = True) -> None:
        """Tell running tasks to stop, and wait; what they mounted meanwhile is unmounted."""
        running = [task for task in tasks if task.state != "Finished"]
        for task in running:
            task.stop.set()
        jobs = [task.job for task in running if task.job is not None]
        if jobs:
            await asyncio.wait(jobs)
        for task in running:
            if unmount and task.related is not None:
                task.related.listed = False
                await self.unmount(task.related)

    async def _mounting(
        self, task: Task, machine: Machine, point: Point, os_kind: str, order: TaskAction | None, seated: bool
    ) -> Mount | None:
        if await _cut_short(task, order, self._settings.task_seconds):
            return None
        obstacle = order.message if isinstance(order, FailTask) else self._obstacle(machine, os_kind, seated)
        if obstacle:
            task.finish(False, obstacle)
            return None
        mount = await self._mount(task.session, machine, point, os_kind)
        task.related = mount
        if isinstance(order, FailedTaskButMounted):
            task.related = None
            task.finish(False, order.message)
            return mount
        if self._settings.operation_finished_seconds:
            task.state, task.success, task.message = "OperationFinished", True, "OperationFinished"
            if await stopped_within(task.stop, self._settings.operation_finished_seconds):
                return mount
        task.finish(True, "Ok")
        return mount

    def _obstacle(self, machine: Machine, os_kind: str, seated: bool) -> str:
        if not seated:
            return f"The maximum number of mounts on {machine.backup_server} is exceeded."
        if os_kind.lower() != machine.os and self._settings.os_mismatch == "fail":
            return f"Failed to mount the restore point: no {os_kind} file system was found."
        return ""

    async def _mount(self, session: Session, machine: Machine, point: Point, os_kind: str) -> Mount:
        number = session.mount_numbers[point.uid] = session.mount_numbers.get(point.uid, 0) + 1
        host = self._estate.host_of(machine)
        mount = Mount(number, session, machine, point, os_kind, datetime.now(UTC), str(uuid.uuid4()), host)
        if self._settings.folder_delay:
            self._background.start(self._show_later(mount))
        else:
            await self._show(mount)
        self.mounts.append(mount)
        return mount

    async def _show_later(self, mount: Mount) -> None:
        if not await stopped_within(mount.stop, self._settings.folder_delay):
            await self._show(mount)

    async def _show(self, mount: Mount) -> None:
        async with mount.lock:
            if not mount.gone:
                mount.shown = await to_thread.run_sync(self._put_in_share, mount)

    def _put_in_share(self, mount: Mount) -> dict[str, Path]:
        suffix = uuid.uuid4().hex[:8] if self._settings.folder_suffix else None
        twin = self._estate.take_twin(mount.point)
        return self._estate.show(mount.point, twin, mount.host, mount.machine.name, suffix)

    def _sit(self, server: str) -> bool:
        limit = self._settings.max_mounts_per_server
        if limit is not None and self._seats[server] >= limit:
            return False
        for key in (server, None):
            self._seats[key] += 1
            self.peaks[key] = max(self.peaks[key], self._seats[key])
        return True

    def _stand(self, server: str) -> None:
        for key in (server, None):
            self._seats[key] -= 1


async def _cut_short(task: Task, order: TaskAction | None, seconds: float) -> bool:
    """Wait as long as the task runs: `seconds`, or what `order` says. True when it is stopped before."""
    if isinstance(order, HeldTask):
        await first_set(task.stop, order.go)
        return task.stop.is_set()
    if isinstance(order, StuckTask):
        seconds = _FOR_EVER
    elif isinstance(order, SlowTask):
        seconds = order.seconds
    return await stopped_within(task.stop, seconds)
