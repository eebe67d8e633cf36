"""Which way files come out of a mount: over a share, by a download through Enterprise Manager, or by a restore that it
does itself, into the guest."""

import re
from enum import Enum
from urllib.parse import quote


class Road(Enum):
    """What an entry of a job may ask for."""

    SHARE = "share"
    DOWNLOAD = "download"
    ORIGINAL = "original"


class ServerRoad(Enum):
    """What the config says of a backup server, for entries that ask for nothing."""

    SHARE = "share"
    DOWNLOAD = "download"
    SHARE_THEN_DOWNLOAD = "share-then-download"

    @property
    def needs_share(self) -> bool:
        return self is ServerRoad.SHARE


def server_road(asked: Road | None, server: ServerRoad) -> ServerRoad:
    """How files are read when an entry asks for `asked` at a backup server."""
    return {Road.SHARE: ServerRoad.SHARE, None: server}.get(asked, ServerRoad.DOWNLOAD)


EM_ROOT = "em:"
"""How the root of a volume begins that is read through Enterprise Manager."""

_EM_ROOT = re.compile(rf"{EM_ROOT}(\d+):(/api/.+)", re.DOTALL)


def em_root(generation: int, href: str) -> str:
    """The root of a volume that is read through Enterprise Manager: its session, and where it is listed."""
    return f"{EM_ROOT}{generation}:{href}"


def parse_em_root(root: str) -> tuple[int, str]:
    """(generation, href) of a root that `em_root` made; ValueError for any other."""
    found = _EM_ROOT.fullmatch(root)
    if found is None:
        raise ValueError(f"{root!r} is not read through Enterprise Manager")
    return int(found[1]), found[2]


def href_below(href: str, relative: str) -> str:
    """The address of a path below a folder of a mount: UTF-8, percent-encoded name by name; drive colons stay.

    Source: page "Catalog VM restore point, {filepath}"; EM's own links come first where there is one.
    """
    folder = href.partition("?")[0]
    names = "/".join(quote(name, safe=_LITERAL) for name in relative.split("/"))
    return f"{folder}{'' if folder.endswith('/') else '/'}{names}" if relative else folder


_LITERAL = ":$@!'()*,~"
"""Kept as they are in EM's own links."""

STAGING_WARNING = (
    "Enterprise Manager copies each file to its own disk first (%ProgramData%\\Veeam\\Backup\\WebRestore) and keeps it "
    "there for 24 hours: that disk needs room for all of them, and large files take long"
)
"""Source: page "Downloading Files to Local Machine"."""
