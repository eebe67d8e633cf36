"""Metrics: a fold of the events into what Prometheus reads.

Law: plain `def`. It may touch prometheus_client and the one text file that it is asked to write, and may ask the
journal, through a port of its own, what it remembers. It promises: `add` is cheap, is called on the event loop and
raises nothing; every name and label is declared in one place and documented; no label holds a machine, a path or the id
of a run, so that the number of series stays bounded. It refuses: the clock (events carry their times), threads, the
network, and the registry that prometheus_client shares among everybody.
"""

from orchestrator.metrics.metrics import Memory, Metrics
from orchestrator.metrics.series import Series

__all__ = ["Memory", "Metrics", "Series"]
