"""The slice of the config for the status page."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load_config
from orchestrator.config_web import WebSettings, split_address
from orchestrator.core.errors import ConfigInvalid

BASE = """
[enterprise_manager]
url = "https://em:9398"
username = "x"
password_env = "P"
[[backup_servers]]
name = "*"
shares = ["/mnt"]
[targets]
allow = ["/restore"]
[web]
"""
TLS = {"listen": "127.0.0.1:8090", "tls_certificate": Path("c"), "tls_key": Path("k")}


def test_there_is_no_page_unless_the_config_says_where() -> None:
    assert not WebSettings().wanted
    assert WebSettings(listen="127.0.0.1:8090").wanted
    assert WebSettings(socket=Path("/run/web.sock")).wanted


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8090", ("127.0.0.1", 8090)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("192.0.2.1:65535", ("192.0.2.1", 65535)),
        ("[::1]:8090", ("::1", 8090)),
        ("[::]:80", ("::", 80)),
    ],
)
def test_an_address_is_split(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


WRONG = ["8090", ":8090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", ""]
NAMES = ["::1:8090", "backup01:8090", "[127.0.0.1]:80"]


@pytest.mark.parametrize("text", WRONG + NAMES)
def test_what_is_no_address_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8090, \[::1\]:8090, 0\.0\.0\.0:8090"):
        split_address(text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "127.0.0.1:1", "tls_key": Path("k")}, "belong together"),
        ({"listen": "127.0.0.1:1", "tls_certificate": Path("c")}, "belong together"),
        ({"tls_certificate": Path("c"), "tls_key": Path("k")}, "say where to listen"),
        ({**TLS, "token_env": "T", "token_file": Path("t")}, "exclude each other"),
        ({"listen": "127.0.0.1:1", "token_env": "T"}, "over TLS only"),
        ({"socket": Path("s"), "token_credential": "t"}, "over TLS only"),
        ({"listen": "127.0.0.1:1", "hosts": ["backup01:8090"]}, "without a port"),
        ({"listen": "127.0.0.1:1", "hosts": ["*"]}, "must be a host name"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WebSettings(**settings)


def test_relative_paths_are_relative_to_the_config_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    keys = 'listen = "127.0.0.1:0"\nsocket = "web.sock"\ntls_certificate = "c"\ntls_key = "/k"\ntoken_file = "t"\n'
    file.write_text(BASE + keys)
    web = load_config(file).web
    assert (web.socket, web.tls_certificate) == (tmp_path / "web.sock", tmp_path / "c")
    assert (web.tls_key, web.token_file) == (Path("/k"), tmp_path / "t")


def test_a_wrong_key_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BASE + 'lisetn = "127.0.0.1:8090"\n')
    with pytest.raises(ConfigInvalid, match=r"web\.lisetn: unknown key; did you mean listen\?"):
        load_config(file)
    file.write_text(BASE + 'listen = "backup01:8090"\n')
    with pytest.raises(ConfigInvalid, match=r"web\.listen: 'backup01:8090' must be an IP address and a port"):
        load_config(file)
