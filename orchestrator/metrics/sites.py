"""The fleet that works on what this process has submitted: its sites, and what waits that nobody can take."""

from orchestrator.core.events import Event, GroupsStuck, RunEnded, RunStarted, SitePace
from orchestrator.metrics.series import Maker


class Sites:
    """A fold over what is told of the fleet. Who has no run going on hears nothing of it, and tells nothing."""

    def __init__(self, passing: Maker) -> None:
        self._workers = passing.gauge(
            "fleet_workers", "Workers of the fleet that live; site is empty for those of every site.", "site"
        )
        self._groups = passing.gauge("fleet_groups", "Mount groups that the workers of a site have in hand.", "site")
        self._files = passing.gauge(
            "fleet_files_per_second", "Files that a site deals with, over the last half minute.", "site"
        )
        self._bytes = passing.gauge(
            "fleet_copied_bytes_per_second", "Bytes that a site copies, over the last half minute.", "site"
        )
        self._stuck = passing.gauge("groups_stuck", "Mount groups that wait and that no worker can take.")
        self._stuck_of: dict[str, int] = {}
        self._runs: set[str] = set()

    def add(self, event: Event) -> None:
        match event:
            case RunStarted(run=run):
                self._runs.add(run)
            case SitePace(site=site):
                self._workers.labels(site).set(event.workers)
                self._groups.labels(site).set(event.groups)
                self._files.labels(site).set(event.files_per_second)
                self._bytes.labels(site).set(event.bytes_per_second)
            case GroupsStuck(run=run, groups=groups):
                self._tell_stuck(run, groups)
            case RunEnded(run=run):
                self._runs.discard(run)
                self._tell_stuck(run, 0)
                if not self._runs:
                    for gauge in (self._workers, self._groups, self._files, self._bytes):
                        gauge.clear()
            case _:
                pass

    def _tell_stuck(self, run: str, groups: int) -> None:
        self._stuck_of[run] = groups
        self._stuck_of = {name: number for name, number in self._stuck_of.items() if number}
        self._stuck.set(sum(self._stuck_of.values()))
