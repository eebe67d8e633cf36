"""How a PostgreSQL is reached."""

import sys
from dataclasses import dataclass, field
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from orchestrator.core.errors import JournalUnusable

QUIET_SECONDS = 15
"""How long a server may leave the network unanswered before the connection counts as lost."""

_OURS: dict[str, Any] = {
    "application_name": "orchestrator",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the journal is. `dsn` is a URL or `key=value` words of libpq, without a password; `password_source` names
    where that comes from. `patience`: seconds that a lost connection is tried anew."""

    dsn: str
    schema: str = "orchestrator"
    password: str | None = field(default=None, repr=False)
    password_source: str = ""
    patience: float = 60.0

    @property
    def parameters(self) -> dict[str, Any]:
        """What libpq is given. JournalUnusable when the dsn is none."""
        given = self._given()
        ours = dict(_OURS)
        if sys.platform == "linux":
            ours["tcp_user_timeout"] = QUIET_SECONDS * 1000
        return {**ours, **given, **({} if self.password is None else {"password": self.password})}

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        try:
            given = self._given()
        except JournalUnusable:
            return "PostgreSQL"
        where = given.get("host") or given.get("hostaddr") or given.get("service") or "this machine"
        port = f":{given['port']}" if "port" in given else ""
        return f"PostgreSQL on {where}{port}, database {given.get('dbname', 'of the account')}, schema {self.schema}"

    def _given(self) -> dict[str, Any]:
        try:
            return dict(conninfo_to_dict(self.dsn))
        except ProgrammingError as error:
            # What libpq says may repeat the address, and somebody may have put a password into it.
            cause = "fleet.dsn is no address; write postgresql://user@host:5432/database"
            raise JournalUnusable(folder="PostgreSQL", cause=cause) from error
