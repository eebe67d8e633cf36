"""Sizes and ages as people write them: `10 MB` is 10,000,000 bytes, `1 GiB` is 1,073,741,824; `36h`, `30d`, `2w`."""

import re
from datetime import timedelta

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)}
_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?) ?(?P<unit>[A-Za-z]*)", re.ASCII)
_AGE = re.compile(r"(?P<number>\d{1,5}) ?(?P<unit>[smhdw])", re.ASCII)
_AGES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def size_of(text: str) -> int:
    """The bytes that a text means; ValueError in plain words when it means none."""
    found = _SIZE.fullmatch(" ".join(text.split()))
    unit = _UNITS.get(found["unit"].upper()) if found else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is no size; write it as 10 MB, 1.5 GiB or 4096 (bytes)")
    return round(float(found["number"]) * unit) if "." in found["number"] else int(found["number"]) * unit


def age_of(text: str) -> timedelta:
    """The length of time that a text means; ValueError in plain words when it means none."""
    found = _AGE.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f"{text!r} is no length of time; write it as 90m, 36h, 30d or 2w")
    return timedelta(**{_AGES[found["unit"]]: int(found["number"])})


def age_text(length: timedelta) -> str:
    """A length as its two largest units: `5 d 2 h`, `3 h 20 min`, `4 min`; what is less than a minute is `0 min`."""
    minutes = int(length.total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (rest, "min")]
    first = next((place for place, (number, _) in enumerate(parts) if number), 2)
    shown = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number]
    return " ".join(shown) or "0 min"
