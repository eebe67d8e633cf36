"""Numbers, times and names as a person reads them."""

import unicodedata
from datetime import UTC, datetime

from orchestrator.core.catalog import PointKind
from orchestrator.core.errors import ExitCode

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_JOINERS = "\u200c\u200d"  # change how letters join (Persian, Hindi, emoji), and nothing else
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

VERDICTS = {
    ExitCode.OK: "Everything asked for is restored.",
    ExitCode.BUG: "The run ended through an error in orchestrator itself; what is listed here is what was done.",
    ExitCode.WORDS: "The command line, the config or the job is wrong; nothing was restored.",
    ExitCode.PARTIAL: "The run finished, but some of what was asked for was not restored.",
    ExitCode.EM: "Enterprise Manager could not do its part; some machines were not restored.",
    ExitCode.STATE: "The journal or the state folder is unusable; the run could not be kept safely.",
    ExitCode.STOPPED: "The run was stopped before its end; `orchestrator resume` continues it.",
    ExitCode.MOUNTS_LEFT: "Mounts may have been left behind; `orchestrator sweep` removes them.",
}


def verdict(exit_code: int | None) -> str:
    """What an exit code means, in one sentence; None stands for a run that has not ended."""
    if exit_code is None:
        return "The run has not ended."
    known = exit_code in set(ExitCode)
    return VERDICTS[ExitCode(exit_code)] if known else f"The run ended with exit code {exit_code}."


SHORT_VERDICTS = {
    ExitCode.OK: "all restored",
    ExitCode.BUG: "our bug",
    ExitCode.WORDS: "not valid",
    ExitCode.PARTIAL: "partly restored",
    ExitCode.EM: "EM failed",
    ExitCode.STATE: "state unusable",
    ExitCode.STOPPED: "stopped",
    ExitCode.MOUNTS_LEFT: "mounts left",
}


def short_verdict(exit_code: int | None) -> str:
    """The same in a word or two, for a table."""
    if exit_code is None:
        return "not ended"
    return SHORT_VERDICTS[ExitCode(exit_code)] if exit_code in set(ExitCode) else f"exit code {exit_code}"


def size(count: int) -> str:
    """`1023 B`, then binary units with three or four figures: `1.00 KiB`, `12.3 GiB`, `1023 MiB`."""
    if abs(count) < 1024:
        return f"{count} B"
    value, unit = float(count), "B"
    for bigger in _UNITS:
        value, unit = value / 1024, bigger
        if abs(value) < 1023.5:
            break
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def rate(per_second: float) -> str:
    """Bytes per second: `35.2 MiB/s`."""
    return f"{size(round(per_second))}/s"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `59 s`, `4 min 05 s`, `3 h 02 min`, `2 d 03 h`; `-` when it is not known."""
    if seconds is None:
        return "-"
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def about(seconds: float) -> str:
    """A time that is shown while it passes, no finer than it is read: `40 s`, `12 min`, `3 h 02 min`, `2 d 03 h`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else duration(whole)


def instant(at: datetime | None) -> str:
    """`2026-11-20 06:00:00 UTC`; `-` when there is none."""
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_SOURCES = {PointKind.VM: "the restore point", PointKind.REPLICA: "the replica", PointKind.AGENT: "the agent's point"}


def point_words(source: str, created: datetime) -> str:
    """`the replica of 2026-11-20 06:00:00 UTC`; `source` is the value of a kind of restore points."""
    return f"{_SOURCES[PointKind(source)]} of {instant(created)}"


def clock(at: datetime, now: datetime) -> str:
    """`06:00 UTC` on the day of `now`, `2026-11-20 06:00 UTC` on any other; days are those of UTC."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    return at.strftime("%H:%M UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC")


def clipped(text: str, most: int = 240) -> str:
    """`text` made visible, and its middle left out when it is longer than a page can bear."""
    return visible(text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}")


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `12,345 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def visible(text: str) -> str:
    r"""`text` on one line, with everything that could drive a terminal or hide in it written out: `\x1b`, `\u202e`.

    A byte of a name that is not valid Unicode is shown as that byte. For people only: it cannot be turned back.
    """
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _JOINERS or unicodedata.category(char) not in _ESCAPED:
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
