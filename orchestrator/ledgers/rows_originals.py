"""Rows of the table `originals` as values of the core, and back."""

import json

from orchestrator.core.originals import OriginalRow, OriginalState, Standing
from orchestrator.ledgers.rows import Parameters, Row, load_text, load_time


def from_original(key: int, row: OriginalRow) -> Parameters:
    return {
        "run": key,
        "group": row.group,
        "guest_path": row.guest_path,
        "vm": row.vm,
        "standing": row.standing.value,
        "state": row.state.value,
        "session": row.session,
        "asked": row.asked,
        "before": json.dumps(row.before),
        "task_href": row.task_href,
        "size": row.size,
        "message": row.message,
        "ended": row.ended,
    }


def to_original(row: Row) -> OriginalRow:
    run, group, path, vm, standing, state, session, asked, before, task, size, message, ended = row
    return OriginalRow(
        run=run,
        group=load_text(group),
        guest_path=load_text(path),
        vm=load_text(vm),
        standing=Standing(standing),
        state=OriginalState(state),
        session=session,
        asked=load_time(asked),
        before=tuple(json.loads(before)),
        task_href=task,
        size=size,
        message=load_text(message),
        ended=None if ended is None else load_time(ended),
    )
