"""The PostgreSQL that tests use: what they rely on when they stop it, fill it, or ask it for a password."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Postgres, postgres

KILLED = """
from tests.support.postgres import postgres
with postgres() as server:
    print(server.own, flush=True)
    input()
"""


def test_every_test_gets_an_empty_database_of_its_own(postgres_server: Postgres) -> None:
    first, second = postgres_server.new_database(), postgres_server.new_database()

    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE seen (one int)")

    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('seen')").fetchone() == (None,)


def test_what_was_committed_is_there_after_a_restart_and_after_a_power_cut() -> None:
    with postgres() as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept (one int)")
            connection.execute("INSERT INTO kept VALUES (1)")

        server.restart()
        server.stop(signal.SIGQUIT)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn, connect_timeout=5)
        server.start()

        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_over_tcp_it_asks_for_the_password_and_takes_only_tls() -> None:
    with postgres(password="Kiebitz4-am-Deich", tls=True) as server:
        reached = {"password": "Kiebitz4-am-Deich", "sslrootcert": str(server.own / "ca.pem")}

        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.dsn, sslmode="require", password="wrong")
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            psycopg.connect(server.dsn, sslmode="disable", password="Kiebitz4-am-Deich")

        with psycopg.connect(server.dsn, sslmode="verify-full", **reached) as connection:
            assert connection.pgconn.ssl_in_use


def test_when_the_tests_are_killed_their_server_ends_and_nothing_of_it_stays() -> None:
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", KILLED]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        own = Path(tests.stdout.readline().strip())
        pid = int((own / "data" / "postmaster.pid").read_text().split()[0])
        tests.kill()
    until = time.monotonic() + 15
    while own.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not own.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
