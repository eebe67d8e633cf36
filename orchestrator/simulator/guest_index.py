"""The catalogue of indexed guests, `/catalog/vms/...` (em-api 10): which files a restore point has, without a mount.

Only what is read is simulated. The POST that begins a browse is not: the reference says that it mounts disks, and names
no way to take them off again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.simulator.estate import Estate, Machine, Point
from orchestrator.simulator.paging import page_of, paging_info
from orchestrator.simulator.pen import Link, Node, Pen
from orchestrator.simulator.refusals import Refusal

_SIZES = {"listall": 100, "listdirs": 10, "listfiles": 10}
_SPELLED = {"listall": "listAll", "listdirs": "listDirs", "listfiles": "listFiles"}
_TYPES = {"listall": "FileSystemItemsList", "listdirs": "DirectoryEntryList", "listfiles": "FileEntryList"}


@dataclass(frozen=True)
class _Place:
    """A file or folder of the index: its names below `guestfs`, and where it lies; None for the list of the drives."""

    names: tuple[str, ...]
    path: Path | None

    @property
    def folder(self) -> bool:
        return self.path is None or self.path.is_dir()


class GuestIndex:
    """The machines that Settings.indexed names, with every restore point of theirs. Blocking."""

    def __init__(self, estate: Estate, pen: Pen) -> None:
        self._estate = estate
        self._pen = pen

    def answer(self, name: str, parts: Sequence[str], below: Sequence[str], parameters: Mapping[str, str]) -> Node:
        """The document of a route of `routes`, by its name; raises Refusal."""
        match name:
            case "catalog_vms":
                names = dict.fromkeys(one.name for one in self._machines())
                return self._pen.node("EntityReferences", None, *map(self._vm_ref, names))
            case "catalog_vm":
                return self._vm(self._found(parts[0])[0].name)
            case "catalog_points":
                refs = [self._point_ref(one, point) for one in self._found(parts[0]) for point in one.points]
                return self._pen.node("EntityReferences", None, *refs)
            case "catalog_point":
                return self._point(*self._point_of(parts))
            case _:
                return self._files(*self._point_of(parts), below, parameters)

    def _machines(self) -> list[Machine]:
        return [one for one in self._estate.machines if one.kind == "vm" and one.name in self._pen.settings.indexed]

    def _found(self, name: str) -> list[Machine]:
        """Machines are known by their names alone, so equal names are one."""
        found = [one for one in self._machines() if one.name.casefold() == name.casefold()]
        if not found:
            raise Refusal(404, "The VM was not found in the catalog.")
        return found

    def _point_of(self, parts: Sequence[str]) -> tuple[Machine, Point]:
        for machine in self._found(parts[0]):
            for point in machine.points:
                if point.uid == parts[1].lower():
                    return machine, point
        raise Refusal(404, "The restore point was not found in the catalog.")

    def _href(self, vm: str, *more: str, query: str = "") -> str:
        return self._pen.href("catalog", "vms", vm, *more, query=query)

    def _vm_ref(self, vm: str) -> Node:
        links = self._pen.links(Link("Alternate", self._href(vm, query="?format=Entity"), "CatalogVm", vm))
        attributes = {
            "Type": "CatalogVmReference",
            "Href": self._href(vm),
            "Name": vm,
            "UID": f"urn:veeam:CatalogVm:{vm}",
        }
        return self._pen.node("Ref", attributes, links)

    def _vm(self, vm: str) -> Node:
        down = Link("Down", self._href(vm, "vmRestorePoints"), "CatalogVmRestorePointReferenceList")
        href = self._href(vm, query="?format=Entity")
        return self._pen.entity("CatalogVm", href, self._pen.links(down), Name=vm, VmDisplayName=vm)

    def _point_ref(self, machine: Machine, point: Point) -> Node:
        href = self._href(machine.name, "vmRestorePoints", point.uid)
        name = f"{point.created:%m/%d/%Y %I:%M:%S %p}"
        links = self._pen.links(Link("Alternate", f"{href}?format=Entity", "CatalogVmRestorePoint", name))
        attributes = {
            "Type": "CatalogVmRestorePointReference",
            "Href": href,
            "Name": name,
            "UID": f"urn:veeam:CatalogVmRestorePoint:{point.uid}",
        }
        return self._pen.node("Ref", attributes, links)

    def _point(self, machine: Machine, point: Point) -> Node:
        href = self._href(machine.name, "vmRestorePoints", point.uid)
        links = self._pen.links(
            Link("Browse", f"{href}?action=browse"),
            Link("Related", self._pen.href("vmRestorePoints", point.uid, query="?format=Entity"), "VmRestorePoint"),
        )
        taken = self._pen.leaf("BackupDateUTC", f"{point.created:%Y-%m-%dT%H:%M:%S}Z")
        return self._pen.entity("CatalogVmRestorePoint", f"{href}?format=Entity", links, taken)

    def _files(self, machine: Machine, point: Point, below: Sequence[str], parameters: Mapping[str, str]) -> Node:
        if self._pen.settings.index_after_browse:
            raise Refusal(404, "The guest file system is not browsed.")
        place = self._place(machine, point, [name for name in below if name])
        base = (machine.name, "vmRestorePoints", point.uid, "guestfs")
        action = parameters.get("action", "").lower()
        if not action:
            return self._pen.node("FileSystemEntry", None, self._entry(base, place))
        if action not in _SIZES or not place.folder:
            raise Refusal(400, f"This cannot be done: {parameters['action']}")
        inside = [one for one in self._inside(machine, point, place) if action == "listall" or _fits(one, action)]
        page, shown = page_of(inside, parameters, _SIZES[action])
        href = self._file_href(base, place)

        def at(number: int) -> str:
            return f"{href}?action={_SPELLED[action]}&pageSize={page.size}&page={number}"

        parts = []
        if action != "listdirs":
            parts.append(self._pen.node("Files", None, *(self._entry(base, one) for one in shown if not one.folder)))
        if action != "listfiles":
            parts.append(self._pen.node("Directories", None, *(self._entry(base, one) for one in shown if one.folder)))
        parts.append(paging_info(self._pen, page, at))
        return self._pen.node("FileSystemEntries", {"Href": at(page.number)}, *parts)

    def _place(self, machine: Machine, point: Point, names: Sequence[str]) -> _Place:
        place = self._top(machine, point)
        for name in names:
            exact = machine.os == "linux"
            inside = self._inside(machine, point, place) if place.folder else []
            found = [one for one in inside if one.names[-1] == name or (not exact and _alike(one.names[-1], name))]
            if not found:
                raise Refusal(404, "The path was not found.")
            place = found[0]
        return place

    def _top(self, machine: Machine, point: Point) -> _Place:
        linux = machine.os == "linux"
        return _Place((), self._estate.content(point, "/") if linux else None)

    def _inside(self, machine: Machine, point: Point, place: _Place) -> list[_Place]:
        if place.path is None:
            roots = [one.root for one in point.volumes if not one.root.startswith("Volume$")]
            return [_Place((root,), self._estate.content(point, root)) for root in roots]
        return [_Place((*place.names, one.name), one) for one in sorted(place.path.iterdir())]

    def _entry(self, base: Sequence[str], place: _Place) -> Node:
        href = self._file_href(base, place)
        if not place.folder and place.path is not None:
            size = self._pen.leaf("Size", str(place.path.stat().st_size))
            restore = self._pen.links(Link("Restore", f"{href}?action=restore"))
            return self._pen.entity("FileEntry", href, restore, *self._said(place), size)
        down = [
            Link("Down", f"{href}?action={_SPELLED[action]}&pageSize={size}&page=1", _TYPES[action])
            for action, size in _SIZES.items()
        ]
        return self._pen.entity("DirectoryEntry", href, self._pen.links(*down), *self._said(place))

    def _said(self, place: _Place) -> list[Node]:
        """Path and Name; the top has neither."""
        if not place.names:
            return []
        return [self._pen.leaf("Path", "/".join(place.names)), self._pen.leaf("Name", place.names[-1])]

    def _file_href(self, base: Sequence[str], place: _Place) -> str:
        return self._href(base[0], *base[1:], *(place.names or ("",)))


def _fits(place: _Place, action: str) -> bool:
    return place.folder == (action == "listdirs")


def _alike(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
