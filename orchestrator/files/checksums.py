"""The checksums a copy is proved with."""

import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

from blake3 import blake3

Algorithm = Literal["blake3", "sha256"]


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: memoryview, /) -> object:
        """Take in the next bytes."""
        ...

    def hexdigest(self) -> str:
        """The checksum of everything so far, lower-case hex."""
        ...


_MAKERS: dict[Algorithm, Callable[[], Digest]] = {
    "blake3": blake3,
    "sha256": lambda: hashlib.sha256(usedforsecurity=False),
}


def algorithm_named(name: str) -> Algorithm | None:
    """The algorithm of that name; None when it is not known."""
    return next((known for known in _MAKERS if known == name), None)


def new_digest(algorithm: Algorithm) -> Callable[[], Digest]:
    """What makes the digest of one file. KeyError for an algorithm that is not known."""
    return _MAKERS[algorithm]
