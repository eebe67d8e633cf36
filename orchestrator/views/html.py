"""The report as one page for people: no outside request, no script; prints; light and dark."""

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import GroupState
from orchestrator.core.report import Problem, Report
from orchestrator.views.fidelity import HEADS, asked, card_notes, card_rows
from orchestrator.views.originals import SHOWN, original_words
from orchestrator.views.text import cause_and_action
from orchestrator.views.units import count, duration, instant, rate, size, verdict, visible

if TYPE_CHECKING:
    from jinja2 import Template

EXAMPLES = 50
"""The page shows this many files for each reason; report.json has them all."""

_TONES = {ExitCode.OK: "good", ExitCode.PARTIAL: "fair", ExitCode.STOPPED: "fair"}


class _Cause(NamedTuple):
    slug: str
    number: int
    cause: str
    action: str
    problems: list[Problem]
    more: int


@cache
def _page() -> "Template":
    """Loaded and compiled when the first report is written."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orchestrator.views", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "size": size, "duration": duration, "instant": instant, "rate": rate}
    environment.globals["count"] = count
    return environment.get_template("report.html.j2")


def forget_templates() -> None:
    """Let go of what is compiled; the next report compiles it again."""
    _page.cache_clear()


def report_html(report: Report) -> str:
    """A self-contained page. File names are escaped for HTML, and their control characters are written out."""
    seconds = report.seconds
    return _page().render(
        report=report,
        verdict=verdict(report.exit_code),
        tone="open" if report.exit_code is None else _TONES.get(_known(report.exit_code), "bad"),
        causes=_causes(report),
        done=sum(1 for group in report.groups if group.state == GroupState.DONE.value),
        asked=asked(report),
        heads=HEADS,
        card=card_rows(report.fidelity),
        notes=card_notes(report),
        original_words=original_words,
        shown=SHOWN,
        speed=report.totals.bytes / seconds if seconds else None,
    )


def _known(code: int) -> ExitCode:
    return ExitCode(code) if code in set(ExitCode) else ExitCode.BUG


def _causes(report: Report) -> list[_Cause]:
    ordered = sorted(report.problems, key=lambda problem: problem.reason)
    by_reason = {slug: list(found) for slug, found in groupby(ordered, key=lambda problem: problem.reason)}
    causes = []
    for slug, number in report.problems_by_reason.items():
        cause, action = cause_and_action(slug)
        shown = by_reason.get(slug, [])[:EXAMPLES]
        causes.append(_Cause(slug, number, cause, action, shown, number - len(shown)))
    return causes
