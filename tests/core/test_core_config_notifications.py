"""[[notifications]] and [ping]: references and no secrets, kinds that exist, addresses in private."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config import Config, load_config
from orchestrator.core.announce import Kind
from orchestrator.core.errors import ConfigInvalid

Load = Callable[[str], Config]

BASE = """
[enterprise_manager]
url = "https://em.example.com:9398"
username = "x"
password_env = "EM_PASSWORD"
[[backup_servers]]
name = "*"
shares = ["/mnt/any"]
[targets]
allow = ["/restore"]
"""
SECRET = "mailtos://user:sesame-77@mail.example.com"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str) -> Config:
        file = tmp_path / "config.toml"
        file.write_text(BASE + text)
        return load_config(file)

    return loaded


def problem(load: Load, text: str) -> str:
    with pytest.raises(ConfigInvalid) as error:
        load(text)
    return str(error.value)


def test_without_a_table_nobody_is_told(load: Load) -> None:
    config = load("")
    assert config.notifications == []
    assert config.ping.url_env is None


def test_a_channel_wants_everything_but_starts_of_every_job(load: Load) -> None:
    (one,) = load('[[notifications]]\nurl_env = "OPS"').notifications
    assert one.on == [kind.value for kind in Kind if kind is not Kind.STARTED]
    assert one.jobs == ["*"]


def test_files_are_relative_to_the_config(load: Load, tmp_path: Path) -> None:
    config = load(
        '[[notifications]]\nurl_file = "mail"\ntemplate = "night.j2"\n'
        '[[notifications]]\nwebhook = "https://h/x"\nsecret_file = "/etc/key"\n'
        '[ping]\nurl_file = "ping"\nheartbeat_file = "beat"'
    )
    mail, hook = config.notifications
    assert (mail.url_file, mail.template) == (tmp_path / "mail", tmp_path / "night.j2")
    assert (hook.secret_file, hook.url_file) == (Path("/etc/key"), None)
    assert (config.ping.url_file, config.ping.heartbeat_file) == (tmp_path / "ping", tmp_path / "beat")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            'url_env = "A"\non = ["faild"]',
            "on: 'faild' is no kind of notification; did you mean failed?",
        ),
        ('url_env = "A"\non = ["xyz"]', "'xyz' is no kind of notification; known are started, finished, partial"),
        ('url_env = "A"\non = []', "notifications[1].on: must not be empty"),
        ('url_env = "A"\njobs = []', "notifications[1].jobs: must not be empty"),
        ('url_env = "A"\nurl_file = "b"', "give one of url_env, url_file, url_credential and webhook"),
        ('on = ["failed"]', "give one of url_env, url_file, url_credential and webhook"),
        ('webhook = "https://h/x"', "a webhook needs one of secret_env, secret_file and secret_credential"),
        ('webhook = "https://h/x"\nsecret_env = "A"\nsecret_file = "b"', "a webhook needs one of secret_env"),
        ('url_env = "A"\nsecret_env = "B"', "nothing else has any of them"),
        ('webhook = "http://h.example.com/x"\nsecret_env = "A"', "must be https://host/path"),
        ('webhook = "https://me:pw77@h.example.com/x"\nsecret_env = "A"', "must hold no user and no password"),
        (f'url = "{SECRET}"', "url would put a secret into this file; give it by reference: url_env or url_file"),
        ('webhook = "https://h/x"\nsecret = "sesame-77"', "secret would put a secret into this file"),
        (f'url_env = "{SECRET}"', "must be the name of an environment variable"),
        (f'url_credential = "{SECRET}"', "must be the name of a systemd credential"),
        ('webhook = "https://h/x"\nsecret_env = "sesame-77"', "must be the name of an environment variable"),
        ('url_env = "A"\ntemplte = "x"', "notifications[1].templte: unknown key; did you mean template?"),
        ('url_env = "A"\ntimeout = 0', "notifications[1].timeout"),
        ('url_env = "A"\nlinger = -1', "notifications[1].linger"),
    ],
)
def test_a_wrong_channel_is_named_with_its_remedy_and_without_its_secret(load: Load, table: str, told: str) -> None:
    text = problem(load, f"[[notifications]]\n{table}")
    assert told in text
    assert "sesame-77" not in text
    assert "pw77" not in text


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('url_env = "A"\nurl_file = "b"', "url_env, url_file and url_credential exclude each other"),
        ('heartbeat_env = "A"\nheartbeat_credential = "b"', "heartbeat_env, heartbeat_file and heartbeat_credential"),
        ('url_env = "https://hc.example.com/tok-77"', "must be the name of an environment variable"),
        ("every = 1", "ping.every"),
    ],
)
def test_a_wrong_ping_is_named_with_its_remedy(load: Load, table: str, told: str) -> None:
    text = problem(load, f"[ping]\n{table}")
    assert told in text
    assert "tok-77" not in text


@pytest.mark.parametrize("url", ["http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]/x", "https://h/x"])
def test_a_webhook_on_this_machine_may_be_in_the_clear(load: Load, url: str) -> None:
    assert load(f'[[notifications]]\nwebhook = "{url}"\nsecret_env = "A"').notifications[0].webhook == url
