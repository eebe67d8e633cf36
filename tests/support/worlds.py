"""The worlds of the runbook: for each trouble a night in which it is really there."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from orchestrator.simulator import EndSession, Estate, FailTask, Fault, Status, StuckTask
from orchestrator.simulator.mount_hosts import Kind, MountHost
from tests.support.disk import mounted
from tests.support.flow import entry_of, toml
from tests.support.nights import Night, night

INCIDENT = """name = "incident-4711"

[defaults]
to = "/restore/{vm}"

[[restore]]
vm = "fs01"
paths = ['C:\\Shares\\Finance', 'D:\\Data']
exclude = ["~$*"]
"""
"""The job of the night; it lies ready in every world but the first."""

WEB = """name = "incident-4711"

[defaults]
to = "/restore/{vm}"

[[restore]]
vm = "web01"
os = "linux"
paths = ["/srv/data"]
"""

Arrange = Callable[[Night], Awaitable[None]]


def estate(folder: Path) -> Estate:
    """A file server, a database server and a Linux machine on one backup server."""
    made = Estate.empty(folder)
    names = ("budget.xlsx", "plan.docx", "2025/q1.xlsx", "2025/q2.xlsx")
    files: dict[str, bytes | None] = {f"Shares/Finance/{name}": name.encode() * 999 for name in names}
    made.add_machine("fs01", points=[{"C:": files, "D:": {"Data/list.csv": b"1;2;3", "Data/~$list.csv": b"lock"}}] * 2)
    made.add_machine("db01", points=[{"D:": {"Exports/customers.csv": b"name", "Exports/orders.csv": b"order"}}])
    made.add_machine("web01", os="linux", points=[{"/": {"srv/data/index.html": b"<html>", "etc/hosts": b"1"}}])
    return made


def with_twin_volumes(folder: Path) -> Estate:
    """A machine whose two volumes hold the same."""
    made = Estate.empty(folder)
    same: dict[str, bytes | None] = {"Shares/Finance/plan.docx": b"plan", "Data/list.csv": b"1;2;3"}
    made.add_machine("fs01", points=[{"C:": same, "D:": same}])
    return made


def with_a_thousand_files(folder: Path) -> Estate:
    """A machine with many files in one folder."""
    made = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"Shares/Finance/{number:04}.docx": b"x" for number in range(1, 1201)}
    made.add_machine("fs01", points=[{"C:": files, "D:": {"Data/list.csv": b"1;2;3"}}])
    return made


def with_many_machines(folder: Path) -> Estate:
    """Four machines of one kind on one backup server, and one on another."""
    made = Estate.empty(folder, ["vbr01", "vbr02"])
    for number in range(1, 5):
        made.add_machine(f"fs0{number}", points=[{"C:": {"Shares/Finance/plan.docx": b"plan"}}])
    made.add_machine("fs09", backup_server="vbr02", points=[{"C:": {"Shares/Finance/plan.docx": b"plan"}}])
    return made


def with_large_files(folder: Path) -> Estate:
    """A machine with more in it than a small disk holds."""
    made = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"Shares/Finance/{number}.bin": b"x" * (1 << 20) for number in range(4)}
    made.add_machine("fs01", points=[{"C:": files, "D:": {"Data/list.csv": b"1;2;3"}}])
    return made


def with_alike_folders(folder: Path) -> Estate:
    """A machine two of whose volumes have a folder of one name."""
    made = Estate.empty(folder)
    files = {"Shares/Finance/budget.xlsx": b"budget", "Data/old.csv": b"1"}
    made.add_machine("fs01", points=[{"C:": files, "D:": {"Data/list.csv": b"1;2;3"}}])
    return made


@dataclass(frozen=True)
class World:
    """How a night begins."""

    arrange: Arrange
    faults: tuple[Fault, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    build: Callable[[Path], Estate] = estate

    @asynccontextmanager
    async def begun(self, folder: Path) -> AsyncIterator[Night]:
        """The night, arranged."""
        async with night(folder, self.build, *self.faults, **self.settings) as made:
            (made.home / "incident.toml").write_text(made.here(INCIDENT))
            await self.arrange(made)
            yield made


WORLDS: dict[str, World] = {}


def world(
    name: str, *faults: Fault, build: Callable[[Path], Estate] = estate, **settings: Any
) -> Callable[[Arrange], Arrange]:
    """Makes a world of a function that arranges one."""

    def noted(arrange: Arrange) -> Arrange:
        WORLDS[name] = World(arrange, faults, settings, build)
        return arrange

    return noted


def later(night: Night, name: str, act: Callable[[], object]) -> None:
    """`act` happens when the page says so."""

    async def happen() -> None:
        act()

    night.now[name] = happen


HELD = """
import os, time
from orchestrator.files import LocalTarget
place = LocalTarget.place
def held(self, source, entry, target, overwrite, check, *more):
    while os.path.exists({marker!r}) and {machine!r} in target.root:
        open({marker!r} + "-here", "w").close()
        time.sleep(0.02)
        check(0)
    return place(self, source, entry, target, overwrite, check, *more)
LocalTarget.place = held
"""


def hold(night: Night, machine: str = "") -> None:
    """Copying (for one machine only) goes on when the page says so, or never; it can be stopped."""
    marker = night.home / ".held"
    marker.touch()
    night.patch(HELD.format(marker=str(marker), machine=machine))
    later(night, "copying goes on", marker.unlink)


async def watched(night: Night, until: str) -> None:
    """The watcher runs, the job of the night was dropped, and the log says `until`."""
    await night.service.start()
    drop(night, "incident")
    await night.service.told(until)


async def copying(night: Night) -> None:
    """Wait until there is a mount and its first file is held."""
    while not (night.home / ".held-here").exists():  # noqa: ASYNC110 - another process makes it
        await anyio.sleep(0.01)


def later_today() -> str:
    """A window that is closed now and for some hours."""
    opens = datetime.now(UTC) + timedelta(hours=12)
    return f"{opens:%H}:00-{opens:%H}:01"


async def waits_for_its_window(night: Night) -> None:
    """The watcher runs, and the job of the night was dropped and waits."""
    text = (night.home / "incident.toml").read_text()
    (night.home / "incident.toml").write_text(text.replace("\n", f'\nwindows = ["{later_today()}"]\n', 1))
    await watched(night, "waits")


def drop(night: Night, name: str) -> None:
    """Drop a job that lies in the home folder."""
    night.em.drop((night.home / f"{name}.toml").read_text(), f"{name}.toml")


# --- nothing is wrong ---


@world("quiet")
async def quiet(night: Night) -> None:
    pass


@world("by-hand")
async def by_hand(night: Night) -> None:
    """Nothing is prepared in the terminal; somebody has swept before. The run of the night takes a while."""
    night.configure(drill={"folder": str(night.em.target / "drills")})
    await night.em.run("sweep")
    (night.home / "incident.toml").unlink()
    night.more |= {"ORCHESTRATOR_CONFIG": "", "EM_PASSWORD": ""}
    hold(night, "fs01")  # the drill restores another machine
    night.now["it has mounted"] = lambda: copying(night)


@world("watching")
async def watching(night: Night) -> None:
    hold(night)
    await night.service.start()


# --- Enterprise Manager ---


@world("em-down")
async def em_down(night: Night) -> None:
    await night.gate.shut()


@world("em-down-and-watching")
async def em_down_and_watching(night: Night) -> None:
    night.configure(watch={"retry_after": 60}, web={"listen": f"127.0.0.1:{night.port('127.0.0.1:8090')}"})
    await night.gate.shut()
    await watched(night, "tried again")


@world("password-changed")
async def password_changed(night: Night) -> None:
    night.more["EM_PASSWORD"] = "Autumn-2026"


@world("password-changed-and-watching")
async def password_changed_and_watching(night: Night) -> None:
    """The service has the password as systemd hands it over: a file that it reads at its start."""
    night.configure(enterprise_manager={"password_env": None, "password_credential": "em-password"})
    night.more["CREDENTIALS_DIRECTORY"] = str(night.em.folder / "etc")
    (night.em.folder / "etc" / "em-password").write_text("Autumn-2026")
    await watched(night, "tried again")


MEANWHILE = Fault("browse", nth=2, action=EndSession())


@world("password-changed-meanwhile", MEANWHILE, Fault("logon", nth=2, action=Status(401)))
async def password_changed_meanwhile(night: Night) -> None:
    """Enterprise Manager ends the session in the middle of a run, and the password of the start is no longer right."""


@world("account-locked", Fault("logon", action=Status(401)))
async def account_locked(night: Night) -> None:
    await watched(night, "tried again")


@world("no-role", Fault("mounts_list", action=Status(403, b"Access denied."), times=99))
async def no_role(night: Night) -> None:
    later(night, "the role is granted", night.em.lift_faults)


@world("certificate-renewed")
async def certificate_renewed(night: Night) -> None:
    server = night.em.server
    night.configure(enterprise_manager={"ca_file": None, "fingerprint_sha256": "ab" * 32})
    right = {"ca_file": None, "fingerprint_sha256": server.fingerprint_sha256}
    later(night, "the config is corrected", lambda: night.configure(enterprise_manager=right))


@world("session-lost", MEANWHILE)
async def session_lost(night: Night) -> None:
    pass


LOCKED = Fault("mount_post", action=FailTask("The backup file is locked by a running job."), times=2)


@world("mount-fails-and-watching", LOCKED)
async def mount_fails_and_watching(night: Night) -> None:
    await watched(night, "failed: exit 4")


@world("mount-fails", LOCKED)
async def mount_fails(night: Night) -> None:
    pass


@world("server-fails", build=with_many_machines)
async def server_fails(night: Night) -> None:
    """A paused server is tried again after a minute; here after a second."""
    out_of_memory = FailTask("The host is out of memory.")
    machines = [one for one in night.em.estate.machines if one.backup_server == "vbr01"]
    night.em.simulator.inject(*(Fault("mount_post", 1, out_of_memory, match=one.points[-1].uid) for one in machines))
    night.patch("import orchestrator.core.health as health; health.PAUSE = 1.0")
    many = INCIDENT.replace("fs01", "fs*").replace("incident-4711", "many").replace(", 'D:\\Data'", "")
    (night.home / "many.toml").write_text(night.here(many))


# --- mounts ---

STAYS = Fault("mount_delete", action=Status(500), times=99)


@world("mount-left", STAYS)
async def mount_left(night: Night) -> None:
    night.configure(limits={"unmount_timeout": 2})
    later(night, "deletes work again", night.em.lift_faults)


@world("mount-left-and-watching", STAYS)
async def mount_left_and_watching(night: Night) -> None:
    night.configure(limits={"unmount_timeout": 2})
    await watched(night, "failed: exit 7")
    later(night, "deletes work again", night.em.lift_faults)


@world("session-gone", Fault("mount_delete", action=Status(500), times=99), session_end_unmounts="never")
async def session_gone(night: Night) -> None:
    """EM refused the delete, then ended the session, and the disks stay on."""
    night.configure(limits={"unmount_timeout": 2})
    (night.em.folder / "incident.toml").write_text((night.home / "incident.toml").read_text())
    await night.em.run("run", "incident.toml")
    await night.em.simulator.end_session()

    async def unmounted() -> None:
        desk = night.em.simulator.enterprise.desk
        for mount in desk.mounts:
            await desk.unmount(mount)

    night.now["the backup admin has stopped it"] = unmounted


# --- shares and machines ---


@world("share-away")
async def share_away(night: Night) -> None:
    share = night.em.estate.shares["vbr01"]
    share.rename(share.with_name("away"))
    later(night, "the share is mounted", lambda: share.with_name("away").rename(share))


@world("wrong-share")
async def wrong_share(night: Night) -> None:
    (night.em.folder / "etc" / "other").mkdir()
    wrong = [{"name": "vbr01", "shares": [str(night.em.folder / "etc" / "other")]}]
    night.configure(limits={"folder_timeout": 0.2})
    night.config["backup_servers"] = wrong
    night.configure()

    def right() -> None:
        del night.config["backup_servers"]
        night.configure(limits={"folder_timeout": 10})

    later(night, "the config is corrected", right)


@world("twin-volumes", build=with_twin_volumes)
async def twin_volumes(night: Night) -> None:
    share = str(night.em.estate.shares["vbr01"])

    def right() -> None:
        volumes = {"C:": "Volume1", "D:": "Volume2"}
        night.config["backup_servers"] = [{"name": "vbr01", "shares": [share], "volumes": volumes}]
        night.configure()

    later(night, "the config is corrected", right)


@world("no-machine")
async def no_machine(night: Night) -> None:
    wrong = INCIDENT + "\n[[restore]]\nvm = \"fs91\"\npaths = ['C:\\Shares']\n"
    (night.home / "wrong.toml").write_text(night.here(wrong))


@world("unknown-path")
async def unknown_path(night: Night) -> None:
    pass


async def mount_host(night: Night, name: str, kind: Kind, **more: Any) -> dict[str, Any]:
    """Another mount host, in the estate and the config, that mounts fs01; its table."""
    made = await anyio.to_thread.run_sync(night.em.estate.add_mount_host, name, kind)
    night.em.estate.mounted_on["fs01"] = name
    table = {"name": name, "os": kind, "shares": [str(made.share)], **more}
    shares = [str(night.em.estate.shares["vbr01"])]
    night.config["backup_servers"] = [{"name": "vbr01", "shares": shares, "mount_hosts": [table]}]
    night.configure()
    return table


@world("no-letters", build=with_alike_folders)
async def no_letters(night: Night) -> None:
    """A Linux mount host, and a folder that two volumes have."""
    await mount_host(night, "lin01", "linux")


@world("mount-host-silent")
async def mount_host_silent(night: Night) -> None:
    table = await mount_host(night, "mount02", "windows")
    night.configure(limits={"folder_timeout": 0.2})
    estate, share = night.em.estate, Path(table["shares"][0])
    share.rename(share.with_name("away"))
    estate.mount_hosts["away"] = MountHost(share.with_name("away"))
    estate.mounted_on["fs01"] = "away"

    def back() -> None:
        share.with_name("away").rename(share)
        estate.mounted_on["fs01"] = "mount02"

    later(night, "the share is mounted", back)


@world("budget-full")
async def budget_full(night: Night) -> None:
    """A mount host that carries one mount; the job of the night wants three."""
    await mount_host(night, "mount02", "windows", memory_gib=4.5)
    night.em.estate.mounted_on |= {"db01": "mount02", "web01": "mount02"}
    all_of_them = INCIDENT + "\n[[restore]]\nvm = \"db01\"\npaths = ['D:\\Exports']\n"
    (night.home / "both.toml").write_text(night.here(all_of_them))


@world("into-the-guest", Fault("browse_action", 2, StuckTask()))
async def into_the_guest(night: Night) -> None:
    """Enterprise Manager never ends the second of three restores into a guest."""
    night.configure(limits={"original_timeout": 2})


@world("share-hangs")
async def share_hangs(night: Night) -> None:
    """Whoever lists a folder of the share waits, as under a hard mount of a dead host."""
    hangs = night.home / ".hangs"
    hangs.touch()
    night.configure(limits={"stall_timeout": 2})
    night.patch(
        f"""
import os, time
from orchestrator.files import LocalSource
scan = LocalSource.scan
def hanging(self, *words):
    while os.path.exists({str(hangs)!r}):
        time.sleep(0.1)
    yield from scan(self, *words)
LocalSource.scan = hanging
"""
    )
    later(night, "the share answers", hangs.unlink)


HANGING = """
import os, time
from {module} import {kind}
call = {kind}.{method}
def hanging(self, *words):
    while os.path.exists({marker!r}):
        time.sleep(0.02)
    return call(self, *words)
{kind}.{method} = hanging
"""


def hang(night: Night, module: str, kind: str, method: str) -> None:
    """A call that returns only when the disk answers."""
    marker = night.home / ".hangs"
    marker.touch()
    night.patch(HANGING.format(module=module, kind=kind, method=method, marker=str(marker)))
    later(night, "the disk answers", marker.unlink)


@world("destination-hangs")
async def destination_hangs(night: Night) -> None:
    night.configure(limits={"stall_timeout": 2, "space_wait": 1})
    hang(night, "orchestrator.files", "LocalTarget", "free_space")


@world("state-hangs")
async def state_hangs(night: Night) -> None:
    """The disk of the state folder hangs in the middle of a run. It is given ten minutes; here three seconds."""
    night.patch("import orchestrator.engine.books as books; books.ANSWER_WITHIN = 3.0")
    hang(night, "orchestrator.ledgers.outcomes", "Outcomes", "record")


# --- files ---


@world("disk-full", build=with_large_files)
async def disk_full(night: Night) -> None:
    """The destination is a file system of a few MiB, and somebody else has filled it."""
    night.stack.enter_context(mounted(night.em.target, "-t", "tmpfs", "-o", "size=7m", "none"))
    (night.em.target / "old").mkdir()
    (night.em.target / "old" / "export.tar").write_bytes(b"x" * (4 << 20))
    night.configure(limits={"reserve_mib": 1, "space_wait": 1})


DENIED = """
import os
from orchestrator.files import readers
open_path = readers.open_path
def denied(path, flags):
    if os.path.exists({marker!r}) and "Finance" in os.fsdecode(path):
        raise PermissionError(13, "Permission denied")
    return open_path(path, flags)
readers.open_path = denied
"""


async def denied(night: Night) -> None:
    """The share shows files that the account may not read. (The tests may be root, whom no permission stops.)"""
    marker = night.home / ".denied"
    marker.touch()
    night.patch(DENIED.format(marker=str(marker)))
    later(night, "the account may read", marker.unlink)


@world("access-denied")
async def access_denied(night: Night) -> None:
    await denied(night)


@world("thousands-refused", build=with_a_thousand_files)
async def thousands_refused(night: Night) -> None:
    await denied(night)


GUEST = """name = "incident-4711"

[[restore]]
vm = "fs01"
paths = ['C:\\Shares\\Finance', 'D:\\Data']
road = "original"
"""


@world("end-unknown", Fault("browse_action", 1, StuckTask()))
async def end_unknown(night: Night) -> None:
    """A job has EM restore into the guest, and EM never ends the first of two paths."""
    night.configure(limits={"original_timeout": 1}, targets={"guests": ["fs01"]})
    (night.home / "incident.toml").write_text(night.here(GUEST))


@world("without-permissions")
async def without_permissions(night: Night) -> None:
    """The files of a Linux machine were restored as a job without a word about it does."""
    data = night.em.estate.content(night.em.machine("web01").points[-1], "/") / "srv" / "data"
    (data / "index.html").chmod(0o640)
    (night.home / "incident.toml").write_text(night.here(WEB))
    await night.em.run("run", str(night.home / "incident.toml"), env=night.more)


# --- the watcher ---


@world("watcher-died")
async def watcher_died(night: Night) -> None:
    """It was killed while a mount was open."""
    hold(night)
    await watched(night, "begins")
    await copying(night)
    await night.service.stop(signal.SIGKILL)
    (night.home / ".held").unlink()


@world("host-restarted")
async def host_restarted(night: Night) -> None:
    """The power went, and the service was started with the host."""
    await watcher_died(night)
    await night.service.start()
    await night.service.told("done: ")


@world("config-broken")
async def config_broken(night: Night) -> None:
    await night.service.start()
    await night.service.stop()
    night.configure(limits={"mount": 3})
    later(night, "the config is corrected", lambda: night.forget("limits", "mount"))


@world("lock-held")
async def lock_held(night: Night) -> None:
    hold(night)
    await watched(night, "begins")


@world("state-folder-away")
async def state_folder_away(night: Night) -> None:
    """The disk of the state folder is not mounted, and its place cannot be written to."""
    await watched(night, "done: ")
    await night.service.stop()
    state = night.em.state
    state.rename(state.with_name("state-away"))
    state.symlink_to(state.with_name("nowhere"))

    def back() -> None:
        state.unlink()
        state.with_name("state-away").rename(state)

    later(night, "the disk is mounted", back)


@world("drop-folder-away")
async def drop_folder_away(night: Night) -> None:
    await night.service.start()
    jobs = night.em.folder / "jobs"
    jobs.rename(jobs.with_name("away"))
    await night.service.told("cannot be used")
    later(night, "the share is mounted", lambda: jobs.with_name("away").rename(jobs))


# --- jobs ---


@world("waiting")
async def waiting(night: Night) -> None:
    """A job runs and takes long, and others wait for different reasons."""
    hold(night)
    night.configure(watch={"runs": 1})
    await night.service.start()
    for name, more in {
        "long": {},
        "nightly": {"windows": [later_today()]},
        "tomorrow": {"not_before": "2030-01-01T00:00:00Z"},
        "weekly": {"schedule": "0 3 * * SUN"},
        "next": {},
    }.items():
        text = toml(
            {"name": name, **more, "restore": [entry_of(night.em.machine("fs01"), to=str(night.em.target / name))]}
        )
        night.em.drop(text.replace('"2030-01-01T00:00:00Z"', "2030-01-01T00:00:00Z"), f"{name}.toml")
        await night.service.told(f"{name}: taken")
        if name == "long":
            await night.service.told("long: run")


@world("job-runs")
async def job_runs(night: Night) -> None:
    hold(night)
    night.configure(limits={"grace": 0.1})
    await watched(night, "begins")
    await copying(night)


@world("pausing")
async def pausing(night: Night) -> None:
    hold(night)
    await watched(night, "begins")
    await copying(night)


@world("line-full")
async def line_full(night: Night) -> None:
    hold(night)
    await watched(night, "begins")
    await copying(night)


@world("job-rejected")
async def job_rejected(night: Night) -> None:
    text = (night.home / "incident.toml").read_text()
    (night.home / "incident.toml").write_text(text.replace("paths", "pathz"))
    await watched(night, "rejected")


@world("withdrawing")
async def withdrawing(night: Night) -> None:
    """A job waits for its window. Whether a job was withdrawn is looked for every 15 s; here all the time."""
    night.patch("import orchestrator.engine.intake as intake; intake.WITHDRAWN_EVERY = 0.2")
    await waits_for_its_window(night)


@world("job-done")
async def job_done(night: Night) -> None:
    await watched(night, "done: ")
    night.em.drop((night.home / "incident.toml").read_text(), "second.toml")
    await night.service.told("not run")


@world("wrong-job")
async def wrong_job(night: Night) -> None:
    """A job restores the wrong machines; one of two is through."""
    hold(night, "fs01")
    night.configure(limits={"mounts": 1})
    entries = [{"vm": "db01", "paths": ["D:\\Exports\\orders.csv"]}, {"vm": "fs01", "paths": ["D:\\Data\\list.csv"]}]
    defaults = {"to": str(night.em.target / "{vm}")}
    (night.home / "incident.toml").write_text(toml({"name": "wrong", "defaults": defaults, "restore": entries}))
    await watched(night, "begins")
    await copying(night)


# --- the state folder ---


@world("run-died")
async def run_died(night: Night) -> None:
    """A run by hand was killed while it had a mount."""
    hold(night)
    (night.em.folder / "incident.toml").write_text((night.home / "incident.toml").read_text())
    running = await night.em.start("run", "incident.toml", env=night.more)
    await copying(night)
    running.signal(signal.SIGKILL)
    await running.process.wait()
    (night.home / ".held").unlink()


@world("journal-damaged")
async def journal_damaged(night: Night) -> None:
    """A job waits for its window, and the disk has lost a page of the journal."""
    await waits_for_its_window(night)
    await night.service.stop()
    with (night.em.state / "journal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


# --- whoever is told ---


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


@world("notifications-away")
async def notifications_away(night: Night) -> None:
    """Nobody listens where the webhook goes to."""
    port = night.port("127.0.0.1:8025")
    night.more["HOOK_SECRET"] = "Reiher9-im-Schilf"
    hook = {"name": "on-call", "webhook": f"http://127.0.0.1:{port}/restores", "secret_env": "HOOK_SECRET"}
    night.configure(notifications=[{**hook, "retry_for": 1, "timeout": 5, "linger": 5}])

    async def back() -> None:
        server = await asyncio.start_server(_take, "127.0.0.1", port)
        night.stack.callback(server.close)

    night.now["the receiver is back"] = back


@world("notifications-unset")
async def notifications_unset(night: Night) -> None:
    night.configure(notifications=[{"url_env": "CHAT_URL"}])
    later(night, "the config is corrected", lambda: night.configure(notifications=[]))


@world("audit-away")
async def audit_away(night: Night) -> None:
    """The trail is required, and the disk of its folder is not mounted."""
    folder = night.em.folder / "audit"
    folder.symlink_to(night.em.folder / "nowhere")
    night.configure(audit={"required": True, "folder": str(folder)})
    later(night, "the disk is mounted", lambda: folder.unlink() or folder.mkdir())


async def ran(night: Night) -> None:
    """Somebody has run the job of the night before."""
    (night.em.folder / "incident.toml").write_text((night.home / "incident.toml").read_text())
    await night.em.run("run", "incident.toml", env=night.more)


@world("wrong-folder")
async def wrong_folder(night: Night) -> None:
    """The job of the night has set files of the destination aside, and somebody has gone on with one of them."""
    folder = night.em.target / "fs01" / "C" / "Shares" / "Finance"
    folder.mkdir(parents=True)
    for name in ("plan.docx", "budget.xlsx"):
        (folder / name).write_bytes(b"our own\r\n")
    job = night.home / "incident.toml"
    job.write_text(job.read_text().replace("[defaults]\n", '[defaults]\non_conflict = "aside"\n'))
    await ran(night)
    (folder / "budget.xlsx").write_bytes(b"worked on since")


@world("audit-changed")
async def audit_changed(night: Night) -> None:
    await ran(night)
    [file] = (night.em.state / "audit").glob("audit-*.jsonl")
    file.write_text(file.read_text().replace("fs01", "fs02", 1))


@world("audit-key")
async def audit_key(night: Night) -> None:
    """The trail was written with one key, and the config names another; nothing is done without the trail."""
    night.more |= {"AUDIT_KEY": "Reiher9-im-Schilf", "OTHER_KEY": "Dohle3-auf-dem-Turm"}
    night.configure(audit={"required": True, "key_env": "AUDIT_KEY"})
    await ran(night)
    night.configure(audit={"key_env": "OTHER_KEY"})
    later(night, "the config is corrected", lambda: night.configure(audit={"key_env": "AUDIT_KEY"}))


@world("syslog-away")
async def syslog_away(night: Night) -> None:
    night.configure(syslog={"address": f"tcp://127.0.0.1:{night.port('127.0.0.1:601')}"})
