"""Why a file was not restored: one fixed taxonomy, used by outcomes, reports and the residual job.

Source of the cases: vendor considerations for guest file restore, and the failures that users of restore tools
report most. docs/reference.md prints this table.
"""

from enum import Enum


class Reason(Enum):
    """`value` is the stable name in journal and report; each has its cause, its owner and the next action."""

    UNCHANGED = ("unchanged", "the same file is already there", "nobody", "nothing to do")
    EXISTS = (
        "exists",
        "another file is there and on_conflict is skip",
        "operator",
        "compare, then run with overwrite or rename",
    )
    TARGET_NEWER = (
        "target-newer",
        "the file there is at least as new as the backup's",
        "operator",
        "compare, then run with overwrite or rename",
    )
    NOT_FOUND = (
        "not-found",
        "the path does not exist in the restore point",
        "operator",
        "check the path, or choose another restore point",
    )
    NOTHING_MATCHED = (
        "nothing-matched",
        "an include pattern matched no file",
        "operator",
        "check the pattern",
    )
    ACCESS_DENIED = (
        "access-denied",
        "the share refuses to read the file",
        "backup admin",
        "read the share with an account that holds backup privilege",
    )
    LOCKED = (
        "locked",
        "the file is held by another program, often antivirus",
        "backup admin",
        "exclude C:\\VeeamFLR from antivirus on the mount host",
    )
    VANISHED = (
        "vanished",
        "the file was listed but is gone",
        "backup admin",
        "check antivirus on the mount host, then run the residual job",
    )
    CHANGED = (
        "changed",
        "the file changed its size while it was read",
        "backup admin",
        "run the residual job; if it stays, check the mount host",
    )
    READ_ERROR = (
        "read-error",
        "the share failed while reading",
        "backup admin",
        "check the mount host and the backup's health, then run the residual job",
    )
    STALLED = (
        "stalled",
        "reading or listing made no progress within the time limit",
        "backup admin",
        "check the mount host, then do what the report names as next",
    )
    NOT_THERE = (
        "not-there",
        "nothing is there that could take the permissions",
        "operator",
        "restore it with metadata = full",
    )
    NAME_UNUSABLE = (
        "name-unusable",
        "the target cannot hold this name",
        "operator",
        "restore to a file system that can, or rename by hand",
    )
    NAME_CLASH = (
        "name-clash",
        "another file of the run differs only in letter case",
        "operator",
        "restore to a case-sensitive file system",
    )
    TOO_LONG = (
        "too-long",
        "the name or path is longer than the target allows",
        "operator",
        "restore to a shorter destination",
    )
    LINK_SKIPPED = (
        "link",
        "a symbolic link or junction, not followed",
        "operator",
        "set links = link or follow in the job if it is needed",
    )
    SPECIAL = ("special", "a device, pipe or socket", "nobody", "nothing to do: not file content")
    OUTSIDE_TARGET = (
        "outside-target",
        "the path would leave the destination",
        "operator",
        "remove the link in the destination, or choose another",
    )
    TARGET_KIND = (
        "target-kind",
        "a folder is where the file belongs, or the reverse",
        "operator",
        "move it away, then run the residual job",
    )
    TARGET_DENIED = (
        "target-denied",
        "the destination refuses to be written",
        "operator",
        "check rights on the destination",
    )
    NOT_SET_ASIDE = (
        "not-set-aside",
        "the file there cannot be moved to the holding folder",
        "operator",
        "restore to another folder, or run with rename",
    )
    NO_SPACE = (
        "no-space",
        "the destination is full or over quota",
        "operator",
        "make room, then `orchestrator resume`",
    )
    WRITE_ERROR = (
        "write-error",
        "the destination failed while writing",
        "operator",
        "check the destination's disk, then run the residual job",
    )
    READ_BACK_DIFFERS = (
        "read-back-differs",
        "the copy reads back with another content than was written",
        "operator",
        "check the destination's disk and memory, then run the residual job",
    )
    NOT_PUT_BACK = (
        "not-put-back",
        "Enterprise Manager did not restore it to its original location",
        "operator",
        "see the message, which is Enterprise Manager's; then run the residual job",
    )
    END_UNKNOWN = (
        "end-unknown",
        "Enterprise Manager was asked to restore it to its original location, and how that ended was not seen",
        "operator",
        "look into the guest; if it is not there, run a job for it",
    )
    MOUNT_FAILED = (
        "mount-failed",
        "the restore point could not be mounted or found",
        "backup admin",
        "see the message; then `orchestrator resume`",
    )
    NO_WORKER = (
        "no-worker",
        "no worker of the fleet could take the machine in time",
        "operator",
        "start a worker that reaches its share and destination, then `orchestrator resume`",
    )
    PLAN = ("plan", "the job entry could not be planned", "operator", "correct the entry")

    def __init__(self, slug: str, cause: str, owner: str, action: str) -> None:
        self.slug = slug
        self.cause = cause
        self.owner = owner
        self.action = action

    @classmethod
    def of(cls, slug: str) -> "Reason":
        """The reason with that stable name; KeyError if there is none."""
        return _BY_SLUG[slug]


_BY_SLUG = {reason.slug: reason for reason in Reason}
