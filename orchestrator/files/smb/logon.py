r"""Reaching a share: negotiation, logon and tree connect by `smbprotocol`, whose socket is then taken over.

`smbprotocol` reads its socket in a thread of its own. To take the socket over, that thread is told to leave between
two frames, when nothing is under way. Its errors are translated here and nowhere else.
"""

import errno
import os
import select
import socket
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import smbprotocol.connection
import smbprotocol.session
from smbprotocol.exceptions import SMBAuthenticationError, SMBException, SMBResponseException
from smbprotocol.session import Session, SMB2SessionSetupRequest
from smbprotocol.transport import Tcp
from smbprotocol.tree import TreeConnect

from orchestrator.files.smb.conversation import Conversation, Standing
from orchestrator.files.smb.guarding import Cipher, Sealing, Signing, signing
from orchestrator.files.smb.packets import CREDIT_BYTES
from orchestrator.files.smb.status import StatusError

CONNECT_WITHIN = 15.0
"""Seconds for a server to take a connection."""
ANSWER_WITHIN = 30.0
"""Seconds for each answer while logging on: something is under way all the time, so silence is a dead server."""

_REFUSED = {
    0xC000006D: "the name or the password is wrong",
    0xC000006A: "the password is wrong",
    0xC0000064: "there is no such account",
    0xC0000234: "the account is locked out",
    0xC0000072: "the account is disabled",
    0xC0000193: "the account has expired",
    0xC0000071: "the password has expired",
    0xC0000224: "the password must be changed first",
    0xC000015B: "the account may not log on over the network",
    0xC000006F: "the account may not log on at this time of day",
    0xC0000070: "the account may not log on from this computer",
}
_ACCESS_DENIED = 0xC0000022


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs on. `source` says where the password comes from, for a message."""

    username: str
    password: str = field(repr=False)
    source: str
    domain: str = ""

    @property
    def name(self) -> str:
        return f"{self.domain}\\{self.username}" if self.domain else self.username


class LogonDenied(OSError):
    """The server does not let the account in. Not to be tried again at once: accounts get locked out."""

    def __init__(self, server: str, account: Account, cause: str) -> None:
        super().__init__(
            errno.EACCES,
            f"{server} refuses the logon of {account.name} (password from {account.source}): {cause}",
        )


class Unreachable(OSError):
    """The server cannot be reached, or does not speak the protocol."""

    def __init__(self, server: str, port: int, cause: str) -> None:
        super().__init__(errno.EHOSTUNREACH, f"{server} cannot be reached on port {port}: {cause}")


class _LeavableTcp(Tcp):  # type: ignore[misc]  # smbprotocol has no types
    """A transport whose reading thread can be told to leave without the socket being closed."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self._leave, self._told = os.pipe()
        self._left = False

    def take(self) -> socket.socket:
        """The socket, which is the caller's from now on; the reading thread leaves."""
        self._left = True
        os.write(self._told, b".")
        taken: socket.socket = self._sock
        return taken

    def _recv(self, length: int, timeout: float) -> tuple[bytes | None, float]:
        data = b""
        while len(data) < length:
            ready = _readable([self._sock.fileno(), self._leave], ANSWER_WITHIN)
            if self._leave in ready and not data:
                return None, timeout
            try:
                piece = self._sock.recv(length - len(data)) if ready else b""
            except OSError:
                piece = b""
            if not piece:
                self.close()
                return None, timeout
            data += piece
        return data, timeout

    def close(self) -> None:
        if not self._left:
            super().close()

    def __del__(self) -> None:
        os.close(self._leave)
        os.close(self._told)


def _readable(descriptors: list[int], seconds: float) -> list[int]:
    poll = select.poll()
    for one in descriptors:
        poll.register(one, select.POLLIN)
    return [one for one, _ in poll.poll(seconds * 1000)]


# The library makes its transport by this name, and offers no other way to put one in its place.
smbprotocol.connection.Tcp = _LeavableTcp


class _Before(threading.local):
    """The session that the calling thread's next logon takes the place of, 0 for none."""

    session = 0


_before = _Before()


class _Setup(SMB2SessionSetupRequest):  # type: ignore[misc]  # smbprotocol has no types
    """A logon that tells which earlier session it takes the place of: the server then closes what that held open, even
    when it has not noticed yet that its connection broke. Source: MS-SMB2 3.3.5.5.3."""

    def __init__(self) -> None:
        super().__init__()
        self["previous_session_id"] = _before.session


# As with the transport: made by its name, and no other way to tell.
smbprotocol.session.SMB2SessionSetupRequest = _Setup


def log_on(
    server: str, port: int, share: str, account: Account, *, encrypt: bool, instead_of: int = 0
) -> tuple[socket.socket, Conversation]:
    """A socket that is logged on and connected to `share`, and the conversation that goes on over it. `instead_of` is
    the id of a session whose connection broke.

    Everything is signed, or encrypted where `encrypt` or the server says so. LogonDenied, Unreachable, StatusError.
    """
    _before.session = instead_of
    place = f"\\\\{server}\\{share}"
    connection = smbprotocol.connection.Connection(uuid.uuid4(), server, port, require_signing=True)
    try:
        try:
            connection.connect(timeout=CONNECT_WITHIN)
        except (ValueError, OSError, SMBException) as error:
            raise Unreachable(server, port, _cause(error)) from error
        session = _session(connection, server, account, encrypt)
        tree = TreeConnect(session, place)
        try:
            tree.connect()
        except SMBResponseException as error:
            raise _tree_refused(error, place, account) from error
        standing = _standing(connection, session, tree)
    except SMBException as error:
        connection.disconnect(close=False)
        raise OSError(errno.EPROTO, f"{place}: {_cause(error)}") from error
    except BaseException:
        if connection.transport is not None:
            connection.disconnect(close=False)
        raise
    return _take(connection), Conversation(standing)


def _session(connection: smbprotocol.connection.Connection, server: str, account: Account, encrypt: bool) -> Session:
    if encrypt and not connection.supports_encryption:
        what = (
            f"{server} does not encrypt, which needs SMB 3; update the server, or take `encrypt` out of its [[shares]]"
        )
        raise OSError(errno.EPROTO, what)
    session = Session(connection, account.name, account.password, require_encryption=encrypt)
    try:
        session.connect()
    except SMBResponseException as error:
        cause = _REFUSED.get(error.status) or _cause(error)
        if error.status == _ACCESS_DENIED and not encrypt:
            cause = "the server may ask for encryption, which needs SMB 3; or the account is not let in"
        raise LogonDenied(server, account, cause) from error
    except SMBAuthenticationError as error:
        raise LogonDenied(server, account, _cause(error)) from error
    return session


def _tree_refused(error: SMBResponseException, place: str, account: Account) -> OSError:
    if error.status == _ACCESS_DENIED:
        return OSError(errno.EACCES, f"{account.name} may not use {place}", place)
    return StatusError(error.status, place)


def _standing(connection: smbprotocol.connection.Connection, session: Session, tree: TreeConnect) -> Standing:
    window = connection.sequence_window
    large = connection.supports_multi_credit
    limit = 1 << 23 if large else CREDIT_BYTES
    sealing = sign = None
    if session.encrypt_data or tree.encrypt_data:
        cipher = Cipher(connection.cipher_id or Cipher.AES_128_CCM)
        sealing = Sealing(cipher, session.session_id, session.encryption_key, session.decryption_key)
    else:
        sign = signing(_algorithm(connection), session.signing_key)
    return Standing(
        session=session.session_id,
        tree=tree.tree_connect_id,
        next_message=window["low"],
        credits=window["high"] - window["low"],
        largest_read=min(connection.max_read_size, limit),
        largest_query=min(connection.max_transact_size, limit),
        server=connection.server_guid.bytes,
        sign=sign,
        sealing=sealing,
        largest_write=min(connection.max_write_size, limit),
        namespace=bool(tree.is_dfs_share),
    )


def _algorithm(connection: smbprotocol.connection.Connection) -> Signing:
    if connection.signing_algorithm_id is not None:
        return Signing(connection.signing_algorithm_id)
    return Signing.AES_CMAC if connection.dialect >= 0x0300 else Signing.HMAC_SHA256


def _take(connection: smbprotocol.connection.Connection) -> socket.socket:
    sock: socket.socket = connection.transport.take()
    reader: threading.Thread | None = connection._t_worker
    if reader is not None:
        reader.join(CONNECT_WITHIN)
    return sock


def _cause(error: BaseException) -> str:
    inner = error.__cause__ if isinstance(error, ValueError) and error.__cause__ else error
    if isinstance(inner, TimeoutError) and not inner.strerror:
        return "no answer in time"
    said = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    with suppress(IndexError):
        said = str(said).splitlines()[0]
    return str(said)
