"""Events of the fleet that works on what a process has submitted."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SitePace:
    """How a site of the fleet does, with everything that it works on: `workers` that live, the machines that they have
    in hand, and how fast they copy. `site` is empty for workers that serve every site."""

    at: datetime
    site: str
    workers: int
    groups: int
    files_per_second: float
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class GroupsStuck:
    """So many groups of a run wait that no worker of the fleet can take, and `why`, in plain words: one text for each
    reason. None (`groups` is 0) when somebody can again, or they were given up."""

    at: datetime
    run: str
    groups: int
    why: tuple[str, ...] = ()
