"""The restore points that EM has told of, found by the name of a machine, by a glob and by id."""

import fnmatch
import re
from collections.abc import Iterable, Sequence

from orchestrator.core.catalog import PointKind, RestorePoint


class Inventory:
    """Every restore point once. Made in one pass, so that a question about one machine does not look at all of them."""

    def __init__(self, points: Iterable[RestorePoint]) -> None:
        self._by_id: dict[str, RestorePoint] = {}
        for point in points:
            known = self._by_id.get(_id(point.uid))
            if known is None or not known.backup_job:  # one answer may know more of a point than another
                self._by_id[_id(point.uid)] = point
        self._by_name: dict[tuple[PointKind, str], list[RestorePoint]] = {}
        for point in self._by_id.values():
            self._by_name.setdefault((point.kind, point.vm.casefold()), []).append(point)

    def of_id(self, uid: str) -> RestorePoint | None:
        """The point with an id, a bare guid or a URN, in any letter case."""
        return self._by_id.get(_id(uid))

    def named(self, name: str, kind: PointKind) -> Sequence[RestorePoint]:
        """The points of the machine of that name; the exact spelling wins over another letter case."""
        found = self._by_name.get((kind, name.casefold()), [])
        return [point for point in found if point.vm == name] or found

    def matching(self, glob: str, kind: PointKind) -> Sequence[RestorePoint]:
        """The points of every machine that a glob matches, whatever the letter case."""
        matches = re.compile(fnmatch.translate(glob.casefold())).match
        return [point for (of, name), found in self._by_name.items() if of is kind and matches(name) for point in found]


def _id(uid: str) -> str:
    return uid.casefold().rpartition(":")[2]
