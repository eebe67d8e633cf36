"""config.toml: bad input is named with key, value and remedy; paths are anchored; passwords come by reference."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config import Config, load_config, read_password
from orchestrator.config_mount_hosts import mount_hosts
from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.mount_hosts import Sizes

Load = Callable[[str | bytes], Config]

EM = """
[enterprise_manager]
url = "https://em.example.com:9398/api/"
username = 'CORP\\restore'
password_env = "EM_PASSWORD"
"""
REST = """
[[backup_servers]]
name = "vbr01"
shares = ["/mnt/vbr01"]
[[backup_servers]]
name = "*"
shares = ["/mnt/any"]
[targets]
allow = ["/restore"]
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str | bytes) -> Config:
        file = tmp_path / "config.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(file)

    return loaded


def test_a_good_config_has_its_defaults_and_paths_relative_to_the_file(load: Load, tmp_path: Path) -> None:
    config = load(EM + 'ca_file = "ca.pem"\n' + REST)
    assert config.enterprise_manager.url == "https://em.example.com:9398"
    assert config.enterprise_manager.ca_file == tmp_path / "ca.pem"
    assert config.state.folder == tmp_path / "state"
    assert config.limits.mounts == 20


def test_a_backup_server_is_found_in_any_letter_case_and_the_star_stands_for_the_rest(load: Load) -> None:
    config = load(EM + REST)
    assert config.backup_server("VBR01") is config.backup_servers[0]
    assert config.backup_server("other") is config.backup_servers[1]
    without_star = config.model_copy(update={"backup_servers": config.backup_servers[:1]})
    assert without_star.backup_server("other") is None


def test_a_fingerprint_is_read_with_and_without_colons(load: Load) -> None:
    config = load(EM + f'fingerprint_sha256 = "{":".join(["AB"] * 32)}"\n' + REST)
    assert config.enterprise_manager.fingerprint_sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (EM, "\n  backup_servers: missing\n  targets: missing"),
        (EM.replace("https", "http") + REST, "enterprise_manager.url: 'http://em.example.com:9398/api/' must be https"),
        (EM + "ca_fil = 'x'\n" + REST, "enterprise_manager.ca_fil: unknown key; did you mean ca_file?"),
        (EM + "keep_alive = 900\n" + REST, "enterprise_manager.keep_alive: "),
        (EM + "password_file = 'x'\n" + REST, "enterprise_manager: give the password by reference"),
        (EM + "password_credential = 'x'\n" + REST, "password_env, password_file or password_credential, one of the"),
        (EM + "password_credential = '../x'\n" + REST, "enterprise_manager.password_credential: "),
        (EM + "ca_file = 'x'\nfingerprint_sha256 = '" + "a" * 64 + "'\n" + REST, "exclude each other; keep one"),
        (EM + "fingerprint_sha256 = 'zz'\n" + REST, "must be 64 hex digits"),
        (EM + REST.replace("/restore", "restore"), "targets.allow: 'restore' must be an absolute folder"),
        (EM + REST.replace('"*"', '"VBR01"'), "'vbr01' is there more than once"),
        (EM + REST.replace('["/mnt/any"]', "[]"), "backup_servers[2]: say where its mounts are read: shares = ["),
        (EM + REST + "[limits]\nmounts = 0\n", "limits.mounts: "),
        (EM + REST + "[copy]\nchecksum = 'md5'\n", "copy.checksum: "),
        (EM + REST + "[tagrets]\n", "tagrets: unknown key; did you mean targets?"),
    ],
)
def test_each_bad_value_is_named_with_its_key_and_what_to_do(load: Load, text: str, message: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(text)
    assert message in str(refused.value)
    assert "config.toml: " in str(refused.value)


HOST = "[[backup_servers.mount_hosts]]\nname = 'm1'\nshares = ['/mnt/m1']\n"


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ("shares = ['/mnt/a', '/mnt//a/']\n", "shares: '/mnt//a/' is there twice; a share is named once"),
        ("shares = ['\\\\h\\S', '//H/s']\n", "'//H/s' is there twice"),
        ("shares = ['/mnt/m1']\n" + HOST, "'/mnt/m1' is a share of two entries; a share is named once"),
        (HOST.replace("['/mnt/m1']", "[]"), "mount_hosts[1].shares: must not be empty"),
        (HOST + "os = 'solaris'\n", "mount_hosts[1].os: "),
        (
            HOST + "memory_gib = 4\n",
            "mount_hosts[1].memory_gib: must be more than 4, which a mount",
        ),
        (HOST + "cores = 1\n", "mount_hosts[1].cores: "),
        (HOST + "max_mounts = 0\n", "mount_hosts[1].max_mounts: "),
        ("max_mounts_per_chain = 0\n" + HOST, "max_mounts_per_chain: "),
        (
            HOST + "cores = 4\n[[backup_servers]]\nname = 'b'\n" + HOST + "cores = 8\n",
            "the mount host 'm1' has other sizes at a than at b; it is one machine",
        ),
        (
            HOST + "[[backup_servers]]\nname = 'b'\n" + HOST + "os = 'linux'\n",
            "the mount host 'm1' is said to be windows at a, but not at b",
        ),
        (
            HOST + "[[backup_servers]]\nname = 'b'\n" + HOST.replace("'m1'", "'m2'"),
            "'/mnt/m1' is a share of two mount hosts, 'm1' and 'm2'; give them one name",
        ),
    ],
)
def test_shares_and_mount_hosts_that_contradict_each_other_are_refused(load: Load, servers: str, message: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(EM + "[[backup_servers]]\nname = 'a'\n" + servers + "[targets]\nallow = ['/restore']\n")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("sizes", "mounts"),
    [
        (Sizes(), None),
        (Sizes(max_mounts=3), 3),
        (Sizes(memory_gib=16), 32),
        (Sizes(memory_gib=4.1), 1),
        (Sizes(cores=2), 2),
        (Sizes(cores=8), 14),
        (Sizes(40, 16, 8), 14),
    ],
)
def test_the_smallest_of_what_limits_a_mount_host_counts(sizes: Sizes, mounts: int | None) -> None:
    assert sizes.mounts == mounts


def test_a_mount_host_below_two_backup_servers_is_sized_once(load: Load) -> None:
    text = "[[backup_servers]]\nname = 'a'\n" + HOST + "cores = 4\n[[backup_servers]]\nname = 'b'\n"
    loaded = load(EM + text + HOST.replace("m1", "M1") + "[targets]\nallow = ['/restore']\n")
    assert mount_hosts(loaded.backup_servers).budgets == {"m1": 6}


def test_a_config_that_is_not_there_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"cannot be read: .*; copy config\.example\.toml and edit it"):
        load_config(tmp_path / "none.toml")


def test_a_password_comes_from_the_environment_it_names(load: Load) -> None:
    settings = load(EM + REST).enterprise_manager
    assert read_password(settings, {"EM_PASSWORD": "s3cret"}) == "s3cret"
    with pytest.raises(ConfigInvalid, match="EM_PASSWORD is not set or empty; export it first"):
        read_password(settings, {})


def test_a_password_file_gives_its_first_line(load: Load, tmp_path: Path) -> None:
    text = EM.replace('password_env = "EM_PASSWORD"', 'password_file = "secret"')
    settings = load(text + REST).enterprise_manager
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_password(settings, {})
    (tmp_path / "secret").write_bytes(b"")
    with pytest.raises(ConfigInvalid, match="is empty"):
        read_password(settings, {})
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfpa ss\r\nsecond\r\n")
    assert read_password(settings, {}) == "pa ss"


def test_a_credential_is_read_from_the_folder_that_systemd_names(load: Load, tmp_path: Path) -> None:
    text = EM.replace('password_env = "EM_PASSWORD"', 'password_credential = "em-password"')
    settings = load(text + REST).enterprise_manager
    assert settings.password_source == "the credential em-password"
    with pytest.raises(ConfigInvalid, match=r"CREDENTIALS_DIRECTORY is not set\. In a unit, add LoadCredential="):
        read_password(settings, {})
    given = {"CREDENTIALS_DIRECTORY": str(tmp_path / "given")}
    with pytest.raises(ConfigInvalid, match=r"enterprise_manager\.password_credential: .*em-password cannot be read"):
        read_password(settings, given)
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "em-password").write_bytes(b"pa ss\n")
    assert read_password(settings, given) == "pa ss"
