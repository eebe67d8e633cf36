"""What waited in a sidecar, put on files that are still the ones that were restored."""

import errno
import os

from orchestrator.core.decide import same_file
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import LinkPolicy, Metadata, Properties, Property, Wishes
from orchestrator.core.reasons import Reason
from orchestrator.files.folder import Folder
from orchestrator.files.linking import make_link

PUT_BACK = Wishes(Metadata.FULL, links=LinkPolicy.LINK)
"""All that a line of a sidecar holds is wanted: it holds nothing that the job did not ask for."""


def refuse_changed(kind: EntryKind, entry: Entry, found: Found, relative: str) -> None:
    """FileError unless what was found is the folder, or the very file, that was restored."""
    if found.kind is FoundKind.NOTHING:
        raise FileError(reason=Reason.VANISHED, guest_path=relative, what="nothing is there any more")
    wanted = FoundKind.FOLDER if kind is EntryKind.FOLDER else FoundKind.FILE
    if found.kind is not wanted:
        raise FileError(reason=Reason.CHANGED, guest_path=relative, what="something else is there now")
    if kind is EntryKind.FILE and not same_file(entry, found):
        raise FileError(reason=Reason.CHANGED, guest_path=relative, what="the file has changed since it was restored")


def link_again(folder: Folder, name: str, found: Found, properties: Properties) -> frozenset[Property]:
    """Make a link that could not be made, or give one that is there its owner and times; what is left over. OSError."""
    if found.kind is FoundKind.NOTHING:
        return make_link(folder, name, properties, False, PUT_BACK)[1]
    text = folder.link_text(name)
    if text is None or properties.link_to not in (None, text):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    status, modified = folder.status(name), properties.modified_ns
    accessed = modified if properties.accessed_ns is None else properties.accessed_ns
    times = (status.st_atime_ns, status.st_mtime_ns) if modified is None or accessed is None else (accessed, modified)
    told = {Property.TIMES: modified, Property.OWNER: properties.uid}
    asked = frozenset(one for one, value in told.items() if value is not None)
    return asked - folder.dress_link(name, (properties.uid, properties.gid), times)
