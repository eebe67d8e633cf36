"""Events of a group whose restore point could not be mounted, and which is not through yet."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class GroupPutOff:
    """A group whose restore point could not be mounted gave its seat back, and waits for its second turn."""

    at: datetime
    run: str
    group: str
    vm: str
    message: str


@dataclass(frozen=True, slots=True)
class OtherPointTaken:
    """A restore point could not be mounted, nothing of it was restored, and the next in the fall-back order of its
    group waits for a seat. `source` is its kind, `instead_of` the id of the one that is given up, `message` why."""

    at: datetime
    run: str
    group: str
    vm: str
    backup_server: str
    restore_point: str
    created: datetime
    source: str
    instead_of: str
    message: str
