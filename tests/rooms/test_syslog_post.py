"""Syslog messages over real sockets, to receivers that come and go."""

import datetime
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.receiver import parse_receiver
from orchestrator.simulator.certificate import Identity, identity_in
from orchestrator.syslog import Post, client_context
from orchestrator.views.syslog import framed
from tests.support.syslog import StreamReceiver, datagrams, receiving

WAIT = 10


class Pauses:
    """Instead of sleeping, does something; after `most` pauses it gives up."""

    def __init__(self, most: int = 20) -> None:
        self.seconds: list[float] = []
        self.most = most

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self.most:
            raise GaveUp


class GaveUp(Exception):
    """The test has seen enough."""


def post(address: str, told: list[str | None], pauses: Pauses, context: ssl.SSLContext | None = None) -> Post:
    return Post(parse_receiver(address), context, told.append, pauses)


@pytest.fixture
def told() -> list[str | None]:
    return []


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity_in(tmp_path_factory.mktemp("identity"))


def test_a_datagram_is_one_message(told: list[str | None], pauses: Pauses) -> None:
    with datagrams() as (address, server):
        sender = post(address, told, pauses)
        for content in (b"one", "zwei \u2028".encode(), b"x" * 2048):
            sender.send(content)
            assert server.recv(65536) == content
        sender.close()
    assert (told, pauses.seconds) == ([], [])


def test_a_datagram_that_nobody_takes_holds_nothing_up(told: list[str | None], pauses: Pauses) -> None:
    with datagrams() as (address, _):
        pass
    sender = post(address, told, pauses)
    for _ in range(5):
        sender.send(b"lost")
    sender.close()
    assert (told, pauses.seconds) == ([], [])


def test_a_local_socket_is_found_again_after_its_daemon_was_restarted(
    tmp_path: Path, told: list[str | None], pauses: Pauses
) -> None:
    path = tmp_path / "log"
    with datagrams(path) as (address, first):
        sender = post(address, told, pauses)
        sender.send(b"one")
        assert first.recv(100) == b"one"
    with datagrams(path) as (_, second):
        sender.send(b"two")
        assert second.recv(100) == b"two"
    sender.close()
    assert (told, pauses.seconds) == ([], [])


def test_messages_in_a_stream_come_whole_and_in_order(told: list[str | None], pauses: Pauses) -> None:
    with receiving() as receiver:
        sender = post(receiver.address, told, pauses)
        contents = [b"one", b"two\nlines", b"3 three", b"x" * 8192]
        for content in contents:
            sender.send(framed(content))
        assert [receiver.messages.get(timeout=WAIT) for _ in contents] == contents
        sender.close()
    assert (told, pauses.seconds) == ([], [])


def test_no_message_is_lost_when_the_receiver_hangs_up_between_two(told: list[str | None], pauses: Pauses) -> None:
    with receiving() as receiver:
        sender = post(receiver.address, told, pauses)
        for number in range(5):
            sender.send(framed(b"number %d" % number))
            assert receiver.messages.get(timeout=WAIT) == b"number %d" % number
            receiver.hang_up()
        sender.close()
    assert (told, pauses.seconds) == ([], [])


def test_a_receiver_that_is_away_is_tried_again_with_growing_pauses_and_told_of_once(told: list[str | None]) -> None:
    with receiving() as receiver:
        port = int(receiver.address.rpartition(":")[2])

    with ExitStack() as later:
        back: list[StreamReceiver] = []

        class Returns(Pauses):
            """The receiver is back in the third pause."""

            def __call__(self, seconds: float) -> None:
                super().__call__(seconds)
                if len(self.seconds) == 3:
                    back.append(later.enter_context(receiving(port=port)))

        pauses = Returns()
        sender = post(f"tcp://127.0.0.1:{port}", told, pauses)
        sender.send(framed(b"late"))
        assert pauses.seconds == [1, 2, 4]
        assert back[0].messages.get(timeout=WAIT) == b"late"
        assert told == ["Connection refused", None]
        sender.close()


def test_pauses_end_at_a_minute(told: list[str | None], pauses: Pauses) -> None:
    with receiving() as receiver:
        address = receiver.address
    with pytest.raises(GaveUp):
        post(address, told, pauses).send(framed(b"never"))
    assert pauses.seconds[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert max(pauses.seconds) == 60
    assert told == ["Connection refused"]


def test_tls_shows_the_messages_to_the_receiver_that_is_trusted_only(
    identity: Identity, told: list[str | None], pauses: Pauses
) -> None:
    with receiving(identity.context()) as receiver:
        sender = post(receiver.address, told, pauses, client_context(identity.ca_file, None, None))
        for number in range(3):
            sender.send(framed(b"secret %d" % number))
            assert receiver.messages.get(timeout=WAIT) == b"secret %d" % number
        receiver.hang_up()
        sender.send(framed(b"again"))
        assert receiver.messages.get(timeout=WAIT) == b"again"
        sender.close()
        stranger = post(receiver.address, told, Pauses(1), client_context(None, None, None))
        with pytest.raises(GaveUp):
            stranger.send(framed(b"to nobody"))
        assert receiver.messages.empty()
    [cause] = told
    assert "certificate verify failed" in (cause or "").lower().replace("_", " ")


def test_tls_checks_the_name_of_the_receiver(identity: Identity, told: list[str | None]) -> None:
    with receiving(identity.context()) as receiver:
        port = receiver.address.rpartition(":")[2]
        sender = post(f"tls://127.0.0.2:{port}", told, Pauses(1), client_context(identity.ca_file, None, None))
        with pytest.raises(GaveUp):
            sender.send(framed(b"to nobody"))
    assert told


def test_a_receiver_that_asks_for_our_certificate_is_shown_it(
    identity: Identity, tmp_path: Path, told: list[str | None], pauses: Pauses
) -> None:
    cert_file, key_file = own_certificate(tmp_path)
    context = identity.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cert_file)
    with receiving(context) as receiver:
        sender = post(receiver.address, told, pauses, client_context(identity.ca_file, cert_file, key_file))
        sender.send(framed(b"from one who is known"))
        assert receiver.messages.get(timeout=WAIT) == b"from one who is known"
        sender.close()


def own_certificate(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orchestrator")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "own.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "own.key").write_bytes(key.private_bytes(pem, kind, how))
    return folder / "own.pem", folder / "own.key"


def test_certificate_files_that_are_none_are_named_and_no_password_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ConfigInvalid, match=r"syslog\.ca_file: cannot be used"):
        client_context(tmp_path / "none.pem", None, None)
    with pytest.raises(ConfigInvalid, match=r"syslog\.ca_file: cannot be used: .*No such file"):
        client_context(tmp_path / "no such", None, None)
    with pytest.raises(ConfigInvalid, match=r"syslog\.cert_file: cannot be used"):
        client_context(None, tmp_path / "none.pem", None)
    cert_file, key_file = own_certificate(tmp_path, b"geheim")
    with pytest.raises(ConfigInvalid, match="the key is encrypted"):
        client_context(None, cert_file, key_file)


def test_a_receiver_that_takes_nothing_any_more_does_not_hold_the_sender_for_ever(
    told: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.syslog.reaching.WITHIN", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = post(f"tcp://127.0.0.1:{server.getsockname()[1]}", told, Pauses(1))
        with pytest.raises(GaveUp):
            sender.send(framed(b"x" * (64 << 20)))
        sender.close()
    assert told == ["timed out"]
