"""What stands where events are missing."""

from orchestrator.core.events import Event, Notice
from orchestrator.opening import now
from orchestrator.views import count


def events_lost(number: int) -> Event:
    """The event that says so."""
    return Notice(now(), f"{count(number, 'event')} missing here: they came faster than they could be written")
