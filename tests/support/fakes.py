"""Ports of the engine in memory. Each passes the contract suite that the real room passes (tests/contract/)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.core.counting import Before, slug_of
from orchestrator.core.drops import DrillRow, DropRow, DropState, ScheduleRow
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import RunUnknown
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, SessionRow, Totals
from orchestrator.core.lifecycle import OPEN_STATES


@dataclass
class MemoryJournal:
    """Every port of the journal over dictionaries."""

    runs_by_id: dict[str, RunRow] = field(default_factory=dict)
    group_rows: dict[tuple[str, str], GroupRow] = field(default_factory=dict)
    lease_rows: dict[str, LeaseRow] = field(default_factory=dict)
    session_rows: dict[str, SessionRow] = field(default_factory=dict)
    outcome_rows: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    drop_rows: dict[str, DropRow] = field(default_factory=dict)
    schedule_rows: dict[str, ScheduleRow] = field(default_factory=dict)
    drill_rows: dict[str, DrillRow] = field(default_factory=dict)
    is_paused: bool = False

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

    def record(self, run: str, outcomes: Sequence[Outcome]) -> list[Before]:
        self.run(run)
        found: list[Before] = []
        for outcome in outcomes:
            key = (run, outcome.group, outcome.guest_path)
            known = self.outcome_rows.get(key)
            found.append((known.verdict, known.size, slug_of(known)) if known else None)
            if known is None or known.verdict is not Verdict.RESTORED or outcome.verdict is Verdict.RESTORED:
                self.outcome_rows[key] = outcome
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
