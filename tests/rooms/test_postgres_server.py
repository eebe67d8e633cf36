"""The PostgreSQL that tests use: what they rely on when they stop it, fill it, or ask it for a password."""

import signal

import psycopg
import pytest

from tests.support.postgres import Postgres, guard_of, postgres


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


def test_a_server_whose_tests_were_killed_ends_and_nothing_of_it_stays() -> None:
    with postgres() as server:
        with guard_of(server.own) as guard:
            assert guard.stdin is not None
            guard.stdin.close()  # the kernel does that for who is killed
        assert guard.returncode == 0
        assert not server.own.exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn, connect_timeout=5)
