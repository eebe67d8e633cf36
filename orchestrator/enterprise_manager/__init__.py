"""Enterprise Manager: the room that speaks to it.

Law: `async def` around a pure `wire/`. It may use aiohttp (client), lxml, tenacity and PyNaCl. It spawns no
task, enters no thread and touches no disk, except that `ssl_context` reads the CA file before the loop runs.

It promises: one logon session, renewed once for all callers; a mount POST sent exactly once; nothing repeated under
another session that belongs to the old one; the token sent to the configured address only; secrets in no message.
It refuses: redirects, cookies, unverified certificates, and any link that would act on a whole machine.
"""

from orchestrator.enterprise_manager.client import Client
from orchestrator.enterprise_manager.past import PastSession
from orchestrator.enterprise_manager.transport import Observer
from orchestrator.enterprise_manager.trust import Trust, ssl_context

__all__ = ["Client", "Observer", "PastSession", "Trust", "ssl_context"]
