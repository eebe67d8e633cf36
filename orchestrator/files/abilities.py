"""What a destination can hold of a file beside its bytes, as far as it can be told without writing."""

import errno
import os

from orchestrator.core.fidelity import ACCESS_ACL, Property
from orchestrator.files.system import WINDOWS

_CHOWN = 1 << 0
"""CAP_CHOWN (capabilities(7))."""


def abilities(root: str) -> frozenset[Property]:
    """The properties that files in `root`, an existing folder or one to be made, will take. OSError."""
    folder = root
    while not os.path.isdir(folder):
        above = os.path.dirname(folder)
        if above == folder:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), root)
        folder = above
    found = {Property.TIMES}
    if WINDOWS:
        return frozenset(found)
    found |= {Property.MODE, Property.LINK, Property.HARD_LINK}
    if _may_give_away():
        found.add(Property.OWNER)
    if _answers(folder, "user.orchestrator"):
        found.add(Property.XATTRS)
    if _answers(folder, ACCESS_ACL):
        found.add(Property.ACL)
    return frozenset(found)


def _may_give_away() -> bool:
    """Whether this process may give files to anybody."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            effective = next((line.split()[1] for line in status if line.startswith("CapEff:")), "0")
    except OSError:
        return os.geteuid() == 0
    return bool(int(effective, 16) & _CHOWN)


def _answers(folder: str, name: str) -> bool:
    """Whether a file system knows attributes of that kind; that there is none is an answer too."""
    read = getattr(os, "getxattr", None)
    if read is None:
        return False
    try:
        read(folder, name)
    except OSError as error:
        return error.errno == errno.ENODATA
    return True
