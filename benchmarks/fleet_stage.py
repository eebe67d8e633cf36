"""What the fleet is measured on: a real PostgreSQL, a simulated Enterprise Manager, workers and jobs as processes."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.fleet_em import Machines, Manager, manager
from benchmarks.places import Places, remove
from benchmarks.processes import (
    ORCHESTRATOR,
    Running,
    ended_processor_seconds,
    events_of,
    process,
    processor_seconds,
    told,
    until,
)
from orchestrator.simulator import Settings
from tests.support.postgres import Postgres, postgres

POLL = 0.1
"""Seconds between two looks at a task of EM, at first; the default of 1 would be most of what is measured."""

COUNTED = b"""SELECT
    (SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE position('pg_stat' IN query) = 0),
    (SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query = 'COMMIT'),
    (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(%s)"""
NOT_COUNTED = b"SELECT 0, 0, (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(%s)"


@dataclass(frozen=True, slots=True)
class Ran:
    """One job: from the first word of its run to the last, in seconds; and processor time of the process it ran in."""

    seconds: float
    processor: float
    restored: int


@dataclass(frozen=True, slots=True)
class Count:
    """What PostgreSQL has done so far. `statements` and `transactions` are 0 where it does not count them. `log` is the
    bytes of its write-ahead log, `stored` those of its files, `processor` seconds."""

    statements: int
    transactions: int
    log: int
    stored: int
    processor: float

    def __sub__(self, before: "Count") -> "Count":
        return Count(
            self.statements - before.statements,
            self.transactions - before.transactions,
            self.log - before.log,
            self.stored - before.stored,
            self.processor - before.processor,
        )


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that serves, and where its events are."""

    name: str
    running: Running
    file: Path

    @property
    def processor(self) -> float:
        return processor_seconds(self.running.pid)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in events_of(self.file) if one["event"] == kind]

    def serves(self) -> bool:
        return told(self.file, "worker_ready")


@dataclass(frozen=True, slots=True)
class Paid:
    """What one job over the fleet has cost: its run, processor seconds of the one worker, what PostgreSQL had of it,
    and requests to EM."""

    ran: Ran
    worker: float
    had: Count
    requests: int


class Stage:
    """`home` is on the disk that is measured; what is restored goes into memory where there is room. `counts`: whether
    the server counts statements."""

    def __init__(self, home: Path, target: Path, em: Manager, server: Postgres, *, counts: bool) -> None:
        self.em = em
        self.counts = counts
        self._home = home
        self._target = target
        self._server = server
        self._jobs = 0
        self.dsn = server.new_database()
        for folder in (home, target):
            folder.mkdir()

    def config(self, name: str, fleet: bool, max_mounts: int = 1_000, **limits: object) -> Path:
        """A config, for a member of the fleet or for one process alone; where nothing is said, no limit binds."""
        password = self._home / "password"
        password.write_text(Settings().password + "\n")
        em = {"url": self.em.url, "username": Settings().username, "password_file": str(password)}
        # The default of 50 requests a second is manners towards a real EM, and would be all that is measured.
        manners = {"ca_file": str(self.em.ca_file), "requests_per_second": 1_000}
        text = _table("[enterprise_manager]", {**em, **manners})
        for server, share in self.em.shares.items():
            text += _table("[[backup_servers]]", {"name": server, "shares": [str(share)], "max_mounts": max_mounts})
        text += _table("[limits]", {"mounts": 1_000, "poll_interval": POLL, **limits})
        text += _table("[targets]", {"allow": [str(self._target)]})
        text += _table("[state]", {"folder": str(self._home / f"state-{name}")})
        if fleet:
            text += _table("[fleet]", {"dsn": self.dsn})
        file = self._home / f"{name}.toml"
        file.write_text(text)
        return file

    @contextmanager
    def workers(self, config: Path, names: Sequence[str], mounts: int) -> Iterator[list[Worker]]:
        """Workers as long as this is open; they serve when this begins."""
        with ExitStack() as stack:
            found = []
            for name in names:
                file = self._home / f"{name}.jsonl"
                words = ("--config", config, "--quiet", "worker", "--name", name, "--mounts", str(mounts))
                running = stack.enter_context(process(self._home, name, *words, "--events", file))
                found.append(Worker(name, running, file))
            for one in found:
                until(one.serves, one.running)
            try:
                yield found
            finally:
                for one in found:
                    one.running.send_signal(signal.SIGTERM)  # all at once, before each is waited for

    def job(self, machines: Sequence[str]) -> Path:
        """A job that restores these machines whole, to where nothing is yet."""
        self._jobs += 1
        file = self._home / f"job-{self._jobs}.toml"
        text = f'name = "bench-{self._jobs}"\n'
        text += _table("[defaults]", {"to": str(self._target / str(self._jobs) / "{vm}")})
        file.write_text(text + _table("[[restore]]", {"vms": list(machines), "paths": ["C:\\"]}))
        return file

    def run(self, config: Path, machines: Sequence[str]) -> Ran:
        """Restore these machines, and see that it was done."""
        job = self.job(machines)
        file = job.with_suffix(".jsonl")
        words = (*ORCHESTRATOR, "--config", str(config), "--quiet", "--json", "run", str(job), "--events", str(file))
        before = ended_processor_seconds()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        processor = ended_processor_seconds() - before
        remove(self._target / str(self._jobs))
        if done.returncode != 0:
            raise SystemExit(f"a run ended with {done.returncode}: {done.stderr[-2000:]}")
        events = {one["event"]: when(one) for one in events_of(file)}
        restored = json.loads(done.stdout)["totals"]["restored"]
        return Ran(events["run_ended"] - events["run_started"], processor, restored)

    def paid(self, worker: Worker, config: Path, machines: Sequence[str]) -> Paid:
        """Restore these machines over a fleet of that one worker."""
        before, busy, asked = self.count(), worker.processor, len(self.em.requests())
        ran = self.run(config, machines)
        had, busy = self.count() - before, worker.processor - busy
        return Paid(ran, busy, had, len(self.em.requests()) - asked)

    def running(self, config: Path, machines: Sequence[str]) -> AbstractContextManager[Running]:
        """A run that goes on as long as this is open, and is stopped then."""
        job = self.job(machines)
        return process(self._home, job.stem, "--config", config, "--quiet", "run", job)

    def count(self) -> Count:
        """What PostgreSQL has done so far for the fleet, without what this asks itself."""
        name = self.dsn.rpartition("/")[2]
        with psycopg.connect(self._server.dsn) as connection:
            row = connection.execute(COUNTED if self.counts else NOT_COUNTED, [name]).fetchone()
        pid = (self._server.own / "data" / "postmaster.pid").read_text().split()[0]
        statements, transactions, log, stored = row or (0, 0, 0, 0)
        return Count(statements, transactions, log, stored, processor_seconds(int(pid)))

    def new_database(self) -> str:
        """The DSN of an empty one on the same server."""
        return self._server.new_database()


def _counts_statements(server: Postgres) -> bool:
    """Have the server count statements, if it can."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'")
        if found.fetchone() is None:
            return False
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    server.restart()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
    return True


def _table(head: str, values: Mapping[str, object]) -> str:
    """A table of TOML; what JSON writes of a plain value is TOML too."""
    return f"{head}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def when(event: dict[str, Any]) -> float:
    """The time of an event, as `time.time` tells it."""
    return datetime.fromisoformat(event["at"]).timestamp()


@contextmanager
def stage(places: Places, name: str, machines: Machines, task_seconds: float) -> Iterator[Stage]:
    """Everything that runs is stopped at the end. PostgreSQL flushes, as a server of its kind does."""
    home, target = places.disk / name, places.fast / f"{name}-target"
    with postgres(fsync="on", full_page_writes="on") as server:
        counts = _counts_statements(server)
        with manager(places.fast / f"{name}-em", machines, task_seconds) as em:
            yield Stage(home, target, em, server, counts=counts)
        server.stop(signal.SIGQUIT)  # in order would be a flush of everything that is removed next
