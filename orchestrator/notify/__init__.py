"""Notifications: tells people and programs outside what happened.

May touch: the network, by aiohttp and Apprise, and the template files that the config names. Promises: taking an event
never blocks and never raises; a message that cannot be delivered is tried again within bounds, then given up, told
once, and changes no run; no address, token or secret stands in a message, a log or a `repr`. Refuses: task groups and
threads of its own (what blocks goes through `Means.in_thread`), redirects, cookies, and addresses in the clear.
"""

from orchestrator.notify.delivery import Delivery
from orchestrator.notify.means import Means, Undelivered
from orchestrator.notify.notifier import Notifier
from orchestrator.notify.opening import open_notifier
from orchestrator.notify.ping import Heartbeat
from orchestrator.notify.webhook import sign

__all__ = ["Delivery", "Heartbeat", "Means", "Notifier", "Undelivered", "open_notifier", "sign"]
