"""Instants as Enterprise Manager writes them: UTC, with a fraction of 0 to 7 digits.

Sources: pages "VmRestorePoint" (`CreationTimeUTC`), "FileEntry" (`ModifiedDateUTC`), "RestoreSession" (filters).
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from orchestrator.enterprise_manager.wire.document import Unreadable

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


def instant(text: str) -> datetime:
    """The instant in `text`; without a zone it is UTC, as the field names promise. Digits past microseconds drop."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise Unreadable("a time in it is no date and time")
    whole, fraction, _, sign, hours, minutes = match.groups()
    zone: timezone = UTC
    try:
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(-offset if sign == "-" else offset)
        moment = datetime.fromisoformat(whole).replace(microsecond=int((fraction or "")[:6].ljust(6, "0")))
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise Unreadable("a time in it does not exist") from cause


def epoch_seconds(text: str) -> int | None:
    """Whole seconds since 1970 UTC; None when `text` is no instant."""
    try:
        return int(instant(text).timestamp() // 1)
    except Unreadable:
        return None


def written(moment: datetime) -> str:
    """An instant for a filter; a fraction only where there is one."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S") + (f".{utc.microsecond:06d}" if utc.microsecond else "") + "Z"
