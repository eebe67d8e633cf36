"""Signatures and encryption of messages, by the keys of a session. Source: MS-SMB2 2.2.41, 3.1.4.1 and 3.1.4.3."""

import hmac
import os
import struct
from collections.abc import Callable
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from orchestrator.files.smb.packets import SEALED, SIGNATURE, BadAnswer, Content

_TRANSFORM = struct.Struct("<16sIHHQ")
_TRANSFORM_SIZE = 52
_ZERO = bytes(16)
TAIL = 16
"""Bytes of room behind a frame that is to be decrypted."""

Sign = Callable[[Content, int, bool], bytes]
"""The signature of a message whose signature field is zero: message, message id, whether it is an answer."""

Memory = Callable[[int], bytearray]
"""Gives memory of so many bytes, whatever is in it."""

_Into = Callable[[bytes, Content, bytes, memoryview], int]


class Signing(IntEnum):
    HMAC_SHA256 = 0
    AES_CMAC = 1
    AES_GMAC = 2


class Cipher(IntEnum):
    AES_128_CCM = 1
    AES_128_GCM = 2
    AES_256_CCM = 3
    AES_256_GCM = 4


def signing(algorithm: Signing, key: bytes) -> Sign:
    """What signs and proves the messages of one session."""
    if algorithm is Signing.AES_GMAC:
        gcm = AESGCM(key)
        return lambda message, number, answer: gcm.encrypt(struct.pack("<QI", number, answer), b"", message)
    if algorithm is Signing.AES_CMAC:
        aes = algorithms.AES(key)
        return lambda message, number, answer: _cmac(aes, message)
    return lambda message, number, answer: hmac.digest(key, message, "sha256")[:16]


def _cmac(aes: algorithms.AES, message: Content) -> bytes:
    made = cmac.CMAC(aes)
    made.update(bytes(message))
    return made.finalize()


def prove(sign: Sign, message: memoryview, number: int) -> None:
    """BadAnswer when an answer is not signed by the server that was logged on to. Clears the signature field."""
    told = bytes(message[SIGNATURE])
    message[SIGNATURE] = _ZERO
    if not hmac.compare_digest(sign(message, number, True), told):
        raise BadAnswer("its signature is wrong; something between here and the server has changed it")


class Sealing:
    """Encrypts what is sent and decrypts what comes, for one session."""

    def __init__(self, cipher: Cipher, session: int, sending: bytes, receiving: bytes) -> None:
        kind = AESGCM if cipher in (Cipher.AES_128_GCM, Cipher.AES_256_GCM) else AESCCM
        self._nonce = 12 if kind is AESGCM else 11
        self._session = session
        self._sending, self._receiving = kind(sending), kind(receiving)
        # Newer versions of the library write into memory that is there.
        self._encrypt_into: _Into | None = getattr(self._sending, "encrypt_into", None)
        self._decrypt_into: _Into | None = getattr(self._receiving, "decrypt_into", None)

    def seal(self, messages: Content, memory: Memory = bytearray, room: int = 0) -> memoryview:
        """One transform message that holds `messages`, after `room` bytes, in what `memory` gives."""
        nonce, begin = os.urandom(self._nonce), room + _TRANSFORM_SIZE
        told = _TRANSFORM.pack(nonce.ljust(16, b"\0"), len(messages), 0, 1, self._session)
        # The library puts the tag behind what it proves; the protocol wants it in front.
        sealed = memoryview(memory(begin + len(messages) + TAIL))
        if self._encrypt_into is None:
            sealed[begin:] = self._sending.encrypt(nonce, messages, told)
        else:
            self._encrypt_into(nonce, messages, told, sealed[begin:])
        sealed[room:begin] = b"".join((SEALED, sealed[-TAIL:], told))
        return sealed[:-TAIL]

    def unseal(self, frame: bytearray, length: int, memory: Memory = bytearray) -> memoryview:
        """What a transform message of `length` bytes holds; BadAnswer when it was not sealed for this session. The room
        behind it in `frame` is written to; it is made where there is none. `memory` gives what the rest goes into: TAIL
        bytes more than that, as a frame that holds it in the clear would have."""
        if length <= _TRANSFORM_SIZE or frame[:4] != SEALED:
            raise BadAnswer("a message is not encrypted, or cut short")
        told = bytes(frame[20:_TRANSFORM_SIZE])
        # The tag is wanted behind what it proves. Putting it there spares a copy of a whole message.
        if len(frame) < length + TAIL:
            frame.extend(bytes(TAIL))
        frame[length : length + TAIL] = frame[4:20]
        sealed = memoryview(frame)[_TRANSFORM_SIZE : length + TAIL]
        try:
            if self._decrypt_into is None:
                return memoryview(self._receiving.decrypt(told[: self._nonce], sealed, told))
            size = len(sealed) - TAIL
            plain = memoryview(memory(size + TAIL))[:size]
            self._decrypt_into(told[: self._nonce], sealed, told, plain)
        except InvalidTag as error:
            raise BadAnswer("it cannot be decrypted; something between here and the server has changed it") from error
        return plain
