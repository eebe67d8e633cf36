"""What a dead worker costs: from its SIGKILL until another has deleted its mounts, and has begun its machines anew."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.fleet_em import Machines, names
from benchmarks.fleet_stage import Stage, Worker, stage, when
from benchmarks.measuring import print_table
from benchmarks.places import Places
from benchmarks.processes import until
from orchestrator.config_fleet import FleetSettings

DOOMED = 5
HEIRS = 2
EACH = 2
"""Mounts of each worker that is killed."""

APART = 1.5
"""Seconds between two kills."""

BANDWIDTH = "7 MB/s"
"""For all: so slow that every machine is still being copied when its worker dies, and long afterwards."""


@dataclass(frozen=True, slots=True)
class Death:
    """Seconds after the kill of one worker: its last mount deleted, and its last machine begun by another."""

    deleted: float
    begun: float


def dying(places: Places, quick: bool) -> None:
    """Kill workers that are copying, at the default lease and heartbeat."""
    doomed = 2 if quick else DOOMED
    machines = names("slow", doomed * EACH)
    with stage(places, "fleet-dying", Machines(slow=len(machines)), task_seconds=0.1) as on:
        config = on.config("shared", fleet=True, bandwidth=BANDWIDTH, grace=1)
        with (
            on.workers(config, [f"doomed-{number}" for number in range(doomed)], EACH) as victims,
            on.running(config, machines) as submitted,
        ):
            until(lambda: all(len(one.events("mount_opened")) == EACH for one in victims), submitted)
            with on.workers(config, [f"heir-{number}" for number in range(HEIRS)], len(machines)) as heirs:
                killed = [_kill(one) for one in victims]
                until(lambda: _begun(heirs).keys() >= set(machines), submitted, *(one.running for one in heirs))
                deaths = [_death(on, one, at, heirs) for one, at in zip(victims, killed, strict=True)]
    _print(deaths)


def _kill(victim: Worker) -> float:
    """When it was killed, as `time.time` tells it."""
    time.sleep(APART)
    victim.running.kill()
    return time.time()


def _begun(heirs: Sequence[Worker]) -> dict[str, float]:
    """When these workers first began each machine."""
    found: dict[str, float] = {}
    for event in sorted((one for heir in heirs for one in heir.events("group_started")), key=when):
        found.setdefault(event["vm"], when(event))
    return found


def _death(on: Stage, victim: Worker, killed: float, heirs: Sequence[Worker]) -> Death:
    opened = victim.events("mount_opened")
    theirs = {urlsplit(one["href"]).path for one in opened}
    deleted = {path: at.timestamp() for at, method, path in on.em.requests() if method == "DELETE" and path in theirs}
    if deleted.keys() != theirs:
        raise SystemExit(f"mounts of {victim.name} were not deleted: {theirs - deleted.keys()}")
    begun = _begun(heirs)
    return Death(max(deleted.values()) - killed, max(begun[one["vm"]] for one in opened) - killed)


def _print(deaths: Sequence[Death]) -> None:
    settings = FleetSettings()
    rows = [
        [title, f"{statistics.median(found):.1f} s", f"{min(found):.1f} s", f"{max(found):.1f} s"]
        for title, found in (
            ("its mounts are deleted by another", [one.deleted for one in deaths]),
            ("its machines are begun anew elsewhere", [one.begun for one in deaths]),
        )
    ]
    title = f"{len(deaths)} workers killed while they copy {EACH} machines each"
    print_table(
        f"{title}; lease {settings.lease:g} s, heartbeat {settings.heartbeat:g} s",
        ("from SIGKILL until", "median", "shortest", "longest"),
        rows,
    )
