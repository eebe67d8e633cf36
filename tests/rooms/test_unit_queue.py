"""The queue of the fleet's units on a real PostgreSQL: what two workers, a dead one and a lost server make of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from orchestrator.core.errors import QueueOutdated
from orchestrator.unit_queue import ANYTHING, CHANNEL, Deferred, UnitQueue, Waker, prepare
from orchestrator.unit_queue import waker as waking
from orchestrator.unit_queue.blocking import SETTINGS
from tests.support.deaf import deaf_way
from tests.support.postgres import Postgres, postgres

ROUTE = "berlin vbr01"
A, B = uuid4(), uuid4()

Connect = Callable[[], psycopg.Connection[Any]]


@pytest.fixture(scope="module")
def prepared(postgres_server: Postgres) -> str:
    """The name of a database that holds an empty queue."""
    with psycopg.connect(postgres_server.new_database(), autocommit=True) as connection:
        prepare(connection)
        return connection.info.dbname


@pytest.fixture
def dsn(postgres_server: Postgres, prepared: str) -> str:
    return postgres_server.new_database(like=prepared)


@pytest.fixture
def connect(dsn: str) -> Iterator[Connect]:
    opened: list[psycopg.Connection[Any]] = []

    def again() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(dsn, autocommit=True))
        return opened[-1]

    yield again
    for one in opened:
        one.close()


@pytest.fixture
def cursor(connect: Connect) -> psycopg.Cursor[Any]:
    """Every call is a transaction of its own."""
    return connect().cursor()


def deferred(*names: str, route: str = ROUTE) -> list[Deferred]:
    return [Deferred(name, route) for name in names]


def taken(cursor: psycopg.Cursor[Any], worker: UUID = A, *routes: str) -> str | None:
    return UnitQueue().take(cursor, worker, routes or (ROUTE,))


def standing(cursor: psycopg.Cursor[Any]) -> dict[str, UUID | None]:
    """The units in the queue, with those who have them."""
    return dict(cursor.execute("SELECT dedupe_key, queue_manager_id FROM pgqueuer ORDER BY id").fetchall())


# --- waiting ---


def test_a_unit_waits_once_however_often_it_is_deferred(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()

    assert queue.defer(cursor, deferred("r/g1", "r/g2")) == 2
    assert queue.defer(cursor, deferred("r/g1", "r/g3")) == 1
    assert taken(cursor) == "r/g1"
    assert queue.defer(cursor, deferred("r/g1")) == 0, "it is in somebody's hands"

    assert standing(cursor) == {"r/g1": A, "r/g2": None, "r/g3": None}


def test_units_go_by_priority_and_then_in_the_order_of_the_plan(cursor: psycopg.Cursor[Any]) -> None:
    UnitQueue().defer(cursor, [Deferred(f"r/g{n}", ROUTE, priority=n // 50) for n in range(100)])

    order = [taken(cursor) for _ in range(100)]

    assert order == [f"r/g{n}" for n in [*range(50, 100), *range(50)]]
    assert taken(cursor) is None


def test_a_worker_gets_units_of_its_routes_alone(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, [*deferred("r/b"), *deferred("r/h", route="hamburg vbr02")])

    assert not queue.waits(cursor, ["nowhere"])
    assert not queue.waits(cursor, [])
    assert queue.waits(cursor, [ROUTE, "nowhere"])
    assert queue.take(cursor, A, []) is None
    assert taken(cursor, A, "hamburg vbr02", "nowhere") == "r/h"
    assert taken(cursor, A, "hamburg vbr02") is None
    assert not queue.waits(cursor, ["hamburg vbr02"])


def test_a_transaction_that_is_rolled_back_has_deferred_and_taken_nothing(connect: Connect) -> None:
    queue, connection = UnitQueue(), connect()
    cursor = connection.cursor()
    queue.defer(cursor, deferred("r/g1"))

    with connection.transaction(force_rollback=True):
        queue.defer(cursor, deferred("r/g2"))
    with connection.transaction(force_rollback=True):
        assert taken(cursor) == "r/g1"

    assert standing(cursor) == {"r/g1": None}
    assert taken(cursor, B) == "r/g1"


# --- handing out ---


def test_no_unit_is_handed_to_two_that_ask_at_the_same_time(connect: Connect) -> None:
    queue = UnitQueue()
    queue.defer(connect().cursor(), deferred(*(f"r/g{n}" for n in range(120))))

    def all_it_gets(connection: psycopg.Connection[Any]) -> list[str]:
        worker, mine = uuid4(), []
        while True:
            with connection.transaction(), connection.cursor() as cursor:
                unit = queue.take(cursor, worker, [ROUTE])
            if unit is None:
                return mine
            mine.append(unit)

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(all_it_gets, [connect() for _ in range(4)]))

    handed_out = [unit for share in shares for unit in share]
    assert sorted(handed_out) == sorted(f"r/g{n}" for n in range(120))


def test_what_somebody_is_just_taking_is_passed_over_and_not_waited_for(connect: Connect) -> None:
    slow, quick = connect(), connect()
    UnitQueue().defer(quick.cursor(), deferred("r/g1", "r/g2"))

    with slow.transaction(), slow.cursor() as cursor:
        assert taken(cursor, A) == "r/g1"
        assert taken(quick.cursor(), B) == "r/g2"
        assert taken(quick.cursor(), B) is None


def test_a_worker_that_is_killed_while_it_takes_a_unit_has_not_taken_it(dsn: str, cursor: psycopg.Cursor[Any]) -> None:
    UnitQueue().defer(cursor, deferred("r/g1"))
    code = f"""
import psycopg, time, uuid
from orchestrator.unit_queue import UnitQueue
connection = psycopg.connect({dsn!r})
assert UnitQueue().take(connection.cursor(), uuid.uuid4(), [{ROUTE!r}])
print("taken", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        assert taken(cursor, B) is None
        process.kill()
        process.wait()

    with psycopg.connect(dsn) as waiting:
        waiting.execute("SELECT 1 FROM pgqueuer FOR UPDATE")  # until the server has seen that he is gone
    assert taken(cursor, B) == "r/g1"


def test_silence_alone_hands_nothing_on(cursor: psycopg.Cursor[Any]) -> None:
    UnitQueue().defer(cursor, deferred("r/g1"))
    assert taken(cursor, A) == "r/g1"
    cursor.execute("UPDATE pgqueuer SET heartbeat = now() - interval '30 days', updated = now() - interval '30 days'")

    assert taken(cursor, B) is None
    UnitQueue().withdraw(cursor, ["r/g1"])  # somebody cleared up after A
    UnitQueue().defer(cursor, deferred("r/g1"))
    assert taken(cursor, B) == "r/g1"


# --- coming to an end ---


def test_a_unit_that_has_left_may_wait_again_and_elsewhere(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1"))
    taken(cursor)
    queue.withdraw(cursor, ["r/g1"])
    assert standing(cursor) == {}

    assert queue.defer(cursor, deferred("r/g1", route="hamburg vbr02")) == 1
    assert taken(cursor) is None
    assert taken(cursor, B, "hamburg vbr02") == "r/g1"


def test_what_is_deferred_within_a_transaction_is_not_handed_out_in_it(connect: Connect) -> None:
    queue, connection = UnitQueue(), connect()
    cursor = connection.cursor()

    with connection.transaction():
        queue.defer(cursor, deferred("r/g1"))
        assert taken(cursor) is None, "whoever puts back what he cannot use comes to an end"
        assert queue.waits(cursor, [ROUTE])

    assert taken(cursor) == "r/g1"


def test_units_that_leave_leave_the_others(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1", "r/g2", "r/g3"))
    assert taken(cursor) == "r/g1"

    queue.withdraw(cursor, ["r/g1", "r/g2", "r/other"])

    assert standing(cursor) == {"r/g3": None}
    assert taken(cursor, B) == "r/g3"


def test_what_is_written_down_of_units_that_went_is_deleted_after_its_days(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1"))
    taken(cursor)
    queue.withdraw(cursor, ["r/g1"])

    assert queue.tidy(cursor, days=1) == 0
    cursor.execute("UPDATE pgqueuer_log SET created = now() - interval '2 days'")
    assert queue.tidy(cursor, days=1) > 0
    assert cursor.execute("SELECT count(*) FROM pgqueuer_log").fetchone() == (0,)


# --- its tables ---


def test_tables_are_made_once_also_by_two_at_the_same_time(postgres_server: Postgres) -> None:
    dsn = postgres_server.new_database()
    connections = [psycopg.connect(dsn, autocommit=True) for _ in range(3)]

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(prepare, connections))
    assert UnitQueue().defer(connections[0].cursor(), deferred("r/g1")) == 1

    for one in connections:
        one.close()


def test_tables_of_an_older_version_are_brought_up_to_date_and_those_of_a_newer_one_are_left(
    postgres_server: Postgres,
) -> None:
    with psycopg.connect(postgres_server.new_database(), autocommit=True) as connection:
        prepare(connection)
        UnitQueue().defer(connection.cursor(), deferred("r/g1"))
        connection.execute("ALTER TABLE pgqueuer DROP COLUMN slot")
        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.1.0'")

        prepare(connection)
        connection.execute("SELECT slot FROM pgqueuer")
        assert taken(connection.cursor()) == "r/g1", "an upgrade keeps what waits"

        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.5.0'")
        role = f"w{uuid4().hex}"
        connection.execute(f"CREATE ROLE {role}; GRANT SELECT ON pgqueuer TO {role}; SET ROLE {role}".encode())
        prepare(connection)  # nothing is to be changed, and nothing is
        connection.execute("RESET ROLE")

        newer = "tables of pgqueuer 1.99.0"
        connection.execute(f"COMMENT ON TABLE pgqueuer IS '{newer}'")
        prepare(connection)
        said = connection.execute("SELECT obj_description('pgqueuer'::regclass, 'pg_class')")
        assert said.fetchone() == (newer,)

        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 99.0.0'")
        with pytest.raises(QueueOutdated, match=r"of pgqueuer 99\.0\.0, and here is .*the version of\s+the others"):
            prepare(connection)


def test_a_worker_of_the_older_version_goes_on_beside_tables_of_a_newer_one(connect: Connect) -> None:
    older, newer = connect(), connect()
    queue = UnitQueue()
    queue.defer(older.cursor(), deferred("r/g1", "r/g2"))
    newer.execute("ALTER TABLE pgqueuer ADD COLUMN of_a_newer_version text")
    newer.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.99.0'")

    prepare(older)

    assert taken(older.cursor(), A) == "r/g1"
    queue.withdraw(older.cursor(), ["r/g1"])
    assert taken(older.cursor(), A) == "r/g2"


def test_a_connection_that_does_not_commit_by_itself_prepares_nothing(database: str) -> None:
    with psycopg.connect(database) as connection, pytest.raises(ValueError, match="autocommit"):
        prepare(connection)


def test_the_environment_renames_no_table(postgres_server: Postgres) -> None:
    dsn = postgres_server.new_database()
    code = """
import sys
import psycopg
from orchestrator.unit_queue import prepare
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    prepare(connection)
    for asked in (
        "SELECT relname FROM pg_class WHERE relname ~ 'queue' AND relkind = 'r' ORDER BY 1",
        "SELECT tgname FROM pg_trigger",
    ):
        print(*(name for (name,) in connection.execute(asked)))
"""
    names = {"PGQUEUER_PREFIX": "x_", "QUEUE_TABLE": "mine", "TRIGGER": "mine", "CHANNEL": "mine", "FUNCTION": "mine"}
    said = subprocess.run(
        [sys.executable, "-c", code, dsn], env=os.environ | names, capture_output=True, text=True, check=True
    ).stdout

    assert said.split() == [
        "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics", "tg_pgqueuer_changed"
    ]  # fmt: skip


def test_the_queue_lies_where_the_search_path_says(postgres_server: Postgres) -> None:
    with psycopg.connect(postgres_server.new_database(), autocommit=True) as connection:
        for schema in ("one", "other"):
            connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(f"SET search_path = {schema}")
            prepare(connection)

        UnitQueue().defer(connection.cursor(), deferred("r/g1"))

        assert connection.execute("SELECT count(*) FROM other.pgqueuer").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM one.pgqueuer").fetchone() == (0,)


def test_every_name_that_pgqueuer_would_ask_the_environment_for_is_given() -> None:
    assert SETTINGS.model_fields_set == set(type(SETTINGS).model_fields)
    assert QueryBuilderEnvironment(SETTINGS).settings.queue_table == "pgqueuer"


# --- the sign ---

UNTIL_IT_COMES = 15.0


@pytest.fixture
def waker(connect: Connect) -> Iterator[Waker]:
    """One that hears."""
    with closing(Waker(connect, CHANNEL)) as made:
        assert made.wait(0) == {ANYTHING}, "what was told before it listened may have been missed"
        assert made.arrives
        yield made


def test_whoever_waits_is_woken_by_what_is_deferred_and_by_what_leaves_and_by_nobody_who_looks(
    cursor: psycopg.Cursor[Any], waker: Waker
) -> None:
    queue = UnitQueue()

    def woken_by(act: Callable[[], object]) -> bool:
        act()
        return bool(waker.wait(UNTIL_IT_COMES))

    assert woken_by(lambda: queue.defer(cursor, deferred("r/g1", "r/g2")))
    assert taken(cursor) == "r/g1"
    assert woken_by(lambda: queue.withdraw(cursor, ["r/g1"]))
    assert woken_by(lambda: queue.wake(cursor))
    assert taken(cursor) == "r/g2"
    assert taken(cursor) is None
    assert not waker.wait(0.05)


def test_a_sign_comes_while_one_waits_and_says_what_it_is_about(cursor: psycopg.Cursor[Any], waker: Waker) -> None:
    timer = threading.Timer(0.2, lambda: cursor.execute(f"NOTIFY {CHANNEL}, 'a run'".encode()))
    timer.start()

    assert waker.wait(UNTIL_IT_COMES) == {"a run"}
    timer.join()


def test_that_others_prove_whether_they_hear_wakes_nobody(connect: Connect, waker: Waker) -> None:
    with closing(Waker(connect, CHANNEL)) as other:
        other.wait(0)

    assert not waker.wait(0.05)


def test_after_a_long_silence_it_is_proved_anew_that_signs_arrive(
    connect: Connect, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "PROVE_EVERY", 0.0)
    with connect() as other:
        other.execute(f"NOTIFY {CHANNEL}, 'meanwhile'".encode())
    assert waker.wait(0) == {"meanwhile"}, "what others say while it is proved is not lost"
    assert waker.arrives


def test_whoever_waits_returns_when_another_closes(waker: Waker) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(waker.wait, 600)
        waker.close()
        assert not waiting.result(UNTIL_IT_COMES)
    assert not waker.wait(600), "and does not wait again"
    assert not waker.arrives
    waker.close()


def test_without_its_server_the_waker_pauses_and_listens_again_when_it_is_back() -> None:
    with postgres() as server, closing(Waker(lambda: psycopg.connect(server.dsn, autocommit=True), CHANNEL)) as waker:
        assert waker.wait(0)
        assert waker.arrives

        server.stop(signal.SIGQUIT)
        for _ in range(2):
            begun = time.monotonic()
            assert not waker.wait(0.2)
            assert time.monotonic() - begun >= 0.2, "whoever asks in a loop does not spin"
            assert not waker.arrives

        server.start()
        assert waker.wait(UNTIL_IT_COMES) == {ANYTHING}, "signs may have been missed"
        assert waker.arrives
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            UnitQueue().wake(connection.cursor())
        assert waker.wait(UNTIL_IT_COMES)


def test_a_connection_that_is_ended_is_made_anew(connect: Connect, waker: Waker, cursor: psycopg.Cursor[Any]) -> None:
    cursor.execute("""SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                      WHERE datname = current_database() AND query LIKE 'LISTEN%'""")

    assert not waker.wait(0.05)
    assert not waker.arrives
    assert waker.wait(0) == {ANYTHING}
    assert waker.arrives


def test_behind_what_passes_no_signs_on_it_is_known_that_none_arrive(
    postgres_server: Postgres, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "PROVE_WITHIN", 0.2)
    with deaf_way(postgres_server.port) as port:
        through = dsn.replace(str(postgres_server.port), str(port)) + "?sslmode=disable&gssencmode=disable"
        with closing(Waker(lambda: psycopg.connect(through, autocommit=True), CHANNEL)) as waker:
            assert waker.wait(0) == {ANYTHING}
            assert not waker.arrives
            assert not waker.wait(0.05)
