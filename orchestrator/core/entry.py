"""One entry of a job file: files of one machine, or of every machine that a glob matches, and where they go."""

import re
from enum import Enum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    model_validator,
)

from orchestrator.core.catalog import GuestOs, PointKind, kind_in
from orchestrator.core.fidelity import LinkPolicy, Metadata, OwnerPolicy, ids_of
from orchestrator.core.naming import RENAME_PATTERN, check_pattern
from orchestrator.core.which_files import STRICT, WhichFiles


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
    to: str = Field(default="", description="Destination folder; may hold {vm}, {run}, {point}, {date}, {volume}.")
    on_conflict: Conflict = Field(default=Conflict.SKIP, description="What to do when another file is there.")
    metadata: Metadata = Field(default=Metadata.BASIC, description="How much of a file beside its bytes is restored.")
    owner: OwnerPolicy = Field(default=OwnerPolicy.KEEP, description="Whose the copies are, with metadata = full.")
    users: Accounts = Field(default_factory=dict, description="Guest user ids and the local users for them.")
    groups: Accounts = Field(default_factory=dict, description="Guest group ids and the local groups for them.")
    links: LinkPolicy = Field(default=LinkPolicy.SKIP, description="What becomes of symbolic links.")
    compare: Compare = Field(default=Compare.TIMES, description="By what a file that is there counts as the same.")
    rename_pattern: Pattern = Field(default=RENAME_PATTERN, description="How on_conflict = rename names the copy.")


class Restore(WhichFiles):
    """One `[[restore]]` entry: files of one machine, or of every machine that a glob matches."""

    model_config = STRICT
    vm: str | None = Field(
        default=None, min_length=1, description="Machine name as EM shows it, or a glob (* ? [a-z])."
    )
    restore_point: str | None = Field(
        default=None, min_length=1, description="Id of one restore point, instead of as_of."
    )
    backup_server: str | None = Field(
        default=None, min_length=1, description="Only restore points of this backup server."
    )
    source: PointKind = Field(default=PointKind.VM, description="Whose restore points: vm (backups), replica or agent.")
    as_of: AwareDatetime | None = Field(
        default=None, description="Newest restore point at or before this instant; default: the latest."
    )
    on_conflict: Conflict | None = Field(default=None, description="Instead of defaults.on_conflict.")
    metadata: Metadata | None = Field(default=None, description="Instead of defaults.metadata.")
    owner: OwnerPolicy | None = Field(default=None, description="Instead of defaults.owner.")
    users: Accounts | None = Field(default=None, description="Instead of defaults.users.")
    groups: Accounts | None = Field(default=None, description="Instead of defaults.groups.")
    links: LinkPolicy | None = Field(default=None, description="Instead of defaults.links.")
    compare: Compare | None = Field(default=None, description="Instead of defaults.compare.")
    rename_pattern: Pattern | None = Field(default=None, description="Instead of defaults.rename_pattern.")
    os: GuestOs | None = Field(default=None, description="Sent to EM as OsKind; EM assumes windows.")

    @model_validator(mode="after")
    def _names_a_machine(self) -> Self:
        if self.vm is None and self.restore_point is None:
            raise ValueError('say which machine: vm = "name", or restore_point = "id"')
        if self.restore_point is not None and self.as_of is not None:
            raise ValueError("as_of and restore_point exclude each other; keep one")
        named = kind_in(self.restore_point)
        if named is not None and "source" in self.model_fields_set and named is not self.source:
            raise ValueError(f'restore_point is of source = "{named.value}", not "{self.source.value}"; remove source')
        return self

    @property
    def is_glob(self) -> bool:
        return self.vm is not None and re.search(r"[*?\[]", self.vm) is not None
