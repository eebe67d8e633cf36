"""The share and the disk: reads the mount share, writes the destinations, proves and lists what was written.

May touch: the folders it is given, with blocking calls. Promises: nothing below a share is ever written; nothing is
written outside the allowed roots, whatever links are there; a final name never holds half a file; whatever fails is
FileError with a reason. Refuses: `async`, threads, logging, and retries but one: a connection that breaks is made anew.
Loaded by who needs them: `smb`, for UNC paths, `bag` and `undoing`.
"""

from orchestrator.files.abilities import abilities
from orchestrator.files.artefacts import sha256_of, write_text_atomically
from orchestrator.files.authors import Author
from orchestrator.files.checksums import Algorithm, algorithm_named
from orchestrator.files.copying import free_buffers
from orchestrator.files.local import LocalSource
from orchestrator.files.manifest import read_manifest, verify_file, write_manifest
from orchestrator.files.owners import unknown_accounts
from orchestrator.files.scratch import remove_scratch
from orchestrator.files.sidecar import SIDECAR, Sidecar, open_stream, read_sidecar
from orchestrator.files.target import LocalTarget, free_space

__all__ = [
    "SIDECAR",
    "Algorithm",
    "Author",
    "LocalSource",
    "LocalTarget",
    "Sidecar",
    "abilities",
    "algorithm_named",
    "free_buffers",
    "free_space",
    "open_stream",
    "read_manifest",
    "read_sidecar",
    "remove_scratch",
    "sha256_of",
    "unknown_accounts",
    "verify_file",
    "write_manifest",
    "write_text_atomically",
]
