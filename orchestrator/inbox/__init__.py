"""The drop folder: `incoming`, `active`, `done` and `failed` below one folder, which may be a share.

May touch: these folders, and the files of a run that are put beside its job. Promises: a job is claimed by one atomic
rename, so of several watchers one has it; an answer is written whole before its job moves; no job that somebody dropped
is ever deleted. Refuses: `async`, threads, and to know what is in a job.
"""

from orchestrator.inbox.folder import DropFolder

__all__ = ["DropFolder"]
