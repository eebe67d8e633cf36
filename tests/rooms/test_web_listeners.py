"""Opening the page: what is wrong is said before anything runs, and nothing of others is taken away."""

import os
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from orchestrator.config_web import WebSettings
from orchestrator.core.errors import ConfigInvalid
from orchestrator.simulator.certificate import Identity, identity_in
from orchestrator.web.listeners import open_listeners


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return identity_in(tmp_path / "tls")


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other


def problem(environment: dict[str, str] | None = None, **settings: Any) -> str:
    with pytest.raises(ConfigInvalid) as raised, open_listeners(WebSettings(**settings), environment or {}):
        pass
    return str(raised.value)


def test_without_settings_nothing_listens() -> None:
    assert not WebSettings().wanted
    with open_listeners(WebSettings(), {}) as listeners:
        assert (listeners.tcp, listeners.local) == (None, None)


def test_an_address_in_use_is_named_with_what_to_do(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    said = problem(listen=f"127.0.0.1:{port}")
    assert said.startswith(f"web.listen: 127.0.0.1 port {port} is in use by another program; ")


def test_an_address_of_another_machine_is_named() -> None:
    assert "this machine has no such address" in problem(listen="192.0.2.1:8090")


@pytest.mark.parametrize(("listen", "exposed"), [("127.0.0.1:0", False), ("localhost:0", False), ("0.0.0.0:0", True)])
def test_only_this_machine_is_served_unless_the_address_says_otherwise(listen: str, exposed: bool) -> None:
    with open_listeners(WebSettings(listen=listen), {}) as listeners:
        assert listeners.exposed is exposed
        assert listeners.tcp
        with socket.create_connection(("127.0.0.1", listeners.tcp.getsockname()[1])):
            pass


def test_the_port_is_free_again_afterwards() -> None:
    with open_listeners(WebSettings(listen="127.0.0.1:0"), {}) as listeners:
        assert listeners.tcp
        port = listeners.tcp.getsockname()[1]
    with open_listeners(WebSettings(listen=f"127.0.0.1:{port}"), {}):
        pass


def test_the_local_socket_is_for_our_own_account_and_goes_away_with_us(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    before = os.umask(0)
    try:
        with open_listeners(WebSettings(socket=path), {}):
            assert stat.S_ISSOCK(path.lstat().st_mode)
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_socket_that_a_dead_process_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()
    with open_listeners(WebSettings(socket=path), {}), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_on_which_somebody_listens_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "another program listens there" in problem(socket=path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_file_is_never_taken_for_a_socket(tmp_path: Path) -> None:
    file, folder, link = tmp_path / "notes", tmp_path / "folder", tmp_path / "link"
    file.write_text("mine")
    folder.mkdir()
    link.symlink_to(file)
    for path in (file, folder, link):
        assert "is there and is no socket" in problem(socket=path)
        assert path.exists()
    assert file.read_text() == "mine"


def test_a_socket_that_somebody_else_has_put_in_the_place_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with open_listeners(WebSettings(socket=path), {}):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = problem(socket=tmp_path / "run" / "web.sock")
    assert f"the folder {tmp_path / 'run'} does not exist" in said
    assert "RuntimeDirectory" in said


def test_a_path_that_is_too_long_for_a_socket_is_said_so(tmp_path: Path) -> None:
    assert "too long" in problem(socket=tmp_path / ("x" * 200))


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key"])
def test_a_certificate_or_key_that_cannot_be_read_is_named(identity: Identity, tmp_path: Path, key: str) -> None:
    files = {"tls_certificate": identity.chain_file, "tls_key": identity.key_file, key: tmp_path / "missing.pem"}
    assert problem(listen="127.0.0.1:0", **files) == (
        f"web.{key}: {tmp_path / 'missing.pem'} cannot be read: No such file or directory"
    )


def test_a_key_of_another_certificate_is_refused(identity: Identity, tmp_path: Path) -> None:
    other = identity_in(tmp_path / "other")
    said = problem(listen="127.0.0.1:0", tls_certificate=identity.chain_file, tls_key=other.key_file)
    assert "belong together" in said
    assert "MISMATCH" in said


def test_something_that_is_no_certificate_is_refused(identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    assert "in PEM" in problem(listen="127.0.0.1:0", tls_certificate=tmp_path / "text", tls_key=identity.key_file)


def test_an_encrypted_key_asks_nobody_for_its_password(identity: Identity, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(identity.key_file.read_bytes(), None)
    (tmp_path / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    said = problem(listen="127.0.0.1:0", tls_certificate=identity.chain_file, tls_key=tmp_path / "locked.key")
    assert "the key is encrypted" in said


def test_old_versions_of_tls_are_not_spoken(identity: Identity) -> None:
    settings = WebSettings(listen="127.0.0.1:0", tls_certificate=identity.chain_file, tls_key=identity.key_file)
    with open_listeners(settings, {}) as listeners:
        assert listeners.tls
        assert listeners.tls.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("token", ["short", "with a space in it all", "schlüssel-mit-umlaut", "x" * 15])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused_and_not_repeated(
    identity: Identity, token: str
) -> None:
    tls = {"tls_certificate": identity.chain_file, "tls_key": identity.key_file}
    said = problem({"T": token}, listen="127.0.0.1:0", token_env="T", **tls)
    assert "openssl rand -hex 32" in said
    assert token not in said


def test_a_token_that_is_not_there_is_named_by_its_reference(identity: Identity, tmp_path: Path) -> None:
    tls = {"listen": "127.0.0.1:0", "tls_certificate": identity.chain_file, "tls_key": identity.key_file}
    assert "the environment variable T is not set" in problem(token_env="T", **tls)
    assert "web.token_file" in problem(token_file=tmp_path / "token", **tls)
    assert "web.token_credential" in problem(token_credential="token", **tls)


def test_the_token_is_in_no_repr(identity: Identity) -> None:
    settings = WebSettings(
        listen="127.0.0.1:0", tls_certificate=identity.chain_file, tls_key=identity.key_file, token_env="T"
    )
    with open_listeners(settings, {"T": "a-token-of-twenty-characters"}) as listeners:
        assert listeners.token == "a-token-of-twenty-characters"
        assert listeners.token not in repr(listeners)


def test_the_version_of_the_page_follows_its_style_and_script() -> None:
    with open_listeners(WebSettings(), {}) as listeners:
        version = listeners.version
        assert len(version) == 12
        assert set(listeners.static) == {"status.css", "status.js", "icon.svg"}
