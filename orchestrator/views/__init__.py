"""Views: a value in, text out, and nothing else.

May touch: its arguments, and its own templates, read once when they are imported. Promises: the same value gives the
same text; a hostile file name can neither drive a terminal nor leave its place in a page or a JSON string; times are
UTC, sizes are bytes or binary units. Refuses: files, clock, network, log, threads, `await`, and every decision.
`status`, the page, is loaded by who shows it.
"""

from orchestrator.views.announcement import announcement_text, announcement_title, announcement_values
from orchestrator.views.browsing import browsed_json, browsed_text
from orchestrator.views.findings import findings_json, findings_text
from orchestrator.views.html import forget_templates, report_html
from orchestrator.views.json import (
    drills_json,
    event_json,
    event_name,
    listed_json,
    plan_json_view,
    pruned_json,
    queue_json,
    report_json,
    status_json,
)
from orchestrator.views.limits import (
    change_line,
    change_words,
    limits_line,
    limits_of,
    limits_text,
    limits_values,
    run_limits,
)
from orchestrator.views.log import LogLines, log_line, progress_line
from orchestrator.views.members import members_json, members_text
from orchestrator.views.plan import plan_text
from orchestrator.views.points import points_json, points_text
from orchestrator.views.survey import survey_text
from orchestrator.views.text import (
    drills_text,
    pruned_text,
    queue_text,
    report_text,
    runs_text,
    standing_text,
    status_text,
)
from orchestrator.views.undo import undo_json, undo_text
from orchestrator.views.units import count, duration, instant, rate, size, visible

__all__ = [
    "LogLines",
    "announcement_text",
    "announcement_title",
    "announcement_values",
    "browsed_json",
    "browsed_text",
    "change_line",
    "change_words",
    "count",
    "drills_json",
    "drills_text",
    "duration",
    "event_json",
    "event_name",
    "findings_json",
    "findings_text",
    "forget_templates",
    "instant",
    "limits_line",
    "limits_of",
    "limits_text",
    "limits_values",
    "listed_json",
    "log_line",
    "members_json",
    "members_text",
    "plan_json_view",
    "plan_text",
    "points_json",
    "points_text",
    "progress_line",
    "pruned_json",
    "pruned_text",
    "queue_json",
    "queue_text",
    "rate",
    "report_html",
    "report_json",
    "report_text",
    "run_limits",
    "runs_text",
    "size",
    "standing_text",
    "status_json",
    "status_text",
    "survey_text",
    "undo_json",
    "undo_text",
    "visible",
]
