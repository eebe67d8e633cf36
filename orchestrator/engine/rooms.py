"""Everything a run is given: the ports of the other rooms, and its settings as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.core.limits import Limits
from orchestrator.core.originals import GuestAccount
from orchestrator.core.rates import Bandwidths
from orchestrator.core.roads import ServerRoad
from orchestrator.engine.hiring import Hiring
from orchestrator.engine.ports import (
    AnswerLedger,
    Browser,
    Catalogue,
    Clock,
    Emit,
    LeaseLedger,
    Mounts,
    OutcomeLedger,
    Reviver,
    RunLedger,
    Session,
    Source,
)
from orchestrator.engine.ports_metadata import FidelityLedger
from orchestrator.engine.ports_originals import OriginalLedger, Originals
from orchestrator.engine.ports_standing import AsideLedger, Destination

PROBE_TIMEOUT = 15.0
"""Seconds for which a candidate share that does not answer is waited for when another has."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the mounts of one backup server are reached: candidate shares in order, and volumes that are known.

    `hosts` are the mount hosts behind the shares, by name. Shares in `by_id` are those of Linux mount hosts, on which
    the names of folders say nothing.
    """

    shares: tuple[str, ...]
    volumes: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    by_id: frozenset[str] = frozenset()
    road: ServerRoad = ServerRoad.SHARE

    def host(self, share: str) -> str:
        """The mount host behind a share; nothing where the config does not say."""
        return self.hosts.get(share, "")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Durations in seconds, `reserve` in bytes. `reach` gives the shares of a backup server, None when the config has
    no entry. `failure_rate` (0 to 1) of files failed stops a run once `failure_floor` have."""

    limits: Limits
    reach: Callable[[str], Reach | None]
    copies: int = 16
    bandwidths: Bandwidths = field(default_factory=Bandwidths)
    processes: int = 0
    mount_timeout: float = 900.0
    folder_timeout: float = 60.0
    unmount_timeout: float = 600.0
    original_timeout: float = 14400.0
    keep_alive: float = 240.0
    grace: float = 30.0
    poll_first: float = 1.0
    poll_most: float = 10.0
    stall: float = 300.0
    probe: float = PROBE_TIMEOUT
    reserve: int = 256 << 20
    space_wait: float = 1800.0
    failure_rate: float = 0.5
    failure_floor: int = 1000


@dataclass(frozen=True, slots=True)
class Rooms:
    """The ports, handed in by the roof."""

    catalogue: Catalogue
    mounts: Mounts
    browser: Browser
    session: Session
    reviver: Reviver
    source: Source
    target: Destination
    runs: RunLedger
    leases: LeaseLedger
    outcomes: OutcomeLedger
    answers: AnswerLedger
    asides: AsideLedger
    fidelity: FidelityLedger
    originals: OriginalLedger
    restorer: Originals
    emit: Emit
    clock: Clock
    new_id: Callable[[], str]
    em_url: str
    settings: EngineSettings
    folds_case: Callable[[str], bool] | None = None
    """Whether a destination takes names that differ only in letter case for one. Blocks."""
    hiring: Hiring | None = None
    """How copying processes are started, when there are to be any."""
    accounts: Mapping[str, GuestAccount] = field(default_factory=dict)
    """As whom EM logs on to guests, by the name that jobs use."""
    flush: Callable[[], None] | None = None
    """Called in a thread before outcomes are written, when they must be true even after a power cut."""
    held: set[str] = field(default_factory=set)
    """The mounts that are read from just now, by their hrefs; shared by all who have been made of one. For a process
    that has lost its journal."""
