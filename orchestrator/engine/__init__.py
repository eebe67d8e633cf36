"""The restore engine: opens mounts under limits, walks and copies, and always deletes the mounts.

May touch: task groups, threads, limits and deadlines; everything else through its ports. Promises: every exit
(success, failure, cancel, lost session) ends in a DELETE, retried, shielded and bounded. Refuses: the libraries of
other rooms, and any import of them.
"""
