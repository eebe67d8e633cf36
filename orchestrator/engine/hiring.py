"""How copying processes are started."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hiring:
    """How copying processes are started: the module that is their program, and what it is given to build its rooms of.
    That goes over a socket, because it may hold passwords."""

    module: str
    recipe: object = field(repr=False)
