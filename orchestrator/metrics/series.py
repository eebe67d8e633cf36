"""How a metric is made: its name, its labels and its meaning are declared once, and remembered for the documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# When a series began is told once, by orchestrator_start_time_seconds; a second series for each would tell it again.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has left this one untyped

PREFIX = "orchestrator"
UNITS = ("seconds", "bytes")


@dataclass(frozen=True, slots=True)
class Series:
    """One metric as it is exposed. `kind` is `counter`, `gauge` or `histogram`; `lasting`: true beyond the process."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    lasting: bool


class Maker:
    """Makes metrics in one registry. `lasting` ones stay true when the process has ended, and go into a text file."""

    def __init__(self, lasting: bool) -> None:
        self.registry = CollectorRegistry()
        self.series: list[Series] = []
        self._lasting = lasting

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """`name` ends in `_total`."""
        self._note("counter", name, meaning, labels)
        return Counter(
            name, meaning, labels, namespace=PREFIX, unit=_unit(name.removesuffix("_total")), registry=self.registry
        )

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self._note("gauge", name, meaning, labels)
        return Gauge(name, meaning, labels, namespace=PREFIX, unit=_unit(name), registry=self.registry)

    def histogram(self, name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        self._note("histogram", name, meaning, labels)
        return Histogram(
            name, meaning, labels, namespace=PREFIX, unit=_unit(name), buckets=buckets, registry=self.registry
        )

    def _note(self, kind: str, name: str, meaning: str, labels: tuple[str, ...]) -> None:
        self.series.append(Series(f"{PREFIX}_{name}", kind, labels, meaning, self._lasting))


def _unit(name: str) -> str:
    """The unit that OpenMetrics is told; it is the last word of the name, or there is none."""
    last = name.rpartition("_")[2]
    return last if last in UNITS else ""
