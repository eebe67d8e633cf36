"""Opening what the members of a fleet share: the journal in PostgreSQL, and the units in it."""

import importlib.util
import os
import re
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import orchestrator
from orchestrator.config import Config, read_secret
from orchestrator.config_fleet import FleetSettings
from orchestrator.core.errors import ConfigInvalid, StateUnusable
from orchestrator.core.events import Event
from orchestrator.core.fleet import FleetNow, Member, MemberKind
from orchestrator.core.fleet_errors import MemberDead, OlderServe, ProgramOutdated
from orchestrator.engine.alarm import Alarm
from orchestrator.engine.chosen_leases import ChosenLeases, ChosenOriginals
from orchestrator.engine.ports_dispatch import Signs
from orchestrator.engine.renewals import Renewals
from orchestrator.engine.tenure import Tenure
from orchestrator.journal import Journal

if TYPE_CHECKING:
    from orchestrator.journal_postgres import Access, SharedJournal, Units


@dataclass(slots=True)
class Fleet:
    """What one process has of its fleet, opened. `membership` is a connection for renewals alone. `home` says whose
    state folder it has, `earlier` who had it before. `renewals` are those of the member that this process is just now;
    `held` has the lease numbers of a worker's units. `signs` opens those of others for a kind of member."""

    settings: FleetSettings
    journal: "SharedJournal"
    desk: "Units"
    membership: "Units"
    signs: Callable[[MemberKind], Signs]
    home: str = ""
    earlier: str = ""
    renewals: Renewals | None = None
    told_to_end: bool = False
    held: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def me(self) -> str:
        """The id of the member that this process is; empty before it is one."""
        return self.renewals.member.id if self.renewals is not None else ""

    @property
    def alarm(self) -> Alarm:
        """What wakes this process. RuntimeError before it is a member."""
        if self.renewals is None:
            raise RuntimeError("this process is no member of the fleet yet")
        return self.renewals.alarm

    def become(
        self,
        member: Member,
        listen: Callable[[Event], None],
        clock: Callable[[], datetime],
        perish: Callable[[MemberDead], None] | None = None,
    ) -> Renewals:
        """This process is that member from now on: it writes as such, and as a worker writes only for units that are
        its own."""
        from orchestrator.journal_postgres import Fence

        member = replace(member, home=self.home, earlier=self.earlier)
        tenure = Tenure(member.lease, monotonic)
        alarm = Alarm(self.signs(member.kind))
        self.renewals = Renewals(
            self.membership, member, tenure, alarm, self.settings.heartbeat, listen, clock, monotonic, perish
        )
        self.journal.member = member.id
        worker = member.kind is MemberKind.WORKER
        self.journal.guard = Fence(member, self.held, self.journal.place) if worker else None
        return self.renewals

    @property
    def outdated(self) -> bool:
        """Whether the journal is being brought to what this program cannot work with."""
        return self.renewals is not None and self.renewals.outdated

    def must_end(self) -> bool:
        """Whether this process is to end because it is outdated; True once."""
        told, self.told_to_end = self.told_to_end, self.told_to_end or self.outdated
        return self.told_to_end and not told

    def check_outdated(self) -> None:
        """ProgramOutdated when that is why this process ends."""
        if self.told_to_end:
            raise ProgramOutdated(version=orchestrator.__version__)

    def own_leases(self) -> ChosenLeases:
        """The ledger of mounts without what is nobody's to sweep but another living member's. A worker has its own
        alone: after the dead it clears up as their heir. Blocks."""
        return ChosenLeases(self.journal, self._mine)

    def own_originals(self) -> ChosenOriginals:
        """The ledger of restores into guests, in the same way. Blocks."""
        return ChosenOriginals(self.journal, self._mine)

    def _mine(self) -> Callable[[str], bool]:
        if self.renewals is not None and self.renewals.member.kind is MemberKind.WORKER:
            return self.desk.sessions_of(self.me).__contains__
        others = self.desk.protected(self.me)
        return lambda session: session not in others


HOME = "member"
"""The file in a state folder that says who has it."""


def member_of(settings: FleetSettings, kind: MemberKind, new_id: str, site: str, mounts: int, name: str) -> Member:
    """This process as a member."""
    host = socket.gethostname()
    named = name or f"{host}-{os.getpid()}"
    return Member(new_id, named, kind, site, mounts, host, orchestrator.__version__, settings.lease)


def belonging(
    fleet: Fleet, listen: Callable[[Event], None], clock: Callable[[], datetime], new_id: str
) -> AbstractAsyncContextManager[None]:
    """A member while this is open: the worker that this process has become, or else a submitter of jobs."""
    renewals = fleet.renewals
    if renewals is not None and renewals.lives:
        return nullcontext()
    if renewals is None or renewals.member.kind is not MemberKind.WORKER:
        renewals = fleet.become(member_of(fleet.settings, MemberKind.SUBMITTER, new_id, "", 0, ""), listen, clock)
    return renewals.kept()


def take_over(folder: Path) -> tuple[str, str]:
    """(who has this state folder from now on, who had it before, if anybody). The lock of the folder says that he who
    had it has ended, whatever the database still thinks. StateUnusable."""
    file, mine = folder / HOME, uuid.uuid4().hex
    fresh = file.with_suffix(".new")
    try:
        earlier = file.read_text("ascii", "replace").strip() if file.exists() else ""
        fresh.write_text(mine, "ascii")
        fresh.replace(file)
    except OSError as cause:
        raise StateUnusable(folder=folder, cause=f"{file.name}: {cause.strerror}") from cause
    return mine, earlier if re.fullmatch("[0-9a-f]{32}", earlier) else ""


@contextmanager
def opened_fleet(config: Config) -> Iterator[Fleet]:
    """The connections of one process. ConfigInvalid for a password that is not there; StateError."""
    from orchestrator.journal_postgres import open_journal, open_signs, open_units

    access = access_of(config)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(open_journal(access)))
        desk = stack.enter_context(closing(open_units(access)))
        soon = replace(access, patience=config.fleet.heartbeat)
        membership = stack.enter_context(closing(open_units(soon)))
        yield Fleet(config.fleet, journal, desk, membership, partial(open_signs, access))


def read_shared(config: Config) -> Journal:
    """The fleet's journal for looking only. StateError."""
    from orchestrator.journal_postgres import open_journal

    return open_journal(access_of(config), read_only=True)


def looked_after(config: Config) -> tuple[frozenset[str], frozenset[str]]:
    """(the runs that somebody who lives follows, the sessions whose mounts somebody who lives looks after).
    ConfigInvalid; StateError."""
    from orchestrator.journal_postgres import open_units

    with closing(open_units(access_of(config), read_only=True)) as units:
        return units.followed(""), units.protected("")


def upgrade_journal(config: Config, wait: Callable[[OlderServe], bool]) -> int:
    """Make the tables of the fleet, or bring them up to date, once no member is left that could not work with them:
    those are told to end. `wait` hears of them, again and again, pauses, and says whether to go on waiting. The schema
    that is there then. OlderServe, and what was told is taken back; ConfigInvalid; StateError. Blocks."""
    _refuse_alone(config)
    from orchestrator.journal_postgres import upgrade

    return upgrade(access_of(config), wait)


def _refuse_alone(config: Config) -> None:
    if config.fleet.dsn is None:
        raise ConfigInvalid(place="fleet.dsn", problems="is not set: this config is of one process, and of no fleet")


def how_it_stands(config: Config) -> FleetNow:
    """The fleet just now. ConfigInvalid when there is none; StateError."""
    _refuse_alone(config)
    from orchestrator.journal_postgres import open_units

    with closing(open_units(access_of(config), read_only=True)) as units:
        return units.now()


def access_of(config: Config) -> "Access":
    """How the database is reached. ConfigInvalid when that is not said, or what speaks to it is not installed."""
    settings = config.fleet
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigInvalid(place="fleet.dsn", problems="needs psycopg: pip install 'orchestrator[fleet]'")
    from orchestrator.journal_postgres import Access

    given = (settings.password_env, settings.password_file, settings.password_credential)
    password = read_secret(settings, "password", "fleet") if any(given) else None
    return Access(settings.dsn or "", settings.db_schema, password, settings.password_source, settings.patience)


def monotonic() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
