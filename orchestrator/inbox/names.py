"""What files are called once they are claimed: the name they came with, as far as every file system can hold it."""

import re
from pathlib import PurePosixPath

from orchestrator.core.drops import DropRow
from orchestrator.core.settling import ENDINGS

_LONGEST = 60
_UNFIT = re.compile(r"[^\w.()+=@ -]|[\ud800-\udfff]")


def stem_of(file: str) -> str:
    """The name of a dropped file without its ending, fit for every file system."""
    stem = _UNFIT.sub("_", PurePosixPath(file).stem).strip(" .-")
    return stem.encode()[:_LONGEST].decode("utf-8", "ignore") or "job"


def ending_of(file: str) -> str:
    """The ending of a dropped file, in small letters: that of a plan stays, everything else is a job."""
    return next((ending for ending in ENDINGS if file.casefold().endswith(ending)), ENDINGS[0])


def claimed_name(row: DropRow) -> str:
    """The name of a claimed job in `active`: readable, and never that of another."""
    return f"{stem_of(row.file)}.{row.id}{ending_of(row.file)}"


def ended_stem(row: DropRow) -> str:
    """What the files of an ended job begin with: name, time and claim."""
    return f"{stem_of(row.file)}.{row.taken:%Y%m%dT%H%M%SZ}.{row.id}"


def claim_in(name: str, tag: str) -> tuple[str, str] | None:
    """(id, name without it) of a file in `active` whose claim's id begins with `tag`; None for any other file."""
    found = re.fullmatch(rf"(.+)\.({re.escape(tag)}-[0-9a-f]+)({'|'.join(map(re.escape, ENDINGS))})", name)
    return (found[2], found[1] + found[3]) if found else None
