"""What an exposition says, as values."""

from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from orchestrator.metrics import Metrics


@dataclass(frozen=True)
class Exposed:
    """The samples of one exposition; names are given without `orchestrator_`."""

    samples: tuple[Sample, ...]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all series of that name with these labels; 0 when there is none."""
        return sum(sample.value for sample in self._of(name, labels))

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The sums for each value of a label, without those that are 0."""
        found: dict[str, float] = {}
        for sample in self._of(name, labels):
            found[sample.labels[label]] = found.get(sample.labels[label], 0) + sample.value
        return {value: number for value, number in found.items() if number}

    def has(self, name: str, **labels: str) -> bool:
        return bool(self._of(name, labels))

    def _of(self, name: str, labels: dict[str, str]) -> list[Sample]:
        full = f"orchestrator_{name}"
        return [one for one in self.samples if one.name == full and labels.items() <= one.labels.items()]


def exposed(source: Metrics | Path) -> Exposed:
    """What metrics, or a text file, say now."""
    text = source.read_text("utf-8") if isinstance(source, Path) else source.exposition()[0].decode()
    return Exposed(tuple(sample for family in text_string_to_metric_families(text) for sample in family.samples))
