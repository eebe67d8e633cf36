"""One entry of a job file: files of one machine or of several, and where they go."""

from enum import Enum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
)

from orchestrator.core.catalog import GuestOs
from orchestrator.core.fidelity import LinkPolicy, Metadata, OwnerPolicy, ids_of
from orchestrator.core.naming import RENAME_PATTERN, check_pattern
from orchestrator.core.roads import Road
from orchestrator.core.which import Which
from orchestrator.core.which_files import STRICT, WhichFiles, check_template


class Conflict(Enum):
    """What happens when another file stands where the copy belongs. An identical file is always left alone."""

    SKIP = "skip"
    OVERWRITE = "overwrite"
    NEWER = "newer"
    CHANGED = "changed"
    ASIDE = "aside"
    RENAME = "rename"


class Compare(Enum):
    """By what two files are taken for one: size and modification time, or every byte."""

    TIMES = "times"
    CONTENT = "content"


class Verify(Enum):
    """How a copy is proved: not at all; by a checksum taken while copying, which `verify` and the manifest use; or by
    also reading the copy back from the disk."""

    NONE = "none"
    STREAM = "stream"
    READ_BACK = "read-back"


Pattern = Annotated[str, AfterValidator(check_pattern)]
"""The name of a renamed copy, with its placeholders."""


def _known_ids(accounts: dict[str, str | int]) -> dict[str, str | int]:
    ids_of(accounts)
    return accounts


Accounts = Annotated[dict[str, Annotated[int, Field(ge=0, strict=True)] | str], AfterValidator(_known_ids)]
"""Guest ids, and the local account (a name or an id) that stands for each."""


class Defaults(BaseModel):
    """What holds for every entry that does not say otherwise."""

    model_config = STRICT
    to: Annotated[str, AfterValidator(check_template)] = Field(
        default="", description="Destination folder; may hold {vm}, {run}, {point}, {date}, {volume}."
    )
    on_conflict: Conflict = Field(default=Conflict.SKIP, description="What to do when another file is there.")
    metadata: Metadata = Field(default=Metadata.BASIC, description="How much of a file beside its bytes is restored.")
    owner: OwnerPolicy = Field(default=OwnerPolicy.KEEP, description="Whose the copies are, with metadata = full.")
    users: Accounts = Field(default_factory=dict, description="Guest user ids and the local users for them.")
    groups: Accounts = Field(default_factory=dict, description="Guest group ids and the local groups for them.")
    links: LinkPolicy = Field(default=LinkPolicy.SKIP, description="What becomes of symbolic links.")
    compare: Compare = Field(default=Compare.TIMES, description="By what a file that is there counts as the same.")
    rename_pattern: Pattern = Field(default=RENAME_PATTERN, description="How on_conflict = rename names the copy.")


class Restore(Which, WhichFiles):
    """One `[[restore]]` entry: files of one machine or of several, and where they go."""

    model_config = STRICT
    on_conflict: Conflict | None = Field(default=None, description="Instead of defaults.on_conflict.")
    metadata: Metadata | None = Field(default=None, description="Instead of defaults.metadata.")
    owner: OwnerPolicy | None = Field(default=None, description="Instead of defaults.owner.")
    users: Accounts | None = Field(default=None, description="Instead of defaults.users.")
    groups: Accounts | None = Field(default=None, description="Instead of defaults.groups.")
    links: LinkPolicy | None = Field(default=None, description="Instead of defaults.links.")
    compare: Compare | None = Field(default=None, description="Instead of defaults.compare.")
    rename_pattern: Pattern | None = Field(default=None, description="Instead of defaults.rename_pattern.")
    road: Road | None = Field(default=None, description="Instead of the backup server's road: share or download.")
    os: GuestOs | None = Field(default=None, description="Sent to EM as OsKind; EM assumes windows.")
