r"""Where a requested path lands below its destination: a folder for its volume, then the guest path, unless the job
strips folders, names other folders for the drives, or has the volume in the destination.

A requested path lands as a whole: what is below it lands below the same place. So what writes where can be told from
the names of a job alone, and the way back, from a target to the guest path, is as plain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.core.paths import GuestPath, PathRefused, check_windows_name, parse_guest_path, volume_folder

VOLUME = "{volume}"
"""Stands for the name of the volume in a destination."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the paths of a selection land.

    `strip` are folders whose content lands right below the destination. `drives` maps a volume (`C:`) to the folder,
    `/`-joined and maybe empty, that stands for it. `below` are names right below the destination that hold `{volume}`;
    `bare` means that the volume has no folder of its own, because the destination holds its name.
    """

    strip: tuple[GuestPath, ...] = ()
    drives: tuple[tuple[str, str], ...] = ()
    below: tuple[str, ...] = ()
    bare: bool = False

    def landing(self, path: GuestPath) -> tuple[str, ...]:
        """The names below the destination at which a requested path lands; for `*` those that all volumes share."""
        if path.volume == "*":
            shared = next((at for at, name in enumerate(self.below) if VOLUME in name), len(self.below))
            return self.below[:shared]
        above = tuple(self.filled(name, path.volume) for name in self.below)
        stripped = self.stripped(path)
        if stripped is not None:
            return (*above, *path.parts[len(stripped.parts) :])
        folder = "" if self.bare else self._folder(path.volume)
        return (*above, *(name for name in folder.split("/") if name), *path.parts)

    def stripped(self, path: GuestPath) -> GuestPath | None:
        """The longest folder of `strip` that is `path` or above it."""
        return max((one for one in self.strip if one.holds(path)), key=lambda one: len(one.parts), default=None)

    def used_by(self, paths: Iterable[GuestPath]) -> "Layout":
        """This layout without rules that none of `paths` is under, so that what lands alike has an equal layout."""
        paths = tuple(paths)
        volumes = {path.volume.casefold() for path in paths}
        drives = (one for one in self.drives if "*" in volumes or one[0].casefold() in volumes)
        used = {self.stripped(path) for path in paths} if self.strip else set()
        return replace(self, strip=tuple(one for one in self.strip if one in used), drives=tuple(drives))

    def filled(self, text: str, volume: str) -> str:
        """`text` with the name of a volume for `{volume}`: `C` for `C:`, or what `drives` says; `root` for the one
        volume of a Linux guest."""
        return text.replace(VOLUME, self._folder(volume).replace("/", "_") or "root")

    def _folder(self, volume: str) -> str:
        for drive, folder in self.drives:
            if drive.casefold() == volume.casefold():
                return folder
        return volume_folder(volume)


PLAIN = Layout()
"""Every volume has its own folder, so that no two guest paths land at one place."""


def drive_of(text: str) -> str:
    r"""The volume that `C`, `C:` or `C:\` names; ValueError for anything else."""
    plain = text.rstrip("\\/").removesuffix(":")
    try:
        path = parse_guest_path(f"{plain}:\\")
    except PathRefused:
        path = None
    if path is None or path.parts or not plain:
        raise ValueError(f"{text!r} is no drive; write C or C:")
    return path.volume


def folder_of(text: str) -> str:
    """A folder below the destination, `/`-joined; ValueError when it could leave it or cannot be held."""
    if text.startswith(("/", "\\")):
        raise ValueError(f"{text!r} is absolute; it stands for a folder below the destination")
    names = [name for name in text.replace("\\", "/").split("/") if name]
    for name in names:
        try:
            check_windows_name(name)
        except PathRefused as error:
            raise ValueError(f"{text!r} is no folder below the destination: {error}") from error
    return "/".join(names)


def drives_of(table: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """`{"C": "system"}` as a layout has it; ValueError for a drive or folder that is none, or a drive named twice."""
    drives: dict[str, tuple[str, str]] = {}
    for text, folder in table.items():
        drive = drive_of(text)
        if drive.casefold() in drives:
            raise ValueError(f"{drive} is named twice")
        drives[drive.casefold()] = drive, folder_of(folder)
    return tuple(drives.values())
