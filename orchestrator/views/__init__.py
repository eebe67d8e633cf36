"""Views: a value in, text out, and nothing else.

May touch: its arguments, and its own templates, read once when they are imported. Promises: the same value gives the
same text; a hostile file name can neither drive a terminal nor leave its place in a page or a JSON string; times are
UTC, sizes are bytes or binary units. Refuses: files, clock, network, log, threads, `await`, and every decision.
What only one command, the page or a message shows is loaded by who shows it: `announcement`, `browsing`, `findings`,
`members`, `plan`, `points`, `status`, `survey` and `undo`.
"""

from orchestrator.views.html import forget_templates, report_html
from orchestrator.views.json import (
    drills_json,
    event_json,
    event_name,
    listed_json,
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
from orchestrator.views.text import (
    drills_text,
    pruned_text,
    queue_text,
    report_text,
    runs_text,
    standing_text,
    status_text,
)
from orchestrator.views.units import count, duration, instant, rate, size, visible

__all__ = [
    "LogLines",
    "change_line",
    "change_words",
    "count",
    "drills_json",
    "drills_text",
    "duration",
    "event_json",
    "event_name",
    "forget_templates",
    "instant",
    "limits_line",
    "limits_of",
    "limits_text",
    "limits_values",
    "listed_json",
    "log_line",
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
    "visible",
]
