"""The ids of surveys, which the journal has among those of runs."""

import re

_LOOK = re.compile(r".*-[0-9a-f]{8}-look")


def look_id(job: str, unique: str) -> str:
    """The id under which the journal knows the mounts of a survey. It is no run: nothing of it can be resumed."""
    return f"{job}-{unique[:8]}-look"


def is_look(run: str) -> bool:
    """Whether an id is one of `look_id`; those of runs end in a time."""
    return _LOOK.fullmatch(run) is not None
