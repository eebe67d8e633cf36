"""Families of restore points: the words that differ between them (em-api 9). Replicas and agents fit in here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`name` is `Machine.kind`; `path` the collection below /api; `dangerous` the Rel that acts on the machine."""

    name: str
    path: tuple[str, ...]
    entity: str
    dangerous: str

    @property
    def mount(self) -> str:
        """The element of one mount."""
        return f"{self.entity}Mount"


VM = Kind("vm", ("vmRestorePoints",), "VmRestorePoint", "Restore")
KINDS = (VM,)


def kind_named(name: str) -> Kind:
    """The kind of a machine; raises KeyError for a family that is not simulated."""
    return {kind.name: kind for kind in KINDS}[name]
