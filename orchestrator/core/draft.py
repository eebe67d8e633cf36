"""What somebody wants in a new job file: the answers, before they are a job."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """The keys of a job with one entry, as text; an empty one is not given. `to` holds for the entry."""

    name: str
    vms: tuple[str, ...] = ()
    restore_point: str = ""
    backup_server: str = ""
    os: str = ""
    as_of: str = ""
    paths: tuple[str, ...] = ()
    paths_from: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    to: str = ""
    on_conflict: str = ""
    metadata: str = ""
