"""By which route a unit waits in the queue."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.fleet import Unit


@dataclass(frozen=True, slots=True)
class Route:
    """What units have in common that wait by it: their run, the sites that may have them, the workers that could not do
    them, and seats that hold all of them back while one is full. A unit may take a part of more than these."""

    run: str
    sites: tuple[str, ...]
    seats: Mapping[str, int]
    refused: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The same for equal routes, and for no others."""
        alike = json.dumps([self.sites, sorted(self.seats.items()), self.refused])
        return f"{self.run} {hashlib.sha256(alike.encode()).hexdigest()[:32]}"


def routes_of(units: Sequence[Unit]) -> list[Route]:
    """The route of each unit of a submission. Its seats are those that more of these units want than have room: all,
    backup servers, mount hosts, large chains. What few want, such as a machine, is looked at unit by unit, so that ten
    thousand machines do not have ten thousand routes."""
    wanted = Counter(seat for unit in units for seat in unit.seats)
    return [Route(unit.run, unit.sites, _shared(unit.seats, wanted)) for unit in units]


def _shared(seats: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    return {seat: most for seat, most in seats.items() if wanted[seat] > most and not seat.startswith("machine ")}
