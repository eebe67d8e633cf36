"""How long to wait before something is tried again."""

import email.utils
from datetime import UTC, datetime


def retry_after(text: str, now: datetime) -> float:
    """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3); 0 when it says nothing readable or a moment gone by."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def full_jitter(attempt: int, chance: float, first: float, longest: float) -> float:
    """Seconds to wait after failure number `attempt` (from 1): anything up to a ceiling that doubles. `chance` is in
    [0, 1)."""
    return chance * min(longest, first * 2.0 ** min(attempt - 1, 32))
