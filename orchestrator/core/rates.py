"""Bandwidths as people write them, and timetables of them.

`200 MB/s` is 200,000,000 bytes a second, `100 MiB/s` is 104,857,600, `500 Mbit/s` is 62,500,000, `none` is no limit. A
line of a timetable is a window and a bandwidth: `Mon-Fri 08:00-18:00 20 MB/s`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.core.windows import Window, Windows
from orchestrator.core.zones import zone_of

Rate = int | None
"""Bytes a second; None is no limit."""

LEAST = 1000
"""Bytes a second. Slower is no limit but a stop, for which there are `pause` and `stop`."""

_UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_UNITS |= {f"{letter}IB": 1024.0**power for power, letter in enumerate("KMGT", 1)}
_UNITS |= {"BIT": 1 / 8, "KBIT": 1e3 / 8, "MBIT": 1e6 / 8, "GBIT": 1e9 / 8}
_RATE = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,6})?) ?(?P<unit>[A-Za-z]+)(?:/s)?", re.ASCII)
_HINT = "write it as 200 MB/s (bytes), 500 Mbit/s (bits) or none"
_LINE = re.compile(r"(?P<window>.*\d\d?:\d\d ?- ?\d\d?:\d\d) (?P<rate>.+)")


def rate_of(text: str) -> Rate:
    """The bandwidth that a text means; ValueError in plain words when it means none."""
    plain = " ".join(text.split())
    if plain.casefold() == "none":
        return None
    found = _RATE.fullmatch(plain)
    if found is None:
        raise ValueError(f"{text!r} is no bandwidth; {_HINT}")
    unit = found["unit"]
    if unit in ("b", "kb", "Kb", "mb", "Mb", "gb", "Gb", "tb", "Tb"):
        raise ValueError(f"{text!r} may be meant as bits or as bytes; {_HINT}")
    size = _UNITS.get(unit.upper())
    if size is None:
        raise ValueError(f"{text!r}: {unit!r} is no unit; {_HINT}")
    rate = round(float(found["number"]) * size)
    if rate < LEAST:
        raise ValueError(f"{text!r} is less than 1 kB/s; to hold a run, say `orchestrator pause RUN`")
    return rate


def rate_text(rate: Rate) -> str:
    """The shortest exact way to write a bandwidth in bytes: `20 MB/s`, `62.5 MB/s`, `none`."""
    if rate is None:
        return "none"
    for unit, size in (("GB/s", 10**9), ("MB/s", 10**6), ("kB/s", 10**3)):
        if rate >= size and rate * 1000 % size == 0:
            return f"{rate / size:.3f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{rate} B/s"


@dataclass(frozen=True, slots=True)
class Timetable:
    """Bandwidths by the hour. Of lines whose windows are open, the first one counts; when none is, `otherwise`."""

    lines: tuple[tuple[Windows, Rate], ...] = ()
    otherwise: Rate = None

    @staticmethod
    def of(texts: Sequence[str] = (), time_zone: str = "UTC", otherwise: Rate = None) -> "Timetable":
        """ValueError when one of them is no line of a timetable, or the zone is none."""
        zone = zone_of(time_zone)
        return Timetable(tuple(_line(text, zone) for text in texts), otherwise)

    def at(self, instant: datetime) -> Rate:
        """What counts at an instant."""
        return next((rate for windows, rate in self.lines if windows.is_open(instant)), self.otherwise)

    def next_change(self, after: datetime) -> datetime | None:
        """When something else counts than at `after`; None when nothing ever does, or not within a few weeks."""
        now, instant = self.at(after), after
        for _ in range(16 * max(1, len(self.lines))):
            turns = [turn for windows, _ in self.lines if (turn := _turn(windows, instant)) is not None]
            if not turns:
                return None
            instant = min(turns)
            if self.at(instant) != now:
                return instant
        return None


@dataclass(frozen=True, slots=True)
class Bandwidths:
    """What the config allows: all copies together, by the hour, and each backup server. `per_server` has the names of
    backup servers in lower case; `every_server` holds for each of the others. `names` are those of the config."""

    timetable: Timetable = field(default_factory=Timetable)
    per_server: Mapping[str, Rate] = field(default_factory=dict)
    every_server: Rate = None
    names: tuple[str, ...] = ()

    def of_server(self, name: str) -> Rate:
        return self.per_server.get(name.casefold(), self.every_server)


def _line(text: str, zone: ZoneInfo) -> tuple[Windows, Rate]:
    found = _LINE.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f"{text!r} is no line of a timetable; write it as Mon-Fri 08:00-18:00 20 MB/s")
    return Windows((Window.of(found["window"]),), zone), rate_of(found["rate"])


def _turn(windows: Windows, after: datetime) -> datetime | None:
    """When a window opens, or the open one closes, next."""
    return windows.next_close(after) if windows.is_open(after) else windows.next_open(after)
