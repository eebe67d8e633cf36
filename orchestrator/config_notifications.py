"""The slice of the config that says whom to tell of what. Addresses hold credentials, so they stand in no config."""

import difflib
import re
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.core.announce import Kind

_STRICT = ConfigDict(extra="forbid", frozen=True)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


# Neither repeats the value: who mistakes the name for the secret itself has written the secret there.
def _names_a_variable(name: str | None) -> str | None:
    if name is not None and not _VARIABLE.fullmatch(name):
        raise ValueError("must be the name of an environment variable, such as OPS_MAIL_URL; what is secret goes there")
    return name


def _names_a_credential(name: str | None) -> str | None:
    if name is not None and not _CREDENTIAL.fullmatch(name):
        raise ValueError("must be the name of a systemd credential, such as ops-mail; what is secret goes there")
    return name


def references(part: BaseModel, key: str) -> int:
    """How many references there are to the secret `key`."""
    return sum(getattr(part, f"{key}_{way}") is not None for way in ("env", "file", "credential"))


class NotificationSettings(BaseModel):
    """One channel on which people or programs are told what happened. Durations in seconds."""

    model_config = _STRICT
    name: str = Field(default="", description="What messages call this channel; without it, its place in the config.")
    url_env: str | None = Field(default=None, description="Environment variable with the Apprise URL of the service.")
    url_file: Path | None = Field(default=None, description="File with the Apprise URL on its first line.")
    url_credential: str | None = Field(default=None, description="Name of a systemd credential with the Apprise URL.")
    webhook: str | None = Field(default=None, description="https address that takes CloudEvents.")
    secret_env: str | None = Field(default=None, description="Environment variable with the webhook's signing secret.")
    secret_file: Path | None = Field(default=None, description="File with the signing secret on its first line.")
    secret_credential: str | None = Field(
        default=None, description="Name of a systemd credential with the signing secret."
    )
    on: list[str] = Field(
        default_factory=lambda: [kind.value for kind in Kind if kind is not Kind.STARTED],
        min_length=1,
        description="What is told; default: everything but started.",
    )
    jobs: list[str] = Field(default_factory=lambda: ["*"], min_length=1, description="Globs of job names.")
    template: Path | None = Field(default=None, description="Jinja2 file with the text; its first line is the title.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds one attempt may take.")
    retry_for: float = Field(default=600, ge=0, description="Seconds a message is tried again before it is given up.")
    linger: float = Field(default=10, ge=0, le=600, description="Seconds the end of a command waits for messages.")

    _variables = field_validator("url_env", "secret_env")(_names_a_variable)
    _credentials = field_validator("url_credential", "secret_credential")(_names_a_credential)

    @model_validator(mode="before")
    @classmethod
    def _no_secret_in_here(cls, table: Any) -> Any:
        for key in ("url", "secret"):
            if isinstance(table, dict) and key in table:
                raise ValueError(
                    f"{key} would put a secret into this file; give it by reference: {key}_env or {key}_file"
                )
        return table

    @field_validator("on")
    @classmethod
    def _kinds_are_known(cls, kinds: list[str]) -> list[str]:
        known = [kind.value for kind in Kind]
        for kind in kinds:
            if kind not in known:
                close = difflib.get_close_matches(kind, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                raise ValueError(f"{kind!r} is no kind of notification; {hint}")
        return kinds

    @field_validator("webhook")
    @classmethod
    def _webhook_is_private(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ValueError("must hold no user and no password; the signature proves who sends")
        if parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"):
            return url
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError("must be https://host/path; http is for this machine only")
        return url

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        ways = references(self, "url") + (self.webhook is not None)
        if ways != 1:
            raise ValueError("give one of url_env, url_file, url_credential and webhook")
        if references(self, "secret") != (self.webhook is not None):
            raise ValueError(
                "a webhook needs one of secret_env, secret_file and secret_credential; nothing else has any of them"
            )
        return self


class PingSettings(BaseModel):
    """Dead man's switches: a monitor elsewhere raises the alarm when a ping does not come."""

    model_config = _STRICT
    url_env: str | None = Field(default=None, description="Environment variable with the address pinged for runs.")
    url_file: Path | None = Field(default=None, description="File with that address on its first line.")
    url_credential: str | None = Field(default=None, description="Name of a systemd credential with that address.")
    jobs: list[str] = Field(default_factory=lambda: ["*"], min_length=1, description="Globs of the jobs that ping.")
    heartbeat_env: str | None = Field(default=None, description="Environment variable with the watcher's address.")
    heartbeat_file: Path | None = Field(default=None, description="File with that address on its first line.")
    heartbeat_credential: str | None = Field(
        default=None, description="Name of a systemd credential with that address."
    )
    every: float = Field(default=300, ge=10, description="Seconds between two pings of the watcher.")

    @property
    def wanted(self) -> bool:
        """Whether anything is pinged."""
        return references(self, "url") + references(self, "heartbeat") > 0

    _variables = field_validator("url_env", "heartbeat_env")(_names_a_variable)
    _credentials = field_validator("url_credential", "heartbeat_credential")(_names_a_credential)

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for key in ("url", "heartbeat"):
            if references(self, key) > 1:
                raise ValueError(f"{key}_env, {key}_file and {key}_credential exclude each other; keep one")
        return self
