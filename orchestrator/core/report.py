"""What a run did, as one value: for a person, an auditor and a program. Views only print it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import ExitCode, worst
from orchestrator.core.events import RunReported
from orchestrator.core.fidelity import Card
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, Totals
from orchestrator.core.lifecycle import OPEN_STATES, LeaseState
from orchestrator.core.originals import OriginalRow, OriginalState
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import HeldFiles, UndoRow

PROBLEMS_SHOWN = 10_000
"""A report names this many problems; the journal and the residual job hold all of them."""


@dataclass(frozen=True, slots=True)
class MountReport:
    """One mount: its path at EM, where its lease ended, and the mount host on which it was seen."""

    href: str
    state: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One restore point."""

    group: str
    vm: str
    restore_point: str
    created: datetime
    backup_server: str
    state: str
    message: str
    seconds: float | None
    destinations: tuple[str, ...]
    mounts: tuple[MountReport, ...]
    totals: Totals
    fidelity: Card = field(default_factory=Card)
    """What became of what its files and folders are beside their bytes."""
    kind: str = "vm"
    """Whose restore point it is: of a machine's backup, of its replica, of an agent."""
    instead_of: tuple[str, ...] = ()
    """The restore points before it in the fall-back order, which could not be mounted."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The mount hosts on which its mounts were seen."""
        return tuple(dict.fromkeys(mount.host for mount in self.mounts if mount.host))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was not restored, or one job entry that could not be planned."""

    vm: str
    guest_path: str
    target_path: str
    verdict: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class OriginalReport:
    """One path that EM was asked to restore to its original location. `result` is restored, failed or unknown (while
    the run goes on also intended or asked), `message` EM's words. `files` and `bytes` are None where EM does not tell
    them, as of folders."""

    group: str
    vm: str
    guest_path: str
    standing: str
    result: str
    message: str
    files: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A limit or a pause that was changed while the run went on. `change` is a sentence; `who` is empty when it was the
    clock."""

    at: datetime
    change: str
    who: str


@dataclass(frozen=True, slots=True)
class LeftMount:
    """A mount that may still be open, with all that is known to find it."""

    vm: str
    restore_point: str
    created: datetime
    backup_server: str
    href: str
    share: str
    folder: str
    cause: str
    host: str = ""

    @property
    def remedy(self) -> str:
        """The vendor's own command, for the backup server's PowerShell."""
        name = re.sub(r"[][*?`]", r"`\g<0>", self.vm)
        name = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", name)
        # PowerShell takes typographic quotes for plain ones, and a machine may be named by a stranger.
        name = re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", name)
        return (
            f"Get-VBRRestoreSession | ? {{ $_.Name -like '*{name}*' -and $_.State -eq 'Working' }}; "
            "Stop-VBRWindowsFileRestore"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. `ended` and `exit_code` are None while it is running."""

    run: str
    job: str
    state: str
    started: datetime
    ended: datetime | None
    exit_code: int | None
    totals: Totals
    groups: tuple[GroupReport, ...]
    problems: tuple[Problem, ...]
    problems_by_reason: Mapping[str, int]
    mounts_opened: int
    mounts_deleted: int
    mounts_left: tuple[LeftMount, ...]
    sessions: int = 1
    """Logon sessions used: one more for each time EM ended it, or the run was resumed."""
    remounts: int = 0
    """How often a restore point had to be mounted again."""
    checksum: str = ""
    """The kind of checksum that was taken of every file; `none` when none was."""
    verify: str = ""
    """How copies were proved."""
    replaced: int = 0
    """Restored files that took the place of others which are not kept."""
    set_aside: tuple[HeldFiles, ...] = ()
    """Files that were replaced and are kept, by destination."""
    undos: tuple[UndoRow, ...] = ()
    """How often the run was undone, oldest first."""
    metadata: tuple[str, ...] = ()
    """How much was asked for beside the bytes: the values of the job's key, in the order of the plan."""
    changes: tuple[Change, ...] = ()
    """What was changed while it went on, the oldest first."""
    originals: tuple[OriginalReport, ...] = ()
    """What EM was asked to restore to its original location, in the order of asking."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Where the run's artefacts are: report, manifest and so on, by kind."""

    @property
    def hosts(self) -> Mapping[str, int]:
        """On which mount hosts how many mounts were seen, by name."""
        found = Counter(mount.host for group in self.groups for mount in group.mounts if mount.host)
        return dict(sorted(found.items()))

    @property
    def fidelity(self) -> Card:
        """What became of what files and folders are beside their bytes, over all groups."""
        return sum((group.fidelity for group in self.groups), Card())

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else (self.ended - self.started).total_seconds()

    @property
    def closing_line(self) -> str:
        """The proof that nothing was left behind; the last line of every run."""
        return f"mounts opened {self.mounts_opened}, deleted {self.mounts_deleted}, left {len(self.mounts_left)}"


@dataclass(frozen=True, slots=True)
class Replacements:
    """What a run has replaced, and whether that was undone."""

    replaced: int = 0
    set_aside: Sequence[HeldFiles] = ()
    undos: Sequence[UndoRow] = ()


def make_report(
    plan: Plan,
    run: RunRow,
    groups: Sequence[GroupRow],
    leases: Sequence[LeaseRow],
    totals: Mapping[str, Totals],
    problems: Sequence[Outcome],
    files: Mapping[str, str] | None = None,
    replacements: Replacements | None = None,
    fidelity: Mapping[str, Card] | None = None,
) -> Report:
    """The report of `run` from what the journal holds. `problems` are all there are; not all of them are shown.
    `totals` and `fidelity` are by group. `plan` has the restore points that were taken (`plan_as_taken`)."""
    found, cards = replacements or Replacements(), fidelity or {}
    rows = {row.group: row for row in groups}
    vms = {group.id: group.vm for group in plan.groups}
    reasons = Counter({Reason.PLAN.slug: len(plan.problems)}) + Counter(_slug(one) for one in problems)
    listed = [_planning_problem(one.entry, str(one)) for one in plan.problems]
    listed += [_problem(one, vms.get(one.group, "")) for one in problems[:PROBLEMS_SHOWN]]
    real = [lease for lease in leases if lease.mount_href or lease.state in OPEN_STATES]
    return Report(
        run=run.id,
        job=run.job,
        state=run.state.value,
        started=run.started,
        ended=run.ended,
        exit_code=run.exit_code,
        totals=sum(totals.values(), Totals()),
        groups=tuple(
            _group(group, rows.get(group.id), real, totals.get(group.id, Totals()), cards.get(group.id, Card()))
            for group in plan.groups
        ),
        problems=tuple(listed),
        problems_by_reason=dict(reasons.most_common()),
        mounts_opened=sum(1 for lease in real if lease.mount_href),
        mounts_deleted=sum(1 for lease in real if lease.state in (LeaseState.RELEASED, LeaseState.CONFIRMED)),
        mounts_left=tuple(left_mount(lease) for lease in leases if lease.state in OPEN_STATES),
        sessions=max(1, len({lease.session for lease in leases})),
        remounts=sum(count - 1 for count in Counter(lease.group for lease in real if lease.mount_href).values()),
        checksum=run.checksum,
        verify=plan.verify.value,
        replaced=found.replaced,
        set_aside=tuple(found.set_aside),
        undos=tuple(found.undos),
        metadata=tuple(dict.fromkeys(one.wishes.metadata.value for group in plan.groups for one in group.selections)),
        files=files or {},
    )


def original_reports(rows: Iterable[OriginalRow]) -> tuple[OriginalReport, ...]:
    """What came of each path that EM was asked for. What it did not begin is asked for anew, and not told."""
    return tuple(
        OriginalReport(
            row.group, row.vm, row.guest_path, row.standing.value, row.state.value, row.message,
            None if row.size is None else 1, row.size,
        )
        for row in rows
        if row.state is not OriginalState.NOTHING
    )  # fmt: skip


def reported(report: Report, at: datetime) -> RunReported:
    """The event that tells the totals of a report."""
    return RunReported(
        at=at,
        run=report.run,
        job=report.job,
        groups=tuple(sorted(Counter(group.state for group in report.groups).items())),
        problems=tuple(report.problems_by_reason.items()),
        mounts_opened=report.mounts_opened,
        mounts_deleted=report.mounts_deleted,
        mounts_left=len(report.mounts_left),
        sessions=report.sessions,
        remounts=report.remounts,
    )


def exit_code_of(
    plan: Plan, groups: Sequence[GroupRow], leases: Sequence[LeaseRow], totals: Totals, stopped: bool
) -> ExitCode:
    """The exit code of a finished run; the worst that applies."""
    codes = [ExitCode.OK]
    if plan.problems or totals.refused or totals.failed:
        codes.append(ExitCode.PARTIAL)
    if any(row.state is GroupState.FAILED for row in groups):
        codes.append(ExitCode.EM)
    if stopped:
        codes.append(ExitCode.STOPPED)
    if any(lease.state in OPEN_STATES for lease in leases):
        codes.append(ExitCode.MOUNTS_LEFT)
    return worst(*codes)


def _group(
    group: MountGroup, row: GroupRow | None, leases: Sequence[LeaseRow], totals: Totals, card: Card
) -> GroupReport:
    return GroupReport(
        group=group.id,
        vm=group.vm,
        restore_point=group.point.uid,
        created=group.point.created,
        backup_server=group.point.backup_server,
        state=(row.state if row else GroupState.WAITING).value,
        message=row.message if row else "",
        seconds=row.seconds if row else None,
        destinations=group.destinations,
        mounts=tuple(MountReport(one.mount_href, one.state.value, one.host) for one in leases if one.group == group.id),
        totals=totals,
        fidelity=card,
        kind=group.point.kind.value,
        instead_of=tuple(point.uid for point in group.instead_of),
    )


def _problem(outcome: Outcome, vm: str) -> Problem:
    return Problem(vm, outcome.guest_path, outcome.target_path, outcome.verdict.value, _slug(outcome), outcome.message)


def _slug(outcome: Outcome) -> str:
    return outcome.reason.slug if outcome.reason else ""


def _planning_problem(entry: int, message: str) -> Problem:
    return Problem("", f"restore[{entry}]", "", Verdict.REFUSED.value, Reason.PLAN.slug, message)


def left_mount(lease: LeaseRow) -> LeftMount:
    """All that is known of a mount that may still be open."""
    return LeftMount(
        vm=lease.point.vm,
        restore_point=lease.point.uid,
        created=lease.point.created,
        backup_server=lease.point.backup_server,
        href=lease.mount_href or lease.task_href or lease.point.mounts_href,
        share=lease.share,
        folder=lease.folder,
        cause=lease.note or f"state {lease.state.value}",
        host=lease.host,
    )
