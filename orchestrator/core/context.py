"""To which run, machine and mount an event belongs, as the events before it tell; so that every log line can be found
by each of them."""

from dataclasses import dataclass, field

from orchestrator.core.events import (
    Event,
    GroupEnded,
    GroupStarted,
    MountOpened,
    RunEnded,
    RunStarted,
)

IDS = ("run", "group", "vm", "backup_server")


@dataclass(slots=True)
class Context:
    """A fold over events."""

    _runs: set[str] = field(default_factory=set)
    _groups: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def of(self, event: Event) -> dict[str, str]:
        """`run`, `group`, `vm`, `backup_server` and `mount` (its path at EM), as far as they apply. What belongs to no
        run is put down to the one that is going on, if it is the only one. The last mount of a group counts until its
        end: what was copied from it is told of later than it is gone."""
        self._before(event)
        ids = {name: value for name in IDS if isinstance(value := getattr(event, name, ""), str) and value}
        if "run" not in ids and len(self._runs) == 1:
            ids["run"] = next(iter(self._runs))
        if "group" in ids:
            ids = self._groups.get((ids.get("run", ""), ids["group"]), {}) | ids
        mount = getattr(event, "href", "")
        if mount:
            ids["mount"] = mount
        self._after(event)
        return ids

    def _before(self, event: Event) -> None:
        match event:
            case RunStarted(run=run):
                self._runs.add(run)
            case GroupStarted(run=run, group=group, vm=vm, backup_server=server):
                self._groups[run, group] = {"vm": vm, "backup_server": server}
            case MountOpened(run=run, group=group, href=href) if (run, group) in self._groups:
                self._groups[run, group]["mount"] = href

    def _after(self, event: Event) -> None:
        match event:
            case GroupEnded(run=run, group=group):
                self._groups.pop((run, group), None)
            case RunEnded(run=run):
                self._runs.discard(run)
                for key in [key for key in self._groups if key[0] == run]:
                    del self._groups[key]
