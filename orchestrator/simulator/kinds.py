"""Families of restore points: the words that differ between them (em-api 9)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """`name` is `Machine.kind`; `path` the collection below /api; `dangerous` the Rel that acts on the machine, if
    there is one; `named_by` the parameter that filters by the name of the machine; `spec` whether the body of a mount
    "can" be there, "must" be there or is "none"."""

    name: str
    path: tuple[str, ...]
    entity: str
    dangerous: str
    named_by: str = "vmdisplayname"
    spec: Literal["can", "must", "none"] = "can"

    @property
    def mount(self) -> str:
        """The element of one mount."""
        return f"{self.entity}Mount"


VM = Kind("vm", ("vmRestorePoints",), "VmRestorePoint", "Restore")
REPLICA = Kind("replica", ("vmReplicaPoints",), "VmReplicaPoint", "Failover", spec="must")
AGENT = Kind("agent", ("agents", "agentRestorePoints"), "AgentRestorePoint", "", "computername", "none")
KINDS = (VM, REPLICA, AGENT)


def kind_named(name: str) -> Kind:
    """The kind of a machine; raises KeyError for a family that is not simulated."""
    return {kind.name: kind for kind in KINDS}[name]
