"""What can go wrong, and what that means for the run.

Every class answers three questions, and the engine looks the answers up instead of climbing a ladder
of `isinstance`: may the same thing be tried again (`transient`), how far does it reach (`blast`), and
which exit code does it ask for (`exit_code`). The docstring is the message: what happened, what to do.

    OrchestratorError
      WordsError              2   command line, config or job
        ConfigInvalid, JobInvalid, JobUnreadable, PlanUnreadable, PlanUnusable, PlanDiffers, DropFolderUnusable
      StoppedEarly            6   asked to stop while planning
        DrillStopped          6   asked to stop while verifying a drill
      DrillDiffers, DrillLeft 3   a drill that did not prove what it should
      EmError                 4   Enterprise Manager could not do its part
        EmUnreachable, CertificateUntrusted, LogonRefused, SessionEnded, Forbidden, NotFound, EmBusy,
        EmFault, AnswerUnreadable, OutcomeUnknown, RefreshRefused, RenewalRefused
        MountError            4   one mount, the others go on
          MountNotOffered, PointGone, MountFailed, MountTimedOut, MountLost, FolderNotFound, FolderAmbiguous,
          VolumeUnmatched, ShareUnreadable, MountStalled
          MountLeft           7
      FileError               3   one file, the others go on
      StateError              5   journal or state folder
        StateLocked, JournalSilent, SchemaUnknown, SchemaOutdated, RunUnknown, SealBroken, AuditUnusable,
        AuditUnreadable, QueueOutdated, StateUnusable
          JournalUnusable, JournalUnreachable
"""

from enum import Enum, IntEnum
from typing import ClassVar

from orchestrator.core.reasons import Reason


class Blast(Enum):
    """How far a failure reaches: everything up to and including this is lost, the rest goes on."""

    FILE = "file"
    MOUNT = "mount"
    JOB = "job"
    PROCESS = "process"


class ExitCode(IntEnum):
    """The process exit codes (docs/reference.md, "Exit codes")."""

    OK = 0
    BUG = 1
    WORDS = 2
    PARTIAL = 3
    EM = 4
    STATE = 5
    STOPPED = 6
    MOUNTS_LEFT = 7


# A bug is worse than any outcome we understand, except that a mount left behind still holds a backup file.
_SEVERITY = (
    ExitCode.OK,
    ExitCode.WORDS,
    ExitCode.PARTIAL,
    ExitCode.EM,
    ExitCode.STATE,
    ExitCode.STOPPED,
    ExitCode.BUG,
    ExitCode.MOUNTS_LEFT,
)


def worst(*codes: ExitCode) -> ExitCode:
    """The exit code that wins when several apply; OK when none does."""
    return max(codes, key=_SEVERITY.index, default=ExitCode.OK)


class OrchestratorError(Exception):
    """{what}."""

    transient: ClassVar[bool] = False
    blast: ClassVar[Blast] = Blast.PROCESS
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, **facts: object) -> None:
        template = (type(self).__doc__ or type(self).__name__).strip()
        super().__init__(" ".join(template.split()).format_map(facts))
        self.facts = facts


class WordsError(OrchestratorError):
    """{what}"""

    blast = Blast.JOB
    exit_code = ExitCode.WORDS


class ConfigInvalid(WordsError):
    """{place}: {problems}"""


class JobInvalid(WordsError):
    """{place}: {problems}"""


class JobUnreadable(JobInvalid):
    """{place}: {problems}"""


class PlanUnreadable(WordsError):
    """{place} {problem}"""


class PlanUnusable(WordsError):
    """The plan cannot be frozen or compared: {what}. Nothing was mounted or written."""


class PlanDiffers(WordsError):
    """{place}: the plan no longer fits what is there, so nothing was done. Plan the job anew, look at it, and run that:
    {differences}"""


class DropFolderUnusable(WordsError):
    """The drop folder {folder} cannot be used: {cause}."""

    transient = True


class PathMissing(WordsError):
    """{path} is not in the restore point of {vm}: {there}."""


class StoppedEarly(OrchestratorError):
    """Stopped on request before anything was mounted or written; everything is as it was."""

    exit_code = ExitCode.STOPPED


class DrillStopped(StoppedEarly):
    """The drill was stopped before all of its copies were verified. They stay in {folder} and are to be removed by
    hand."""


class DrillDiffers(OrchestratorError):
    """{count} of the {files} files of the drill are not what was read from the backup, first {first}. The copies stay
    in {folder} to be looked at, and are to be removed by hand."""

    blast = Blast.JOB
    exit_code = ExitCode.PARTIAL


class DrillLeft(OrchestratorError):
    """The copies of the drill were verified but could not be removed from {folder}: {cause}. Remove them by hand."""

    blast = Blast.JOB
    exit_code = ExitCode.PARTIAL


class EmError(OrchestratorError):
    """Enterprise Manager: {what}."""

    blast = Blast.JOB
    exit_code = ExitCode.EM


class EmUnreachable(EmError):
    """Enterprise Manager at {url} cannot be reached: {cause}. Check the address, the port (9398 unless changed),
    the firewall and that the service runs."""

    transient = True
    blast = Blast.PROCESS


class CertificateUntrusted(EmError):
    """The certificate of {url} is not trusted: {cause}. Set enterprise_manager.ca_file to the issuing CA, or
    enterprise_manager.fingerprint_sha256 to {fingerprint} after comparing it with the certificate on the server."""

    blast = Blast.PROCESS


class LogonRefused(EmError):
    """Enterprise Manager refuses the logon of {username}: {cause}. Check enterprise_manager.username and the
    password behind {password_source}; the account needs the role File Restore Operator."""

    blast = Blast.PROCESS


class RenewalRefused(EmError):
    """The logon session ended and Enterprise Manager refuses a new one for {username}: {cause}. Put the password
    right, then `orchestrator resume`."""

    blast = Blast.PROCESS


class SessionEnded(EmError):
    """Enterprise Manager no longer knows the logon session ({what})."""

    transient = True


class Forbidden(EmError):
    """Enterprise Manager denies {what}: {cause}. The account needs the role File Restore Operator (or Portal
    Administrator) and the machine must be in its restore scope."""

    blast = Blast.MOUNT


class AgentsHidden(Forbidden):
    """Enterprise Manager denies the query for restore points of agents: {cause}. A File Restore Operator may mount
    them, but neither list nor query them: give the account the role Portal User as well, or name one restore point of
    the agent by its id (restore_point, with source = "agent")."""


class NotFound(EmError):
    """Enterprise Manager does not have it any more ({what}): {cause}."""

    blast = Blast.MOUNT


class EmBusy(EmError):
    """Enterprise Manager is overloaded or in maintenance ({what}: {cause}). It was asked again until the time
    limit; try later."""

    transient = True
    blast = Blast.MOUNT


class EmFault(EmError):
    """Enterprise Manager answers {status} to {what}: {cause}."""

    blast = Blast.MOUNT


class AnswerUnreadable(EmError):
    """The answer to {what} is not what Enterprise Manager sends: {cause}. Check that enterprise_manager.url names
    Enterprise Manager itself and not a proxy, a portal or the backup server."""

    blast = Blast.MOUNT


class RefreshRefused(EmError):
    """Enterprise Manager did not collect new restore points from {what}: {cause}. Without refresh it answers with what
    it knows, which is 15 minutes old at most unless its settings say otherwise."""


class OutcomeUnknown(EmError):
    """No answer came to {what}: {cause}. Whether Enterprise Manager acted is found out by listing."""

    blast = Blast.MOUNT


class MountError(EmError):
    """Mount of {vm}: {what}."""

    blast = Blast.MOUNT
    reason: ClassVar[Reason] = Reason.MOUNT_FAILED


class MountNotOffered(MountError):
    """Enterprise Manager offers no mount for the restore point of {vm}: the account lacks the right to mount
    (role File Restore Operator), or the product edition has no file restore."""


class PointGone(MountError):
    """Enterprise Manager has the restore point of {vm} no more: {cause}. It was removed by retention since the plan
    was made; run the job again, or say fall_back in it."""


class MountFailed(MountError):
    """The backup server could not mount the restore point of {vm}: {cause}."""


class MountTimedOut(MountError):
    """The mount of {vm} was not ready within {seconds:g} s. Raise limits.mount_timeout if the backup server is
    that slow."""

    transient = True


class MountLost(MountError):
    """The mount of {vm} is gone: {cause}."""

    transient = True


class FolderNotFound(MountError):
    """No new folder for {vm} appeared within {seconds:g} s in {shares}. Check that backup_servers.shares of
    {backup_server} corresponds to C:\\VeeamFLR on the host that mounts."""


class FolderAmbiguous(MountError):
    """Several new folders could belong to {vm}: {folders}. Their contents do not tell them apart. If two of them are
    one folder under two names, keep one of the shares in backup_servers."""


class VolumeUnmatched(MountError):
    """The volumes of {vm} cannot be told apart on the share: {what}"""


class ShareUnreadable(MountError):
    """The share {share} of {backup_server} cannot be read: {cause}. Check that it is mounted and that the account
    may list it."""


class DownloadsTooLittle(MountError):
    """The files of {vm} can only be had by download through Enterprise Manager, which gives their content and times
    and nothing else, but the job wants more. Make the share readable, or set metadata = "basic"."""


class MountStalled(MountError):
    """The files of {vm} cannot be read: {cause}. Check the mount host and its share."""

    reason = Reason.STALLED


class MountLeft(MountError):
    """The mount of {vm} ({href}) could not be deleted: {cause}. `orchestrator sweep` tries again."""

    exit_code = ExitCode.MOUNTS_LEFT


class FileError(OrchestratorError):
    """{guest_path}: {what}"""

    blast = Blast.FILE
    exit_code = ExitCode.PARTIAL

    def __init__(self, *, reason: Reason, **facts: object) -> None:
        super().__init__(**facts)
        self.reason = reason


class StateError(OrchestratorError):
    """State folder {folder}: {cause}."""

    exit_code = ExitCode.STATE


class StateLocked(StateError):
    """The state folder {folder} is in use by another orchestrator ({owner}). `orchestrator status` shows what it does.
    Wait for it, or end it with `orchestrator stop`; if it is a watcher, drop the job into its folder instead."""


class StateLockedToLook(StateLocked):
    """The state folder {folder} is in use by another orchestrator ({owner}). `{command}` mounts, and the mount must be
    in the journal there, so that `sweep` finds it. `orchestrator points` and `orchestrator plan` mount nothing and work
    beside it. Else wait for it; if it is a watcher, end it with `orchestrator stop`, look, and start it again."""


class StateUnusable(StateError):
    """The state folder {folder} cannot be used: {cause}."""


class JournalUnusable(StateUnusable):
    """The journal in {folder} cannot be used: {cause}."""


class JournalUnreachable(JournalUnusable):
    """The journal in {folder} cannot be reached: {cause}."""


class JournalSilent(StateError):
    """The journal has not answered for {seconds:g} s: the disk of the state folder hangs. Mend it, then
    `orchestrator resume`."""


class SchemaUnknown(StateError):
    """The journal in {folder} has schema {found}, this version knows {known}. Use the version of orchestrator that
    wrote it, or a newer one."""


class SchemaOutdated(StateError):
    """The journal in {folder} is that of an older version (schema {found}, this version needs {known}). The first
    command that writes brings it up to date and keeps everything in it: `orchestrator sweep`, `run`, `resume` or
    `watch`."""


class QueueOutdated(StateError):
    """The fleet's queue in PostgreSQL is not one that this version can use ({what}). Give this machine the version of
    the others; if it is the newest, restore the schema from a backup."""


class RunUnknown(StateError):
    """The journal in {folder} has no run {run}. `orchestrator status` lists the runs."""

    exit_code = ExitCode.WORDS


class SealBroken(StateError):
    """The sealed logon session in {folder} cannot be opened: {cause}. It was sealed under another EM password; delete
    the mount on the backup server, or put the old password back and sweep."""


class AuditUnusable(StateError):
    """The audit trail in {folder} cannot be written: {cause}."""


class AuditUnreadable(StateError):
    """The audit trail cannot be read: {place}: {cause}."""
