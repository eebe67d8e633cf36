"""The checksums a copy is proved with."""

import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

from blake3 import blake3
from xxhash import xxh3_128

Algorithm = Literal["blake3", "sha256", "xxh3", "none"]
"""`xxh3` (XXH3, 128 bits) tells damage and not forgery. With `none` there are no checksums: each is empty."""


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: memoryview, /) -> object:
        """Take in the next bytes."""
        ...

    def hexdigest(self) -> str:
        """The checksum of everything so far, lower-case hex."""
        ...


class _NoDigest:
    """Takes no checksum."""

    def update(self, data: memoryview, /) -> None:
        del data

    def hexdigest(self) -> str:
        return ""


_MAKERS: dict[Algorithm, Callable[[], Digest]] = {
    "blake3": blake3,
    "sha256": lambda: hashlib.sha256(usedforsecurity=False),
    "xxh3": xxh3_128,
    "none": _NoDigest,
}


def algorithm_named(name: str) -> Algorithm | None:
    """The algorithm of that name; None when it is not known."""
    return next((known for known in _MAKERS if known == name), None)


def new_digest(algorithm: Algorithm) -> Callable[[], Digest]:
    """What makes the digest of one file. KeyError for an algorithm that is not known."""
    return _MAKERS[algorithm]


def proving(algorithm: Algorithm) -> Algorithm:
    """`algorithm`, or one that proves something where a run takes no checksums: what is set aside must be proved."""
    return "blake3" if algorithm == "none" else algorithm
