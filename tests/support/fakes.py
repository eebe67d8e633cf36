"""Ports of the engine in memory. Each passes the contract suite that the real room passes (tests/contract/)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.core.counting import Before, slug_of
from orchestrator.core.drops import DrillRow, DropRow, DropState, ScheduleRow
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import RunUnknown
from orchestrator.core.fidelity import Card, fidelity_code
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, SessionRow, Totals
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.core.originals import UNSETTLED, OriginalRow
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside, AsideState, UndoRow
from orchestrator.core.whereabouts import Answer


@dataclass
class MemoryJournal:
    """Every port of the journal over dictionaries."""

    runs_by_id: dict[str, RunRow] = field(default_factory=dict)
    group_rows: dict[tuple[str, str], GroupRow] = field(default_factory=dict)
    lease_rows: dict[str, LeaseRow] = field(default_factory=dict)
    session_rows: dict[str, SessionRow] = field(default_factory=dict)
    outcome_rows: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    folder_rows: dict[tuple[str, str, int], dict[str, int]] = field(default_factory=dict)
    drop_rows: dict[str, DropRow] = field(default_factory=dict)
    schedule_rows: dict[str, ScheduleRow] = field(default_factory=dict)
    drill_rows: dict[str, DrillRow] = field(default_factory=dict)
    is_paused: bool = False
    aside_rows: dict[tuple[str, str, str], Aside] = field(default_factory=dict)
    made_paths: set[tuple[str, str]] = field(default_factory=set)
    undo_rows: list[UndoRow] = field(default_factory=list)
    undone: set[tuple[str, str, str]] = field(default_factory=set)
    answer_rows: dict[tuple[object, ...], Answer] = field(default_factory=dict)
    original_rows: dict[tuple[str, str, str], OriginalRow] = field(default_factory=dict)

    def begin(self, run: RunRow) -> None:
        self.runs_by_id[run.id] = run

    def end(self, run: RunRow) -> None:
        known = self.run(run.id)
        self.runs_by_id[run.id] = replace(known, state=run.state, ended=run.ended, exit_code=run.exit_code)

    def run(self, run: str) -> RunRow:
        if run not in self.runs_by_id:
            raise RunUnknown(folder="memory", run=run)
        return self.runs_by_id[run]

    def runs(self) -> list[RunRow]:
        return sorted(self.runs_by_id.values(), key=lambda row: row.started)[::-1]

    def write_group(self, row: GroupRow) -> None:
        self.run(row.run)
        self.group_rows[row.run, row.group] = row

    def groups(self, run: str) -> list[GroupRow]:
        return sorted((row for row in self.group_rows.values() if row.run == run), key=lambda row: row.group)

    def vm_seconds(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for run in reversed(self.runs()):
            for row in self.groups(run.id):
                if row.state is GroupState.DONE and row.seconds is not None:
                    found[row.vm] = row.seconds
        return found

    def write_lease(self, row: LeaseRow) -> None:
        self.run(row.run)
        self.lease_rows[row.id] = row

    def leases(self, run: str) -> list[LeaseRow]:
        return sorted((row for row in self.lease_rows.values() if row.run == run), key=lambda row: row.opened)

    def open_leases(self) -> list[LeaseRow]:
        return sorted((row for row in self.lease_rows.values() if row.state in OPEN_STATES), key=lambda row: row.opened)

    def write_session(self, row: SessionRow) -> None:
        self.session_rows[row.id] = row

    def sessions(self) -> list[SessionRow]:
        return sorted(self.session_rows.values(), key=lambda row: (row.started, row.id))

    def erase_session(self, session: str) -> None:
        self.session_rows.pop(session, None)

    def answers(self) -> list[Answer]:
        return list(self.answer_rows.values())

    def write_answer(self, one: Answer) -> None:
        self.answer_rows[one.backup_server, one.kind, one.os, one.chain] = one

    def write_original(self, row: OriginalRow) -> None:
        self.run(row.run)
        self.original_rows[row.run, row.group, row.guest_path] = row

    def originals(self, run: str) -> list[OriginalRow]:
        return [row for row in self._originals_by_time() if row.run == run]

    def originals_of_vm(self, vm: str) -> list[OriginalRow]:
        return [row for row in self._originals_by_time() if row.vm == vm]

    def open_originals(self) -> list[OriginalRow]:
        return [row for row in self._originals_by_time() if row.state in UNSETTLED]

    def _originals_by_time(self) -> list[OriginalRow]:
        return sorted(self.original_rows.values(), key=lambda row: row.asked)

    def record(self, run: str, outcomes: Sequence[Outcome]) -> list[Before]:
        self.run(run)
        found: list[Before] = []
        for outcome in outcomes:
            key = (run, outcome.group, outcome.guest_path)
            known = self.outcome_rows.get(key)
            found.append((known.verdict, known.size, slug_of(known)) if known else None)
            if known is None or known.verdict is not Verdict.RESTORED or outcome.verdict is Verdict.RESTORED:
                self.outcome_rows[key] = outcome
                self.undone.discard(key)
        return found

    def totals(self, run: str) -> dict[str, Totals]:
        found: dict[str, Totals] = {}
        for (of_run, group, _), outcome in self.outcome_rows.items():
            if of_run == run:
                size = outcome.size if outcome.verdict is Verdict.RESTORED else 0
                found[group] = found.get(group, Totals()) + Totals(**{outcome.verdict.value: 1}, bytes=size)
        return found

    def problems(self, run: str, limit: int | None = None) -> list[Outcome]:
        bad = (Verdict.REFUSED, Verdict.FAILED)
        return sorted(self._of(run, bad), key=lambda one: (one.group, one.guest_path))[:limit]

    def restored(self, run: str) -> Iterator[Outcome]:
        rows = self._of(run, (Verdict.RESTORED,))
        yield from sorted(rows, key=lambda one: (one.target_path, one.group, one.guest_path))

    def record_folders(self, run: str, group: str, stage: int, codes: Mapping[str, int]) -> None:
        self.run(run)
        self.folder_rows[run, group, stage] = dict(codes)

    def fidelity(self, run: str) -> dict[str, Card]:
        codes: dict[str, list[tuple[str, int]]] = {}
        for (of_run, group, _), outcome in self.outcome_rows.items():
            if of_run == run and outcome.fidelity:
                codes.setdefault(group, []).append((fidelity_code(outcome.fidelity), 1))
        for (of_run, group, _), found in self.folder_rows.items():
            if of_run == run and found:
                codes.setdefault(group, []).extend(found.items())
        return {group: Card.of(found) for group, found in codes.items()}

    def _of(self, run: str, verdicts: Sequence[Verdict]) -> list[Outcome]:
        return [row for key, row in self.outcome_rows.items() if key[0] == run and row.verdict in verdicts]

    def write_drop(self, row: DropRow) -> None:
        self.drop_rows[row.id] = row

    def drop(self, id: str) -> DropRow | None:
        return self.drop_rows.get(id)

    def unfinished_drops(self) -> list[DropRow]:
        return [row for row in self._drops_by_time() if row.state is not DropState.ENDED]

    def recent_drops(self, limit: int) -> list[DropRow]:
        return self._drops_by_time()[::-1][:limit]

    def _drops_by_time(self) -> list[DropRow]:
        return sorted(self.drop_rows.values(), key=lambda row: row.taken)

    def schedules(self) -> list[ScheduleRow]:
        return sorted(self.schedule_rows.values(), key=lambda row: row.job)

    def write_schedule(self, row: ScheduleRow) -> None:
        self.schedule_rows[row.job] = row

    def forget_schedule(self, job: str) -> None:
        self.schedule_rows.pop(job, None)

    def paused(self) -> bool:
        return self.is_paused

    def write_paused(self, paused: bool) -> None:
        self.is_paused = paused

    def write_drill(self, row: DrillRow) -> None:
        self.drill_rows[row.run] = row

    def drills(self, job: str | None = None) -> list[DrillRow]:
        rows = [row for row in self.drill_rows.values() if job in (None, row.job)]
        return sorted(rows, key=lambda row: row.ended)[::-1]

    def write_asides(self, run: str, asides: Sequence[Aside]) -> None:
        self.run(run)
        self.aside_rows |= {(run, one.held.root, one.held.relative): one for one in asides}

    def asides(self, run: str, after: Aside | None, limit: int) -> list[Aside]:
        start = (after.held.root, after.held.relative) if after else ("", "")
        found = sorted(key for key, row in self.aside_rows.items() if key[0] == run and row.state is AsideState.HELD)
        return [self.aside_rows[key] for key in found if key[1:] > start][:limit]

    def was_aside(self, run: str, held: TargetPath) -> bool:
        return (run, held.root, held.relative) in self.aside_rows

    def note_made(self, run: str, paths: Sequence[str]) -> None:
        self.run(run)
        self.made_paths |= {(run, path) for path in paths}

    def made(self, run: str) -> Iterator[str]:
        yield from sorted((path for of_run, path in self.made_paths if of_run == run), reverse=True)

    def begin_undo(self, run: str, started: datetime) -> None:
        self.run(run)
        self.undo_rows.append(UndoRow(run, started))

    def end_undo(self, row: UndoRow) -> None:
        newest = max(number for number, one in enumerate(self.undo_rows) if one.run == row.run)
        self.undo_rows[newest] = replace(row, started=self.undo_rows[newest].started)

    def undos(self, run: str) -> list[UndoRow]:
        return [row for row in self.undo_rows if row.run == run]

    def to_undo(self, run: str, after: Outcome | None, limit: int) -> list[Outcome]:
        start = (after.group, after.guest_path) if after else ("", "")
        rows = [row for row in self._of(run, (Verdict.RESTORED,)) if (row.group, row.guest_path) > start]
        left = [row for row in rows if (run, row.group, row.guest_path) not in self.undone]
        return sorted(left, key=lambda row: (row.group, row.guest_path))[:limit]

    def mark_undone(self, run: str, outcomes: Sequence[Outcome]) -> None:
        self.run(run)
        self.undone |= {(run, one.group, one.guest_path) for one in outcomes}
