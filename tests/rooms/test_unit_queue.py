"""The queue of the fleet's units on a real PostgreSQL: what two workers, a dead one and a lost server make of it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from orchestrator.core.errors import QueueOutdated
from orchestrator.unit_queue import Deferred, UnitQueue, Waker, check, prepare
from orchestrator.unit_queue.blocking import SETTINGS
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
    ticket = UnitQueue().take(cursor, worker, routes or (ROUTE,))
    return ticket and ticket.unit


# --- waiting ---


def test_a_unit_waits_once_however_often_it_is_deferred(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()

    assert queue.defer(cursor, deferred("r/g1", "r/g2")) == 2
    assert queue.defer(cursor, deferred("r/g1", "r/g3")) == 1
    assert queue.take(cursor, A, [ROUTE])
    assert queue.defer(cursor, deferred("r/g1")) == 0, "it is in somebody's hands"

    assert sorted(one.unit for one in queue.standing(cursor)) == ["r/g1", "r/g2", "r/g3"]


def test_units_go_by_priority_and_then_in_the_order_of_the_plan(cursor: psycopg.Cursor[Any]) -> None:
    UnitQueue().defer(cursor, [Deferred(f"r/g{n}", ROUTE, priority=n // 50) for n in range(100)])

    order = [taken(cursor) for _ in range(100)]

    assert order == [f"r/g{n}" for n in [*range(50, 100), *range(50)]]
    assert taken(cursor) is None


def test_a_worker_gets_units_of_its_routes_alone(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, [*deferred("r/b"), *deferred("r/h", route="hamburg vbr02")])

    assert queue.routes(cursor) == [ROUTE, "hamburg vbr02"]
    assert queue.take(cursor, A, []) is None
    assert taken(cursor, A, "hamburg vbr02", "nowhere") == "r/h"
    assert taken(cursor, A, "hamburg vbr02") is None
    assert queue.routes(cursor) == [ROUTE]


def test_a_transaction_that_is_rolled_back_has_deferred_and_taken_nothing(connect: Connect) -> None:
    queue, connection = UnitQueue(), connect()
    cursor = connection.cursor()
    queue.defer(cursor, deferred("r/g1"))

    with connection.transaction(force_rollback=True):
        queue.defer(cursor, deferred("r/g2"))
    with connection.transaction(force_rollback=True):
        assert taken(cursor) == "r/g1"

    assert [(one.unit, one.worker) for one in queue.standing(cursor)] == [("r/g1", None)]
    assert taken(cursor, B) == "r/g1"


# --- handing out ---


def test_no_unit_is_handed_to_two_that_ask_at_the_same_time(connect: Connect) -> None:
    queue = UnitQueue()
    queue.defer(connect().cursor(), deferred(*(f"r/g{n}" for n in range(120))))

    def all_it_gets(connection: psycopg.Connection[Any]) -> list[str]:
        worker, mine = uuid4(), []
        while True:
            with connection.transaction(), connection.cursor() as cursor:
                ticket = queue.take(cursor, worker, [ROUTE])
            if ticket is None:
                return mine
            mine.append(ticket.unit)

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
    assert UnitQueue().hand_back(cursor, "r/g1", A), "somebody cleared up after A"
    assert taken(cursor, B) == "r/g1"


# --- coming to an end ---


def test_a_worker_whose_unit_was_given_to_another_cannot_finish_it(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1"))
    first = queue.take(cursor, A, [ROUTE])
    assert queue.hand_back(cursor, "r/g1", A)
    second = queue.take(cursor, B, [ROUTE])

    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (1, 2), "what is written under the first number can be told apart"
    assert not queue.finish(cursor, "r/g1", A)
    assert not queue.hand_back(cursor, "r/g1", A)
    assert [one.worker for one in queue.standing(cursor)] == [B]
    assert queue.finish(cursor, "r/g1", B)
    assert queue.standing(cursor) == []
    assert not queue.finish(cursor, "r/g1", B)


def test_a_unit_that_is_through_may_wait_again(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1"))
    taken(cursor)
    queue.finish(cursor, "r/g1", A)

    assert queue.defer(cursor, deferred("r/g1")) == 1
    assert taken(cursor) == "r/g1"


def test_what_is_handed_back_for_later_is_not_handed_out_before(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1", "r/g2"))
    taken(cursor)

    assert queue.hand_back(cursor, "r/g1", A, seconds=3600)

    assert taken(cursor) == "r/g2"
    assert taken(cursor) is None
    assert queue.routes(cursor) == [ROUTE], "it waits all the same"


def test_withdrawing_ends_what_waits_and_leaves_what_somebody_has(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1", "r/g2", "r/g3"))
    assert taken(cursor) == "r/g1"

    assert queue.withdraw(cursor, ["r/g1", "r/g2", "r/other"]) == ["r/g2"]

    assert [(one.unit, one.worker) for one in queue.standing(cursor)] == [("r/g1", A), ("r/g3", None)]
    assert taken(cursor, B) == "r/g3"
    assert queue.finish(cursor, "r/g1", A)


def test_what_is_written_down_of_units_that_went_is_deleted_after_its_days(cursor: psycopg.Cursor[Any]) -> None:
    queue = UnitQueue()
    queue.defer(cursor, deferred("r/g1"))
    taken(cursor)
    queue.finish(cursor, "r/g1", A)

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
    check(connections[0])

    for one in connections:
        one.close()


def test_without_tables_and_with_tables_of_another_version_it_says_what_to_do(
    postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = UnitQueue()
    with psycopg.connect(postgres_server.new_database(), autocommit=True) as connection:
        with pytest.raises(QueueOutdated, match=r"has no tables yet.*as the owner of the schema"):
            check(connection)

        prepare(connection)
        queue.defer(connection.cursor(), deferred("r/g1"))
        connection.execute("ALTER TABLE pgqueuer DROP COLUMN slot")
        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.1.0'")
        with pytest.raises(QueueOutdated, match=r"of pgqueuer 1\.1\.0, and here is"):
            check(connection)

        prepare(connection)
        check(connection)
        assert taken(connection.cursor()) == "r/g1", "an upgrade keeps what waits"

        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.99.0'")
        prepare(connection)
        check(connection)
        connection.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 99.0.0'")
        prepare(connection)
        with pytest.raises(QueueOutdated, match=r"of pgqueuer 99\.0\.0, and here is"):
            check(connection)


def test_a_worker_of_the_older_version_goes_on_beside_tables_of_a_newer_one(connect: Connect) -> None:
    older, newer = connect(), connect()
    queue = UnitQueue()
    queue.defer(older.cursor(), deferred("r/g1", "r/g2"))
    newer.execute("ALTER TABLE pgqueuer ADD COLUMN of_a_newer_version text")
    newer.execute("COMMENT ON TABLE pgqueuer IS 'tables of pgqueuer 1.99.0'")

    prepare(older)
    check(older)

    assert taken(older.cursor(), A) == "r/g1"
    assert queue.finish(older.cursor(), "r/g1", A)


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


def test_whoever_waits_is_woken_by_what_is_deferred_finished_and_handed_back(connect: Connect) -> None:
    queue, cursor, waker = UnitQueue(), connect().cursor(), Waker(connect)
    assert waker.wait(0), "what was told before it listened may have been missed"

    def woken_by(act: Callable[[], object]) -> bool:
        act()
        return waker.wait(15)

    assert woken_by(lambda: queue.defer(cursor, deferred("r/g1", "r/g2")))
    assert queue.take(cursor, A, [ROUTE])
    assert woken_by(lambda: queue.hand_back(cursor, "r/g1", A))
    assert queue.take(cursor, A, [ROUTE])
    assert woken_by(lambda: queue.finish(cursor, "r/g1", A))
    assert woken_by(lambda: queue.withdraw(cursor, ["r/g2"]))
    assert woken_by(lambda: queue.wake(cursor))
    assert not waker.wait(0.05)
    waker.close()


def test_a_sign_comes_while_one_waits(connect: Connect) -> None:
    waker, cursor = Waker(connect), connect().cursor()
    waker.wait(0)

    timer = threading.Timer(0.2, lambda: UnitQueue().wake(cursor))
    timer.start()

    assert waker.wait(15)
    timer.join()
    waker.close()


def test_without_its_server_the_waker_pauses_and_listens_again_when_it_is_back() -> None:
    pauses: list[float] = []
    with postgres() as server:
        waker = Waker(lambda: psycopg.connect(server.dsn, autocommit=True), pauses.append)
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            prepare(connection)
        assert waker.wait(0)

        server.stop(signal.SIGQUIT)
        assert not waker.wait(5)
        assert not waker.wait(5)
        assert len(pauses) == 2
        assert all(3 < pause <= 5 for pause in pauses), "whoever asks in a loop does not spin"

        server.start()
        assert waker.wait(5), "signs may have been missed"
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            UnitQueue().wake(connection.cursor())
        assert waker.wait(15)
        waker.close()
