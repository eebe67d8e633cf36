"""What can go wrong between the members of a fleet; see `errors`."""

from orchestrator.core.errors import MountError, StateError, WordsError


class MemberDead(StateError):
    """This worker was not heard of for {seconds:g} s (fleet.lease): its units are no longer its own, and it has stopped
    writing. Another worker deletes its mounts and does the units again. Start it anew; if this happens again, look at
    the network to the database and at the load of this machine."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__(seconds=seconds)


class UnitLost(StateError):
    """The work on {vm} was given to another worker meanwhile (lease number {number} is over); nothing more is written
    for it here."""


class SeatTaken(MountError):
    """There is no place for one more mount ({resource}); it is tried once more."""

    transient = True


class OlderServe(StateError):
    """The journal in {folder} was not brought to schema {known}, because members of the fleet are of versions that
    could not work with it: {who}. `orchestrator fleet upgrade` lets them end what they have in hand and then brings it
    there; or end them, and start this again."""


class ProgramOutdated(StateError):
    """The fleet's journal is being brought to a schema that version {version} of orchestrator cannot work with. What
    was in hand was ended, its mounts are deleted. Install the newer version here, and start it again."""


class RunFollowed(WordsError):
    """{run} is going on already: {name} on {host} follows it, heard of {silent} s ago. Stop it there first; one that
    was killed is forgotten after {lease} s (fleet.lease)."""

    transient = True


class RunInHand(StateError):
    """{count} machine(s) of {run} are with workers of the fleet, or wait for one. Resume the run and stop it; after
    that it can be undone."""


class NotOpened(StateError):
    """The sealed logon session of a dead member cannot be opened by this worker: {cause}."""


class NameTaken(WordsError):
    """A worker named {name} is serving already, on {host}, heard of {silent} s ago. Give this one another
    --name; one that was killed gives its name free after {lease} s (fleet.lease)."""
