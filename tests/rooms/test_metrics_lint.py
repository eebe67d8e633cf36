"""Names, units and help texts, in the style of `promtool check metrics`, on the text as it is scraped."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    FileProblem,
    FilesDone,
    GroupEnded,
    GroupStarted,
    JobTaken,
    LimitChanged,
    MountDeleted,
    MountOpened,
    OriginalEnded,
    RequestAnswered,
    RunEnded,
    RunReported,
    RunStarted,
    ScheduleMissed,
    SitePace,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.originals import OriginalState, Standing
from orchestrator.metrics import Metrics

AT = datetime(2026, 11, 20, tzinfo=UTC)
TOTALS = Totals(5, 1, 1, 1, 4096)
EVENTS: tuple[Event, ...] = (
    JobTaken(AT, "d", "night.toml", "night", "digest", "me"),
    RunStarted(AT, "r", "night", 1),
    GroupStarted(AT, "r", "g", "fs01", "vbr01", "uid", AT),
    MountOpened(AT, "r", "g", "fs01", "vbr01", "/m/1", 2.0),
    RequestAnswered(AT, "GET", "/tasks/{id}", 200, 0.1),
    FilesDone(AT, "r", "g", TOTALS, 9000, 0.5),
    FileProblem(AT, "r", "g", "C:\\a", Verdict.FAILED, "locked", ""),
    DeadlineInDanger(AT, "r", "night", AT, AT),
    LimitChanged(AT, "bandwidth", "20 MB/s", "none", "by hand", backup_server="vbr01"),
    OriginalEnded(AT, "r", "g", "fs01", "C:\\a", Standing.KEEP, OriginalState.RESTORED, "", 2.0),
    MountDeleted(AT, "r", "g", "fs01", "vbr01", "/m/1", 20.0),
    GroupEnded(AT, "r", "g", "fs01", "done", TOTALS, 22.0),
    ScheduleMissed(AT, "night", AT, "EM was away"),
    DrillEnded(AT, "r", "night", 1, 8, 4096, 22.0, 0, 0),
)
PACE = SitePace(AT, "berlin", 3, 8, 340.0, 120e6)
REPORTED = RunReported(AT, "r", "night", (("done", 1),), (("locked", 1),), 1, 1, 0, 1, 0)
ABBREVIATIONS = re.compile(r"_(s|ms|us|ns|sec|secs|min|mins|b|kb|mb|gb|kib|mib|pct)(_|$)")
OTHER_UNITS = re.compile(
    r"_(milliseconds|microseconds|minutes|hours|days|kilobytes|megabytes|kibibytes|mebibytes|bits|percent)(_|$)"
)
TIMES = re.compile(r"duration|latency|timestamp|_time_")
RESERVED = re.compile(r"^(__.*|le|quantile|job|instance|exported_.*)$")


def scraped(events: tuple[Event, ...] = EVENTS) -> str:
    """A scrape of a process in which a little of everything has happened, a run among it that still goes on."""
    metrics = Metrics("1.2.3", AT)
    ended = RunEnded(AT, "r", 0, TOTALS, 1, 1, 0)
    for event in (*events, ended, REPORTED, *events[:3], replace(events[7], run="r"), PACE):
        metrics.add(event)
    return metrics.exposition()[0].decode()


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def name_of(family: Metric) -> str:
    """The name that stands after TYPE; the parser takes `_total` off."""
    return family.name + ("_total" if family.type == "counter" else "")


def complaints(family: Metric) -> list[str]:
    """What the lint has to say of one metric."""
    name, found = name_of(family), []
    if not re.fullmatch(r"orchestrator_[a-z][a-z0-9_]*[a-z0-9]", name) or "__" in name:
        found.append("not in snake case with our prefix")
    if not family.documentation.endswith(".") or len(family.documentation) < 10:
        found.append("no help text that is a sentence")
    if family.type == "counter" and not any(one.name.endswith("_total") for one in family.samples):
        found.append("a counter without _total")
    if family.type != "counter" and name.endswith(("_total", "_count", "_sum", "_bucket")):
        found.append("a suffix of another type")
    if ABBREVIATIONS.search(name) or OTHER_UNITS.search(name):
        found.append("no base unit, or an abbreviated one")
    if TIMES.search(name) and not name.removesuffix("_total").endswith("_seconds"):
        found.append("a time without its unit")
    if re.search(r"gauge|counter|histogram|summary", name):
        found.append("its type in its name")
    labels = {label for sample in family.samples for label in sample.labels}
    if bad := sorted(label for label in labels - {"le"} if RESERVED.match(label) or label in name.split("_")):
        found.append(f"labels that are reserved or repeat its name: {bad}")
    if family.type == "histogram":
        found += _bad_buckets(family)
    elif "le" in labels:
        found.append("le outside of a histogram")
    return found


def _bad_buckets(family: Metric) -> list[str]:
    bounds = list(dict.fromkeys(float(one.labels["le"]) for one in family.samples if one.name.endswith("_bucket")))
    if bounds != sorted(bounds) or len(set(bounds)) != len(bounds):
        return ["buckets out of order"]
    if not 6 <= len(bounds) <= 16 or bounds[-1] != float("inf"):
        return ["too few buckets, too many, or none without a limit"]
    if any(high / low > 6 for low, high in pairwise(bounds[:-1])):
        return ["buckets too far apart to tell anything"]
    return []


@pytest.mark.parametrize("family", families(scraped()), ids=lambda family: family.name)
def test_a_metric_is_named_and_explained_as_prometheus_wants_it(family: Metric) -> None:
    assert family.samples, "it has no sample, so its labels were not looked at"
    assert complaints(family) == []


def test_every_metric_is_looked_at() -> None:
    metrics = Metrics("1", AT)
    assert {name_of(family) for family in families(scraped())} == {one.name for one in metrics.series}
    assert all(not one.name.endswith("_created") for family in families(scraped()) for one in family.samples)


def test_no_series_stands_twice_in_a_scrape() -> None:
    seen = [(one.name, *sorted(one.labels.items())) for family in families(scraped()) for one in family.samples]
    assert len(set(seen)) == len(seen)


def written(name: str, kind: str, *samples: str, help_text: str = "A help text.") -> str:
    """One metric as text; `samples` are what follows its name."""
    head = f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
    return head + "".join(f"{name}{sample} 1\n" for sample in samples or ("",))


BAD = [
    ("snake case", written("orchestrator_Bad", "gauge")),
    ("prefix", written("other_files", "gauge")),
    ("help text", written("orchestrator_files", "gauge", help_text="")),
    ("suffix of another type", written("orchestrator_files_total", "gauge")),
    ("base unit", written("orchestrator_wait_ms", "gauge")),
    ("base unit", written("orchestrator_wait_minutes", "gauge")),
    ("without its unit", written("orchestrator_duration", "gauge")),
    ("its type", written("orchestrator_gauge_of_files", "gauge")),
    ("reserved", written("orchestrator_files", "gauge", '{job="a"}')),
    ("repeat", written("orchestrator_verdict_files", "gauge", '{verdict="a"}')),
    ("le outside", written("orchestrator_files", "gauge", '{le="1"}')),
    ("too few", written("orchestrator_x", "histogram", '_bucket{le="1"}', '_bucket{le="+Inf"}', "_count", "_sum")),
]


@pytest.mark.parametrize(("word", "text"), BAD, ids=[f"{word} {number}" for number, (word, _) in enumerate(BAD)])
def test_the_lint_sees_what_it_is_there_for(word: str, text: str) -> None:
    found = [complaint for family in families(text) for complaint in complaints(family)]
    assert any(word in complaint for complaint in found), found


@pytest.fixture
def promtool() -> Callable[..., str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; on Debian it comes with the package prometheus")

    def run(*words: str, text: str = "") -> str:
        done = subprocess.run([program, *words], input=text, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return run


def test_promtool_has_nothing_to_say(promtool: Callable[..., str]) -> None:
    assert promtool("check", "metrics", text=scraped()) == ""
