"""The landing's slices for what others read: the audit trail, the log, and syslog."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.core.levels import Level
from orchestrator.core.receiver import Facility, parse_receiver

_STRICT = ConfigDict(extra="forbid", frozen=True)


class AuditSettings(BaseModel):
    """The audit trail: who restored what where."""

    model_config = _STRICT
    folder: Path | None = Field(default=None, description="Where its files are; <state.folder>/audit unless set.")
    required: bool = Field(default=False, description="No run without it: one does not begin, one that goes on stops.")
    key_env: str | None = Field(default=None, min_length=1, description="Environment variable with the key.")
    key_file: Path | None = Field(default=None, description="File with the key on its first line.")
    key_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a systemd credential with the key on its first line.",
    )
    file_mib: int = Field(default=64, ge=1, description="MiB after which another file is begun within a month.")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = [one for one in (self.key_env, self.key_file, self.key_credential) if one is not None]
        if len(given) > 1:
            raise ValueError("key_env, key_file and key_credential exclude each other; keep one")
        return self


class LogSettings(BaseModel):
    """The log: structured lines, on stderr with --log-format json, and in a file."""

    model_config = _STRICT
    file: Path | None = Field(default=None, description="Log lines are appended to it; it may be renamed at any time.")
    level: Level = Field(default="info", description="Least level of log lines.")


class SyslogSettings(BaseModel):
    """Log lines for a syslog receiver, RFC 5424."""

    model_config = _STRICT
    address: str | None = Field(default=None, description="/dev/log, udp://host, tcp://host or tls://host, with :port.")
    facility: Facility = Field(default="local0", description="What receivers sort by.")
    app_name: str = Field(default="orchestrator", pattern=r"^[!-~]{1,48}$", description="The name of this program.")
    level: Level = Field(default="info", description="Least level of lines that are sent.")
    max_bytes: int | None = Field(
        default=None, ge=480, le=65536, description="Longest message; 2048 for udp and 8192 for others unless set."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the CA of the receiver's certificate; tls only."
    )
    cert_file: Path | None = Field(default=None, description="PEM file of our own certificate, if one is asked for.")
    key_file: Path | None = Field(default=None, description="PEM file of its key, if it is not in cert_file.")

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, text: str | None) -> str | None:
        if text is not None:
            parse_receiver(text)
        return text

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        files = (self.ca_file, self.cert_file, self.key_file)
        if any(files) and not (self.address or "").startswith("tls://"):
            raise ValueError("ca_file, cert_file and key_file are for a tls:// address")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")
        return self
