"""One entry of a job file: files of one machine or of several, and where they go."""

from enum import Enum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    field_validator,
    model_validator,
)

from orchestrator.core.catalog import GuestOs
from orchestrator.core.fidelity import LinkPolicy, Metadata, OwnerPolicy, ids_of
from orchestrator.core.naming import RENAME_PATTERN, check_pattern
from orchestrator.core.roads import Road
from orchestrator.core.which import Pick, Which
from orchestrator.core.which_files import STRICT, WhichFiles, check_template


class Conflict(Enum):
    """What happens when another file stands where the copy belongs. An identical file is always left alone. KEEP is for
    what EM restores itself: both are kept."""

    SKIP = "skip"
    OVERWRITE = "overwrite"
    NEWER = "newer"
    CHANGED = "changed"
    ASIDE = "aside"
    RENAME = "rename"
    KEEP = "keep"


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


_NOT_ORIGINAL = {
    "to": "it goes back to where it was",
    "prefix": "it goes back to where it was",
    "strip": "it goes back to where it was",
    "drives": "it goes back to where it was",
    "include": "a path comes back as a whole; name the files or folders in paths",
    "exclude": "a path comes back as a whole; name the files or folders in paths",
    "larger_than": "a path comes back as a whole; name the files or folders in paths",
    "smaller_than": "a path comes back as a whole; name the files or folders in paths",
    "modified_after": "a path comes back as a whole; name the files or folders in paths",
    "modified_before": "a path comes back as a whole; name the files or folders in paths",
    "owner": "Enterprise Manager restores owners and permissions as they were",
    "users": "Enterprise Manager restores owners and permissions as they were",
    "groups": "Enterprise Manager restores owners and permissions as they were",
    "links": "Enterprise Manager decides what becomes of links",
    "compare": "Enterprise Manager compares nothing",
    "rename_pattern": "Enterprise Manager names what it keeps beside another file",
}
"""Keys that have no meaning with road = "original", and why."""


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

    @field_validator("on_conflict")
    @classmethod
    def _is_for_copies(cls, policy: Conflict) -> Conflict:
        if policy is Conflict.KEEP:
            raise ValueError('keep is what Enterprise Manager does with road = "original"; say it in the entry')
        return policy


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
    road: Road | None = Field(
        default=None, description="Instead of the backup server's road: share, download or original."
    )
    guest_credentials: str | None = Field(
        default=None, min_length=1, description='With road = "original": the table [[guest_credentials]] of that name.'
    )
    os: GuestOs | None = Field(default=None, description="Sent to EM as OsKind; EM assumes windows.")

    @model_validator(mode="after")
    def _suits_its_road(self) -> Self:
        if self.road is Road.ORIGINAL:
            self._suits_enterprise_manager()
        elif self.on_conflict is Conflict.KEEP:
            raise ValueError('on_conflict = "keep" is for road = "original"; for copies rename keeps both')
        elif self.guest_credentials is not None:
            raise ValueError('guest_credentials are for road = "original"; nobody else logs on to the guest')
        return self

    def _suits_enterprise_manager(self) -> None:
        """ValueError for what EM cannot do when it restores to the original location itself."""
        for key, reason in _NOT_ORIGINAL.items():
            if key in self.model_fields_set:
                raise ValueError(f'{key} does not go with road = "original": {reason}')
        if self.on_conflict not in (None, Conflict.KEEP, Conflict.OVERWRITE):
            known = "Enterprise Manager can keep both files, or overwrite"
            raise ValueError(f'on_conflict = "{self.on_conflict.value}" does not go with road = "original": {known}')
        if self.metadata not in (None, Metadata.PERMISSIONS):
            known = "Enterprise Manager restores everything, or permissions-only"
            raise ValueError(f'metadata = "{self.metadata.value}" does not go with road = "original": {known}')
        if self.metadata is Metadata.PERMISSIONS and self.on_conflict is not None:
            raise ValueError("on_conflict does not go with permissions-only, which replaces no file; leave it out")
        if self.point is Pick.ALL:
            raise ValueError('point = "all" does not go with road = "original": each would replace the one before')
