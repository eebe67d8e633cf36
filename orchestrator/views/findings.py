"""What the checks before a run have found, as text and as JSON."""

from collections.abc import Sequence

from orchestrator.core.preflight import Finding, Grade, exit_code
from orchestrator.views.json import dump
from orchestrator.views.units import count, visible


def findings_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, and below it what to do; the sum at the end."""
    width = max((len(one.check.value) for one in findings), default=0)
    lines = []
    for one in findings:
        lines.append(f"{one.grade.value}  {one.check.value:<{width}}  {visible(one.message)}")
        if one.remedy:
            lines.append(f"{'':{width + 8}}{visible(one.remedy)}.")
    warned, failed = (sum(one.grade is grade for one in findings) for grade in (Grade.WARN, Grade.FAIL))
    verdict = "all is well for a restore" if not warned + failed else f"{count(warned, 'warning')}, {failed:,} failed"
    return "\n".join([*lines, "", f"{count(len(findings), 'check')}: {verdict}", ""])


def findings_json(findings: Sequence[Finding]) -> str:
    """The findings for programs; the key names are the ones that docs/reference.md promises."""
    checks = [
        {
            "check": one.check.value,
            "grade": one.grade.value,
            "message": one.message,
            "remedy": one.remedy,
            "about": list(one.about),
        }
        for one in findings
    ]
    return dump({"exit_code": int(exit_code(findings)), "checks": checks}, indent=2)
