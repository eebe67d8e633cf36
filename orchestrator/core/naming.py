"""What a copy beside an existing file is called. The name depends on the file and its restore point alone, so that a
second run of the same job finds its own copy again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from orchestrator.core.paths import TargetPath, beside, safe_component

RENAME_PATTERN = "{stem} (restored {point}{count}){suffix}"

_KNOWN = ("name", "stem", "suffix", "point", "date", "vm", "count")
_UNUSABLE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")


def check_pattern(pattern: str) -> str:
    """`pattern`, when it can name copies; ValueError with what to do."""
    for match in _PLACEHOLDER.finditer(pattern):
        if match[1] not in _KNOWN:
            listed = ", ".join(f"{{{name}}}" for name in _KNOWN)
            raise ValueError(f"{match[0]!r} is not known; there are {listed}")
    bad = _UNUSABLE.search(_PLACEHOLDER.sub("", pattern))
    if bad is not None:
        raise ValueError(f"{bad[0]!r} cannot be part of a file name; the copy stays in the folder of its file")
    names = {match[1] for match in _PLACEHOLDER.finditer(pattern)}
    if not names & {"name", "stem"}:
        raise ValueError("it needs {stem} or {name}, or all copies of a folder would have one name")
    sample = {"name": "a.b", "stem": "a", "suffix": ".b", "point": "p", "date": "d", "vm": "v", "count": ""}
    if _filled(pattern, sample) in ("a.b", "a"):
        raise ValueError("it must add something to the name, such as {point}")
    if _filled(pattern, sample) != _filled(pattern, sample).rstrip(" ."):
        raise ValueError("it ends with a space or a dot, which Windows cannot keep")
    return pattern


def renamed(target: TargetPath, pattern: str, vm: str, created: datetime, attempt: int = 0) -> TargetPath:
    """Where the copy beside `target` goes: `plan (restored 20261120T060000Z).xlsx`, then `... 2).xlsx` and so on.

    `{count}` is nothing at first and ` 2` next; a pattern without it gets it before the suffix. PathRefused when the
    name cannot be held.
    """
    path = PurePosixPath(target.relative)
    utc = created.astimezone(UTC)
    values = {
        "name": path.name,
        "stem": path.stem,
        "suffix": path.suffix,
        "point": utc.strftime("%Y%m%dT%H%M%SZ"),
        "date": utc.strftime("%Y-%m-%d"),
        "vm": safe_component(vm),
        "count": f" {attempt + 1}" if attempt else "",
    }
    return beside(target, _filled(_counted(pattern), values))


def _counted(pattern: str) -> str:
    if "{count}" in pattern:
        return pattern
    ends = pattern.endswith("{suffix}")
    return f"{pattern.removesuffix('{suffix}')}{{count}}{'{suffix}' if ends else ''}"


def _filled(pattern: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], pattern)
