"""The live token under authenticated encryption, so that a later process can clean up under the same session.

XChaCha20-Poly1305 (libsodium) under a key that scrypt derives from the EM password; address and user are authenticated
with it, so a blob opens only for the EM and the account it was made for. Pure: entropy is passed in.
"""

import hashlib
import json
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.core.errors import SealBroken

if TYPE_CHECKING:
    from nacl.secret import Aead

Entropy = Callable[[int], bytes]
"""So many bytes of cryptographic randomness, such as `secrets.token_bytes`."""

# Magic with version, then log2 n, r, p of scrypt, then salt and nonce.
_HEAD = struct.Struct(">4sBBB16s24s")
_MAGIC = b"EMS2"
_LOG_N, _R, _P = 14, 8, 1
# A damaged head must not make opening it take all memory.
_LOG_N_LIMIT, _R_LIMIT, _P_LIMIT = 18, 16, 4


class Seal:
    """Seals and opens under one password, address and user. Making one derives a key, which takes about 50 ms."""

    def __init__(self, password: str, em_url: str, username: str, entropy: Entropy) -> None:
        self._password = password.encode()
        self._bound = json.dumps([em_url, username]).encode()
        self._entropy = entropy
        self._salt = entropy(16)
        self._key = _derive(self._password, self._salt, _LOG_N, _R, _P)

    def seal(self, token: str, session_href: str) -> bytes:
        """Token and session href, readable only to `unseal` under the same password, address and user."""
        nonce = self._entropy(24)
        head = _HEAD.pack(_MAGIC, _LOG_N, _R, _P, self._salt, nonce)
        secret = json.dumps([token, session_href]).encode()
        return head + _cipher(self._key).encrypt(secret, head + self._bound, nonce).ciphertext

    def unseal(self, sealed: bytes) -> tuple[str, str]:
        """Token and session href. SealBroken for another password, address or user, and for a damaged blob."""
        if len(sealed) <= _HEAD.size or sealed[:4] != _MAGIC:
            raise SealBroken(folder="the journal", cause="it has no known form")
        _, log_n, r, p, salt, nonce = _HEAD.unpack_from(sealed)
        if not (1 <= log_n <= _LOG_N_LIMIT and 1 <= r <= _R_LIMIT and 1 <= p <= _P_LIMIT):
            raise SealBroken(folder="the journal", cause="its key parameters are out of bounds")
        same = (salt, log_n, r, p) == (self._salt, _LOG_N, _R, _P)
        from nacl.exceptions import CryptoError

        key = self._key if same else _derive(self._password, salt, log_n, r, p)
        try:
            secret = _cipher(key).decrypt(sealed[_HEAD.size :], sealed[: _HEAD.size] + self._bound, nonce)
        except CryptoError as cause:
            raise SealBroken(
                folder="the journal", cause="the password, the address or the user is another, or it is damaged"
            ) from cause
        token, href = json.loads(secret)
        return str(token), str(href)


def _derive(password: bytes, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    n = 2**log_n
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, dklen=32, maxmem=256 * n * r + 128 * r * p + (1 << 20))


def _cipher(key: bytes) -> "Aead":
    """Loaded when the first session is sealed: a watcher that waits for months has none."""
    from nacl.secret import Aead

    return Aead(key)
