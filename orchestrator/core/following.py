r"""Where a link of the guest leads, as a path of the same volume: links are never followed out of it.

A link was written in the guest, and only there means what it says: `C:\Data` is a folder of the backed-up machine, and
not of the one that shows the backup.
"""

import re

from orchestrator.core.locate import Volume
from orchestrator.core.paths import fold

_DRIVE = re.compile(r"([A-Za-z]:)(?:\\(.*))?", re.DOTALL)


def led_to(volume: Volume, folder: str, text: str) -> str | None:
    """The path below `volume` to which a link in `folder` leads, `/` between names; empty for the volume itself. None
    when it leads out of the volume, or nobody can tell.

    `text` is what the link says: as Linux says it, or as Windows does where that has no counterpart.
    """
    linux = volume.volume == "/"
    begin = [*volume.prefix, *(name for name in folder.split("/") if name)]
    if linux:
        return _below(volume, [] if text.startswith("/") else begin, text)
    if text.startswith(("/", "\\\\", "Volume{")):
        return None  # a place of Linux in Windows, another server, another volume
    drive = _DRIVE.fullmatch(text)
    if drive is None:
        return _below(volume, [] if text.startswith("\\") else begin, text.replace("\\", "/"))
    if fold(drive[1]) != fold(volume.volume):
        return None
    return _below(volume, [], (drive[2] or "").replace("\\", "/"))


def _below(volume: Volume, names: list[str], text: str) -> str | None:
    for name in text.split("/"):
        if name == "..":
            if not names:
                return None
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    key = str if volume.volume == "/" else fold
    prefix = [key(name) for name in volume.prefix]
    if [key(name) for name in names[: len(prefix)]] != prefix:
        return None
    return "/".join(names[len(prefix) :])


def holds_itself(led: str, trail: tuple[str, ...]) -> bool:
    """Whether the folder `led` is, or holds, one of the folders of the trail, which are being walked already: then a
    walk into it would have no end."""
    return any(not led or folder == led or folder.startswith(f"{led}/") for folder in trail)
