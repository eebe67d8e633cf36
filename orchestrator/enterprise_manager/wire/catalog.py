"""The catalogue of indexed guests. Sources: pages "CatalogVm", "CatalogVmRestorePoint"."""

from orchestrator.enterprise_manager.wire.document import Element, Unreadable, local, word

_URN = "urn:veeam:catalogvm:"


def machine_names(root: Element) -> frozenset[str]:
    """The names of the machines in a list of references, or of entities; their UIDs end with the name."""
    names = set()
    for each in root.iter():
        if local(each) not in ("ref", "catalogvm"):
            continue
        uid = word(each, "UID")
        name = uid[len(_URN) :] if uid.casefold().startswith(_URN) else word(each, "Name")
        if name:
            names.add(name)
    return frozenset(names)


def is_point(root: Element) -> bool:
    """True for a restore point of the catalogue; Unreadable for anything else."""
    if local(root) != "catalogvmrestorepoint":
        raise Unreadable(f"its root is {local(root)!r}, not 'CatalogVmRestorePoint'")
    return True
