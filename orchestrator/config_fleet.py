"""The slice of the config that says where a fleet keeps its journal, and how its members live."""

from pathlib import Path
from typing import Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class FleetSettings(BaseModel):
    """Many machines over one journal in PostgreSQL; needs the extra `fleet`. Durations in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    dsn: str | None = Field(
        default=None,
        description="postgresql://user@host:5432/database, or words of libpq; never a password. Not set: one process "
        "with a journal of its own.",
    )
    password_env: str | None = Field(default=None, min_length=1, description="Environment variable with the password.")
    password_file: Path | None = Field(default=None, description="File with the password on its first line.")
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a systemd credential with the password on its first line.",
    )
    db_schema: str = Field(
        default="orchestrator",
        alias="schema",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema of the database that is the fleet's alone.",
    )
    patience: float = Field(default=60.0, gt=0, description="Seconds that a lost connection is tried again.")
    heartbeat: float = Field(default=1.0, ge=0.1, le=60, description="Seconds between two renewals of a member.")
    lease: float = Field(
        default=10.0, ge=1, le=600, description="A member that was not heard of for so long is dead; others take over."
    )
    worker_timeout: float = Field(
        default=1800.0, gt=0, description="Seconds that a machine waits for a worker that can take it; then it fails."
    )

    @field_validator("dsn")
    @classmethod
    def _without_password(cls, dsn: str | None) -> str | None:
        if dsn is None:
            return None
        before, at, _ = dsn.partition("://")[2].rpartition("@")
        if (at and ":" in before) or "password" in unquote(dsn).casefold():
            # The address is not repeated: it holds a password.
            raise ValueError("must hold no password; give it by password_env, password_file or password_credential")
        if not dsn.strip():
            raise ValueError("must be postgresql://user@host:5432/database")
        return dsn

    @model_validator(mode="after")
    def _what_belongs_together(self) -> Self:
        given = [one for one in (self.password_env, self.password_file, self.password_credential) if one is not None]
        if len(given) > 1:
            raise ValueError("password_env, password_file and password_credential exclude each other; keep one")
        if given and self.dsn is None:
            raise ValueError("a password without dsn: say where the database is")
        if self.lease < 3 * self.heartbeat:
            raise ValueError(f"lease must be at least three times heartbeat ({self.heartbeat:g} s)")
        return self

    @property
    def password_source(self) -> str:
        """The reference, for a message; empty when there is none."""
        if self.password_credential is not None:
            return f"the credential {self.password_credential}"
        return f"${self.password_env}" if self.password_env else str(self.password_file or "")
