"""What is checked before anything is mounted, and what is thought of it: pass, warn or fail, each with what to do.

Only what EM or a listing tells is judged. EM says nothing of deduplication, ReFS or BitLocker in a guest, nor whether a
backup job runs just now, so nothing is claimed of them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from orchestrator.core.catalog import Greeting, RestorePoint
from orchestrator.core.errors import EmError, ExitCode, OrchestratorError, worst
from orchestrator.core.fidelity import WORDS, Property
from orchestrator.core.plan import Plan

CERTIFICATE_WARNING = timedelta(days=30)
"""A certificate that ends sooner is warned of."""

CLOCK_WARNING = timedelta(seconds=60)
"""Clocks further apart are warned of: `as_of` and the age of a restore point are told by them."""

NAMES_SHOWN = 5
"""So many machines are named in the text of one finding; JSON has all."""

TESTED_VERSION = (1, 7)
"""The version of EM's web API that this product is built to (page "Web API Versions")."""


class Grade(Enum):
    """What is thought of what was looked at."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"


class Check(Enum):
    """The names of the checks, in the order in which they are told."""

    REACHABLE = "em-reachable"
    CERTIFICATE = "em-certificate"
    VERSION = "em-version"
    CLOCK = "em-clock"
    LOGON = "em-logon"
    ROLE = "em-role"
    SHARE = "share"
    DESTINATION = "destination"
    SPACE = "free-space"
    METADATA = "metadata"
    JOB = "job"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found. `about` names what was looked at, all of it; `exit_code` is what a failure asks for."""

    check: Check
    grade: Grade
    message: str
    remedy: str = ""
    about: tuple[str, ...] = ()
    exit_code: ExitCode = ExitCode.OK

    def __str__(self) -> str:
        """One line for a person: what was found, and what to do."""
        text = f"{self.check.value}: {self.message}"
        return f"{text}. {self.remedy}" if self.remedy else text


def passed(check: Check, message: str, *about: str) -> Finding:
    """All is well."""
    return Finding(check, Grade.PASS, message, about=about)


def warned(check: Check, message: str, remedy: str, *about: str) -> Finding:
    """A run goes on; somebody should look."""
    return Finding(check, Grade.WARN, message, remedy, about)


def failed(check: Check, error: OrchestratorError, *about: str) -> Finding:
    """What a run would end with; the words of an error say what to do."""
    return Finding(check, Grade.FAIL, str(error), about=about, exit_code=error.exit_code)


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """The worst that the failures ask for."""
    return worst(*(one.exit_code for one in findings if one.grade is Grade.FAIL))


def warnings(findings: Iterable[Finding]) -> list[str]:
    """The warnings, a line each, for a run that goes on."""
    return [str(one) for one in findings if one.grade is Grade.WARN]


def greeted(greeting: Greeting | EmError, *, url: str, pinned: bool, now: datetime) -> list[Finding]:
    """What EM's entry document, shown to anybody, and its certificate say."""
    if isinstance(greeting, EmError):
        return [failed(Check.REACHABLE, greeting)]
    return [
        passed(Check.REACHABLE, f"{url} answers in {greeting.seconds:.1f} s"),
        _certificate(greeting.certificate_ends, pinned, now),
        _version(greeting.versions),
        _clock(greeting.date, now),
    ]


def _certificate(ends: datetime | None, pinned: bool, now: datetime) -> Finding:
    how = "pinned by its fingerprint" if pinned else "trusted"
    if ends is None:
        return passed(Check.CERTIFICATE, f"{how}; until when it is valid could not be seen")
    days = (ends - now).days
    if ends - now > CERTIFICATE_WARNING:
        return passed(Check.CERTIFICATE, f"{how}, valid until {ends:%Y-%m-%d}")
    when = f"expires in {days} days, on {ends:%Y-%m-%d}" if ends > now else f"expired on {ends:%Y-%m-%d}"
    key = "fingerprint_sha256" if pinned else "ca_file, if another CA issues it,"
    return warned(
        Check.CERTIFICATE, f"{how}, and {when}", f"Have it renewed; put the new {key} into [enterprise_manager] then"
    )


def _version(versions: Sequence[str]) -> Finding:
    known = [tuple(map(int, found.groups())) for one in versions if (found := re.fullmatch(r"v(\d+)_(\d+)", one))]
    if not known:
        said = "the entry document names no version of the web API"
        return warned(Check.VERSION, said, "Check that enterprise_manager.url names Enterprise Manager itself")
    newest = max(known)
    name = f"v{newest[0]}_{newest[1]}"
    if newest >= TESTED_VERSION:
        return passed(Check.VERSION, f"web API {name}")
    said = f"the newest web API is {name}, older than v1_7 of Enterprise Manager 12 and 13, to which this is built"
    return warned(Check.VERSION, said, "Try one machine first; an upgrade of Enterprise Manager is the cure")


def _clock(date: datetime | None, now: datetime) -> Finding:
    if date is None:
        return warned(Check.CLOCK, "the answer has no Date", "Compare the clocks of both machines yourself")
    apart = date - now
    if abs(apart) <= CLOCK_WARNING:
        return passed(Check.CLOCK, f"within {abs(apart).total_seconds():.0f} s of this one")
    which = "ahead of" if apart > timedelta() else "behind"
    said = f"the clock of Enterprise Manager is {abs(apart).total_seconds():,.0f} s {which} the one here"
    return warned(Check.CLOCK, said, "Set both by NTP: ages and times of restore points are told by them")


def room(destination: str, free: int, reserve: int) -> Finding:
    """Whether a destination has more free bytes than its reserve, below which nothing is copied."""
    if free > reserve:
        return passed(Check.SPACE, f"{destination}: {_mib(free)} free", destination)
    said = f"{destination}: {_mib(free)} free, and the reserve is {_mib(reserve)}"
    return warned(
        Check.SPACE, said, "Make room: until then a run copies nothing there (limits.reserve_mib)", destination
    )


def dressed(destination: str, takes: Collection[Property], wanted: Collection[Property]) -> Finding:
    """What files there will hold beside their bytes: a warning when a job wants more than that."""
    lacking = [WORDS[one] for one in Property if one in wanted and one not in takes]
    if lacking:
        said = f"{destination} does not take {', '.join(lacking)}"
        remedy = "They wait in metadata.jsonl of the run; `orchestrator apply-metadata` puts them on where it can"
        return warned(Check.METADATA, said, remedy, destination)
    held = ", ".join(WORDS[one] for one in Property if one in takes)
    return passed(Check.METADATA, f"{destination} takes {held or 'nothing beside the content'}", destination)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB" if size < 10 * 2**30 else f"{size / 2**30:,.0f} GiB"


def offered(points: Sequence[RestorePoint] | EmError) -> Finding:
    """Whether the account may restore, as far as EM shows it: points that it can see, and the link that makes a mount.

    Whether EM then obeys is seen only at the first mount.
    """
    if isinstance(points, EmError):
        return failed(Check.ROLE, points)
    if not points:
        said = "the account sees no restore point at all"
        remedy = "Check its role (File Restore Operator) and its restore scope, which EM rebuilds once a day"
        return warned(Check.ROLE, said, remedy)
    shut = [point for point in points if not point.create_href]
    if len(shut) == len(points):
        said = f"Enterprise Manager shows the restore point of {points[0].vm} and offers no mount of it"
        remedy = "The account needs the role File Restore Operator, and EM the edition Enterprise or Enterprise Plus"
        return Finding(Check.ROLE, Grade.FAIL, said, remedy, exit_code=ExitCode.EM)
    return passed(Check.ROLE, "Enterprise Manager offers to mount; whether it lets the account is seen at the first")


def machines(plan: Plan, now: datetime) -> list[Finding]:
    """The obstacles that EM tells of the restore points of a plan: one finding for each kind, whatever the number."""
    points = list({group.point.uid: group.point for group in plan.groups}.values())
    if not points:
        return []
    found = []
    if shut := [point for point in points if not point.create_href]:
        said = f"Enterprise Manager offers no mount of the restore point of {_named(shut)}"
        found.append(warned(Check.MACHINE, said, "The account lacks the right for it, or the edition", *_all(shut)))
    if reverse := [point for point in points if point.reverse]:
        said = f"reverse-incremental backup of {_named(reverse)}: it cannot be mounted while its job runs"
        remedy = "Enterprise Manager does not tell whether the job runs; look, and restore before or after it"
        found.append(warned(Check.MACHINE, said, remedy, *_all(reverse)))
    if future := [point for point in points if point.created > now + CLOCK_WARNING]:
        said = f"the restore point of {_named(future)} is of the future"
        found.append(warned(Check.MACHINE, said, "Compare the clocks of the backup server and here", *_all(future)))
    if not found:
        several = "restore point" if len(points) == 1 else "restore points"
        text = f"{len(points):,} {several}, of which Enterprise Manager tells no obstacle"
        found.append(passed(Check.MACHINE, text, *_all(points)))
    return found


def unreachable_fall_backs(plans: Iterable[Plan], known: Callable[[str], bool]) -> list[Finding]:
    """A warning for each backup server of fall-back restore points that the config says nothing of: no run is refused
    for it, and the night is a bad time to learn it."""
    lost: dict[str, list[RestorePoint]] = {}
    for group in (group for plan in plans for group in plan.groups):
        for point in group.others:
            if not known(point.backup_server):
                lost.setdefault(point.backup_server, []).append(point)
    return [
        warned(
            Check.SHARE,
            f"fall-back restore points of {_named(points)} are on {server}, of which the config says nothing",
            f'Add [[backup_servers]] name = "{server}" with its shares, or name = "*" for all',
            server,
        )
        for server, points in sorted(lost.items())
    ]


def _named(points: Sequence[RestorePoint]) -> str:
    names = list(dict.fromkeys(point.vm for point in points))
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _all(points: Sequence[RestorePoint]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(point.vm for point in points))
