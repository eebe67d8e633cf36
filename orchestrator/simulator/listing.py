"""Folders of a mount as EM lists them (`get_vmrestorepoints_id_mountpoints_id_filepath.md`), read from disk."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.simulator import documents
from orchestrator.simulator.desk import Mount
from orchestrator.simulator.estate import Estate
from orchestrator.simulator.paging import Page, page_of, paging_info
from orchestrator.simulator.pen import Link, Node, Pen
from orchestrator.simulator.refusals import Refusal

_PAGE_SIZES = {"listall": 100, "listdirs": 10, "listfiles": 10}


@dataclass(frozen=True)
class Place:
    """A file or folder of a mount: its root as shown, the true names below the root, where it lies, the true root."""

    mount: Mount
    shown: str
    names: tuple[str, ...]
    path: Path
    root: str

    def below(self, name: str) -> "Place":
        """An entry of this folder."""
        return Place(self.mount, self.shown, (*self.names, name), self.path / name, self.root)


def locate(pen: Pen, estate: Estate, mount: Mount, segments: Sequence[str]) -> Place:
    """Find `{filepath}`. Blocking. Windows paths are found in any case; raises Refusal 404.

    A Linux root may stand as an empty segment, as `/` escaped, or be left out; a final slash does not matter.
    """
    linux = mount.machine.os == "linux"
    path = "/".join(segments) if linux else "/".join(segments).replace("\\", "/")
    names = [part for part in path.split("/") if part]
    if linux and not pen.settings.random_volume_ids:
        names.insert(0, "/")
    wanted = names[0].casefold() if names else ""
    for volume in mount.point.volumes:
        shown = documents.shown_root(pen, mount, volume.root)
        if shown.casefold() == wanted:
            place = Place(mount, shown, (), estate.content(mount.point, volume.root), volume.root)
            for name in names[1:]:
                place = place.below(_true_name(place.path, name, exact=linux))
            return place
    raise Refusal(404, "The path was not found.")


def _true_name(folder: Path, name: str, *, exact: bool) -> str:
    if name not in (".", "..") and (folder / name).exists():
        return name
    if not exact and folder.is_dir():
        found = next((entry for entry in os.listdir(folder) if entry.casefold() == name.casefold()), None)
        if found is not None:
            return found
    raise Refusal(404, "The path was not found.")


def answer(pen: Pen, place: Place, parameters: Mapping[str, str]) -> Node:
    """The answer to GET of a path. Blocking. Without an action the editions differ (Settings.browse_form).

    Raises Refusal 400 for an unknown action, a listing of a file, and bad paging.
    """
    action = parameters.get("action", "").lower()
    if not action and (place.path.is_file() or pen.settings.browse_form == "entry"):
        return pen.node("FileSystemEntry", None, _entry(pen, place))
    action = action or "listall"
    if action not in _PAGE_SIZES:
        raise Refusal(400, f"Unknown action: {parameters.get('action')}")
    if not place.path.is_dir():
        raise Refusal(400, "A file cannot be listed.")
    children = [place.below(name) for name in _children(place.path, action)]
    page, shown = page_of(children, parameters, _PAGE_SIZES[action])
    if page.number > 1 and place.mount.shifted < pen.settings.listing_shifts:
        place.mount.shifted += 1
        first = (page.number - 1) * page.size
        shown = children[first - 1 : first - 1 + page.size]
    return _entries(pen, place, action, page, shown)


def _children(folder: Path, action: str) -> list[str]:
    with os.scandir(folder) as entries:
        found = sorted((not entry.is_dir(), entry.name.casefold(), entry.name) for entry in entries)
    wanted = {"listdirs": (False,), "listfiles": (True,)}.get(action, (False, True))
    return [name for is_file, _, name in found if is_file in wanted]


def _entries(pen: Pen, place: Place, action: str, page: Page, shown: Sequence[Place]) -> Node:
    files = [_entry(pen, one) for one in shown if not one.path.is_dir()]
    folders = [_entry(pen, one) for one in shown if one.path.is_dir()]
    href = _href(pen, place)
    spelled = {"listall": "listAll", "listdirs": "listDirs", "listfiles": "listFiles"}[action]

    def at(number: int) -> str:
        return f"{href}?action={spelled}&pageSize={page.size}&page={number}"

    parts = [pen.links(_up(pen, place))]
    if action != "listdirs":
        parts.append(pen.node("Files", None, *files))
    if action != "listfiles":
        parts.append(pen.node("Directories", None, *folders))
    return pen.node("FileSystemEntries", {"Href": at(page.number)}, *parts, paging_info(pen, page, at))


def _entry(pen: Pen, place: Place) -> Node:
    href = _href(pen, place)
    separator = "" if place.shown == "/" else "/"
    path = place.shown + (separator + "/".join(place.names) if place.names else "")
    said = [pen.leaf("Path", path), pen.leaf("Name", place.names[-1] if place.names else place.shown)]
    restore = Link("Restore", f"{href}?action=restore")
    if place.path.is_dir():
        down = [
            Link("Down", f"{href}?action={action}&pageSize={size}&page=1")
            for action, size in (("listAll", 100), ("listDirs", 10), ("listFiles", 10))
        ]
        return pen.entity("DirectoryEntry", href, pen.links(_up(pen, place), *down, restore), *said)
    stat = place.path.stat()
    said.append(pen.leaf("Size", str(stat.st_size)))
    if pen.settings.owner:
        said.append(pen.leaf("Owner", "BUILTIN\\Administrators" if place.mount.machine.os == "windows" else "root"))
    changed = datetime.fromtimestamp(stat.st_mtime_ns // 1_000_000_000, UTC)
    said.append(pen.leaf("ModifiedDateUTC", f"{changed:%Y-%m-%dT%H:%M:%S}Z"))
    return pen.entity("FileEntry", href, pen.links(_up(pen, place), restore), *said)


def action_href(pen: Pen, place: Place, action: str) -> str:
    """The Href of an action on a path."""
    return f"{_href(pen, place)}?action={action}"


def _href(pen: Pen, place: Place) -> str:
    return documents.root_href(pen, place.mount, place.shown, *place.names)


def _up(pen: Pen, place: Place) -> Link:
    if not place.names:
        return Link("Up", documents.mount_href(pen, place.mount))
    href = documents.root_href(pen, place.mount, place.shown, *place.names[:-1])
    return Link("Up", f"{href}?action=listAll&pageSize=100&page=1")
