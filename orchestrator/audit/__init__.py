"""The audit trail: lines appended to files, chained by hashes, and read again to be proved.

May touch: the files of its own folder, and the names of the account and the host, with blocking calls. Promises: what
is written is on the disk when `append` returns; nothing that stands is ever changed or removed; a line that a crash cut
off is told of, never dropped; two processes may write one trail. Refuses: `async`, threads, retries, logging, and to
judge what is worth an entry (`core/audit.py` does).
"""

from orchestrator.audit.identity import this_process
from orchestrator.audit.reading import lines_of, trail_files
from orchestrator.audit.trail import Trail

__all__ = ["Trail", "lines_of", "this_process", "trail_files"]
