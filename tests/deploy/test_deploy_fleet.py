"""The example of a fleet in containers: commands that exist, secrets by reference, and roles that a server accepts."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from orchestrator.config import Config, load_config
from orchestrator.core.errors import JournalUnusable
from orchestrator.core.fleet import Unit
from orchestrator.journal_postgres import Access, open_journal, open_units, upgrade
from tests.docs.reading import COMMANDS, ROOT, global_options, options_of
from tests.support.ledger_rows import make_run
from tests.support.postgres import USER, Postgres, postgres, programs

FOLDER = ROOT / "docs" / "deploy" / "container" / "fleet"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "orchestrator"}
SECRETS = ("fleet-owner-password", "fleet-password", "fleet-read-password")


def config_of(service: dict[str, Any]) -> Config:
    """The config that a service is given."""
    words = service["command"]
    name = Path(words[1]).name if words[0] == "--config" else "config.toml"
    assert any(str(one).startswith(f"./{name}:") for one in service["volumes"])
    return load_config(FOLDER / name)


def test_there_are_a_database_a_watcher_and_three_workers() -> None:
    commands = [one["command"] for one in OURS.values()]
    assert [command[0] for command in commands].count("worker") == 3
    assert [command for command in commands if command[0] == "watch"]
    assert "postgres" in SERVICES
    assert len({one["hostname"] for one in OURS.values() if "hostname" in one}) == 4
    names = [command[command.index("--name") + 1] for command in commands if command[0] == "worker"]
    assert len(set(names)) == 3


@pytest.mark.parametrize("name", OURS)
def test_a_service_calls_a_command_that_exists_with_options_that_exist(name: str) -> None:
    words = OURS[name]["command"]
    before = words[:2] if words[0].startswith("-") else []
    command, *after = words[len(before) :]
    assert set(before[:1]) <= global_options()
    assert command in COMMANDS
    if command == "fleet":
        assert after[0] in vars(COMMANDS["fleet"])["commands"]
    assert {word for word in after if word.startswith("-")} <= options_of(command)


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_confined_and_has_time_to_delete_its_mounts(name: str) -> None:
    one = OURS[name]
    assert one["stop_grace_period"] == "15m"
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_files_that_are_named_and_nowhere_in_clear(name: str) -> None:
    one = SERVICES[name]
    assert set(one["secrets"]) <= set(COMPOSE["secrets"])
    assert all("file" in secret for secret in COMPOSE["secrets"].values())
    loud = [key for key in one["environment"] if "PASSWORD" in key and not key.endswith("_FILE")]
    assert loud == []


@pytest.mark.parametrize("name", OURS)
def test_the_config_of_a_service_reaches_the_database_by_tls_and_finds_its_secrets(name: str) -> None:
    config, one = config_of(OURS[name]), OURS[name]
    assert "sslmode=verify-full" in str(config.fleet.dsn)
    assert "@postgres:5432/fleet" in str(config.fleet.dsn)
    assert config.fleet.password_credential in one["secrets"]
    if name != "upgrade":
        assert config.enterprise_manager.password_credential in one["secrets"]


def test_workers_serve_the_site_of_the_backup_servers_and_wait_for_the_tables() -> None:
    for one in OURS.values():
        words = one["command"]
        if words[0] == "worker":
            assert words[words.index("--site") + 1] in {server.site for server in config_of(one).backup_servers}
            assert one["depends_on"]["upgrade"]["condition"] == "service_completed_successfully"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server on which roles.sh was run as its image runs it."""
    with postgres() as running:
        secrets = running.own / "secrets"
        secrets.mkdir()
        for name in SECRETS:
            (secrets / name).write_text(f"it's {name}\n")
        path = f"{programs()}:{os.environ['PATH']}"
        reach = {"PGHOST": str(running.own), "PGPORT": str(running.port), "POSTGRES_USER": USER}
        done = subprocess.run(
            ["bash", FOLDER / "roles.sh"], env={"PATH": path, "SECRETS": str(secrets), **reach},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield running


def test_the_roles_of_the_example_have_the_rights_that_they_need_and_passwords(server: Postgres) -> None:
    def access(role: str) -> Access:
        return Access(server.dsn_of("fleet").replace(USER, role, 1))

    with pytest.raises(JournalUnusable, match="lacks a right"):
        open_journal(access("restore"))
    upgrade(access("restore_owner"), lambda error: False)
    with open_journal(access("restore")) as journal, closing(open_units(access("restore"))) as units:
        journal.begin(make_run())
        units.submit([Unit("r1", "g1", "vm", "vbr01", 0, (), {}, "{}")], "submitter")
        units.forget("r1")
    with open_journal(access("restore_read"), read_only=True) as journal:
        assert journal.runs() == [make_run()]
    with psycopg.connect(server.dsn) as admin:
        query = "SELECT rolname FROM pg_authid WHERE rolname LIKE 'restore%' AND rolpassword LIKE 'SCRAM-SHA-256$%'"
        assert len(admin.execute(query).fetchall()) == 3


def test_the_server_lets_the_roles_in_by_tls_alone() -> None:
    lines = [
        line.split() for line in (FOLDER / "pg_hba.conf").read_text("utf-8").splitlines() if line[:1] not in ("", "#")
    ]
    remote = [line for line in lines if line[0] != "local"]
    assert all(line[0] == "hostssl" and line[-1] == "scram-sha-256" for line in remote)
    assert {user for line in remote for user in line[2].split(",")} == {"restore", "restore_read", "restore_owner"}
