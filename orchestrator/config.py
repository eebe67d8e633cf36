"""The landing: config.toml in, frozen and typed slices out. Each room is given its slice and never the whole."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.config_fleet import FleetSettings
from orchestrator.config_limits import BackupWindowSettings, LimitSettings
from orchestrator.config_mount_hosts import BackupServerSettings, one_meaning
from orchestrator.config_notifications import NotificationSettings, PingSettings
from orchestrator.config_shares import GuestCredentialsSettings, ShareSettings, TargetSettings, without_account
from orchestrator.config_web import WebSettings
from orchestrator.core.entry import Verify
from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.paths import lies_below
from orchestrator.core.words import parse_toml, read_model
from orchestrator.records import AuditSettings, LogSettings, SyslogSettings

_STRICT = ConfigDict(extra="forbid", frozen=True)
Slice = TypeVar("Slice", bound=BaseModel)


class EnterpriseManagerSettings(BaseModel):
    """How Enterprise Manager is reached. Durations in seconds."""

    model_config = _STRICT
    url: str = Field(description="https://host:9398; /api is added.")
    username: str = Field(min_length=1, description=r"DOMAIN\user on Windows EM, user@DOMAIN on Linux EM.")
    password_env: str | None = Field(default=None, min_length=1, description="Environment variable with the password.")
    password_file: Path | None = Field(default=None, description="File with the password on its first line.")
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a systemd credential with the password on its first line.",
    )
    ca_file: Path | None = Field(default=None, description="PEM file of the CA that signed EM's certificate.")
    fingerprint_sha256: str | None = Field(
        default=None, description="SHA-256 of EM's certificate, hex, colons optional."
    )
    keep_alive: float = Field(
        default=240, gt=0, le=840, description="Seconds between heartbeats; EM's idle limit is 900."
    )
    request_timeout: float = Field(default=60, gt=0, description="Seconds one request may take.")
    retry_for: float = Field(default=120, ge=0, description="Seconds a request that is safe to repeat is tried again.")
    requests_per_second: float = Field(default=50, gt=0, description="Cap on all requests to EM.")
    refresh_wait: float = Field(
        default=30, ge=0, description="Seconds that EM has to collect restore points, once it has begun (refresh)."
    )
    page_size: int = Field(default=2000, ge=1, le=2000, description="Restore points asked for at once.")

    @field_validator("url")
    @classmethod
    def _url_is_https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.query or parts.fragment or "@" in parts.netloc:
            # The address is not repeated: what stands before the @ may be a password.
            raise ValueError("must hold no user, password, query or fragment; write https://host:9398")
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"{url!r} must be https://host:9398; Basic credentials are never sent in the clear")
        return url.rstrip("/").removesuffix("/api")

    @field_validator("fingerprint_sha256")
    @classmethod
    def _fingerprint_is_hex(cls, text: str | None) -> str | None:
        if text is None:
            return None
        plain = text.replace(":", "").replace(" ", "").lower()
        if not re.fullmatch(r"[0-9a-f]{64}", plain):
            raise ValueError("must be 64 hex digits (SHA-256 of the certificate)")
        return plain

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        references = (self.password_env, self.password_file, self.password_credential)
        if sum(one is not None for one in references) != 1:
            raise ValueError(
                "give the password by reference: password_env, password_file or password_credential, one of the three"
            )
        if self.ca_file is not None and self.fingerprint_sha256 is not None:
            raise ValueError("ca_file and fingerprint_sha256 exclude each other; keep one")
        return self

    @property
    def password_source(self) -> str:
        """The reference, for a message."""
        if self.password_credential is not None:
            return f"the credential {self.password_credential}"
        return f"${self.password_env}" if self.password_env else str(self.password_file)


class CopySettings(BaseModel):
    """How files are copied and proved."""

    model_config = _STRICT
    checksum: Literal["blake3", "sha256", "xxh3"] = Field(
        default="blake3", description="blake3, sha256 or xxh3; xxh3 tells damage, and no forgery."
    )
    verify: Verify = Field(
        default=Verify.STREAM,
        description="How a copy is proved: none, no checksum is taken; stream, it is taken while copying; read-back, "
        "the copy is read from the disk again too.",
    )
    durable: Literal["none", "batch", "file"] = Field(
        default="batch",
        description="What counts as restored after a power cut: none; a batch flushed before the journal says so; "
        "every file flushed by itself.",
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=0, le=16)] = Field(
        default="auto",
        description="Processes that copy small files of local and mounted shares, once a run has thousands of them: "
        "auto is one for each core, at most 4; 0 is none.",
    )


class StateSettings(BaseModel):
    """Where the journal and the reports of runs are kept."""

    model_config = _STRICT
    folder: Path = Field(default=Path("state"), description="On a local disk; one orchestrator at a time.")


class WatchSettings(BaseModel):
    """How `orchestrator watch` takes jobs in. Durations in seconds."""

    model_config = _STRICT
    folder: Path = Field(
        default=Path("jobs"), description="The drop folder; incoming, active, done and failed are made in it."
    )
    settle: float = Field(default=2.0, gt=0, description="Seconds a dropped file must be unchanged before it is taken.")
    poll: float = Field(default=5.0, gt=0, le=60, description="Seconds between looks where the system tells nothing.")
    runs: int = Field(default=2, ge=1, le=100, description="Jobs that run at once; they share the limits of mounts.")
    retries: int = Field(default=3, ge=0, description="How often a job is tried again after a failure that may pass.")
    retry_after: float = Field(default=60.0, gt=0, description="Seconds before the first retry; doubled each time.")
    keep_days: int | None = Field(
        default=None, ge=1, le=36500, description="Days after which finished runs are pruned; never when not set."
    )
    misfire_grace: float = Field(
        default=3600.0, ge=0, description="Seconds by which a due time of a schedule may be missed and still be run."
    )


class DrillSettings(BaseModel):
    """Where drills restore to."""

    model_config = _STRICT
    folder: str | None = Field(
        default=None,
        min_length=1,
        description="Scratch folder below one of targets.allow; drills put their copies in it.",
    )


class MetricsSettings(BaseModel):
    """Metrics for who does not scrape."""

    model_config = _STRICT
    textfile: Path | None = Field(
        default=None, description="File for node_exporter's textfile collector; ends in .prom."
    )

    @field_validator("textfile")
    @classmethod
    def _ends_in_prom(cls, file: Path | None) -> Path | None:
        if file is not None and file.suffix != ".prom":
            raise ValueError(f"{str(file)!r} must end in .prom; node_exporter reads no other file")
        return file


class TracingSettings(BaseModel):
    """Traces for OpenTelemetry; needs the extra `otel`."""

    model_config = _STRICT
    otlp_endpoint: str | None = Field(
        default=None, description="Collector that takes OTLP over HTTP, http://host:4318."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_plain_http(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.query or parts.fragment or "@" in parts.netloc:
            # The address is not repeated: what stands before the @ may be a password.
            raise ValueError(
                "must hold no user, password, query or fragment; put secrets in OTEL_EXPORTER_OTLP_HEADERS"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} must be http://host:4318 or https://host:4318")
        return url


class Config(BaseModel):
    """A whole config.toml."""

    model_config = _STRICT
    enterprise_manager: EnterpriseManagerSettings
    backup_servers: list[BackupServerSettings] = Field(min_length=1)
    shares: list[ShareSettings] = Field(default_factory=list)
    guest_credentials: list[GuestCredentialsSettings] = Field(default_factory=list)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    backup_windows: BackupWindowSettings = Field(default_factory=BackupWindowSettings)
    targets: TargetSettings
    copying: CopySettings = Field(default_factory=CopySettings, alias="copy")
    state: StateSettings = Field(default_factory=StateSettings)
    watch: WatchSettings = Field(default_factory=WatchSettings)
    drill: DrillSettings = Field(default_factory=DrillSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    notifications: list[NotificationSettings] = Field(default_factory=list)
    ping: PingSettings = Field(default_factory=PingSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    syslog: SyslogSettings = Field(default_factory=SyslogSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    fleet: FleetSettings = Field(default_factory=FleetSettings)

    @model_validator(mode="after")
    def _drills_are_allowed(self) -> Self:
        if self.drill.folder and not lies_below(self.drill.folder, self.targets.allow):
            allowed = ", ".join(self.targets.allow)
            raise ValueError(f"drill.folder: {self.drill.folder!r} does not lie below targets.allow ({allowed})")
        return self

    @model_validator(mode="after")
    def _shares_have_accounts(self) -> Self:
        shares = [share for one in self.backup_servers for share in one.every_share]
        for key, paths in (("backup_servers.shares", shares), ("targets.allow", self.targets.allow)):
            if (problem := without_account(paths, self.shares)) is not None:
                raise ValueError(f"{key}: {problem}")
        return self

    @model_validator(mode="after")
    def _servers_differ(self) -> Self:
        names = [server.name.casefold() for server in self.backup_servers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"backup_servers: {name!r} is there more than once")
        if (problem := one_meaning(self.backup_servers)) is not None:
            raise ValueError(f"backup_servers.mount_hosts: {problem}")
        return self

    def backup_server(self, name: str) -> BackupServerSettings | None:
        """The entry for a backup server as EM names it, else the `*` entry, else None. Letter case does not count."""
        for wanted in (name.casefold(), "*"):
            for server in self.backup_servers:
                if server.name.casefold() == wanted:
                    return server
        return None


def load_config(file: Path) -> Config:
    """The config in `file`; ConfigInvalid says what is wrong. Relative paths in it are relative to the file."""
    try:
        content = file.read_bytes()
    except OSError as cause:
        raise ConfigInvalid(
            place=str(file), problems=f"cannot be read: {cause.strerror}; copy config.example.toml and edit it"
        ) from cause
    config = read_model(Config, parse_toml(content, str(file), ConfigInvalid), str(file), ConfigInvalid)
    return _anchored(config, file.resolve().parent)


def _anchored(config: Config, base: Path) -> Config:
    """`config` with its relative paths made absolute, so that the working directory never matters."""
    em, state, metrics = config.enterprise_manager, config.state, config.metrics
    return config.model_copy(
        update={
            "enterprise_manager": _with_paths(em, base, "password_file", "ca_file"),
            "shares": [_with_paths(one, base, "password_file") for one in config.shares],
            "state": state.model_copy(update={"folder": base / state.folder}),
            "watch": config.watch.model_copy(update={"folder": base / config.watch.folder}),
            "metrics": metrics.model_copy(update={"textfile": metrics.textfile and base / metrics.textfile}),
            "notifications": [
                _with_paths(one, base, "url_file", "secret_file", "template") for one in config.notifications
            ],
            "ping": _with_paths(config.ping, base, "url_file", "heartbeat_file"),
            "audit": _with_paths(config.audit, base, "folder", "key_file"),
            "log": _with_paths(config.log, base, "file"),
            "syslog": _with_paths(config.syslog, base, "ca_file", "cert_file", "key_file"),
            "fleet": _with_paths(config.fleet, base, "password_file"),
            "web": _with_paths(config.web, base, "socket", "tls_certificate", "tls_key", "token_file"),
        }
    )


def _with_paths(part: Slice, base: Path, *keys: str) -> Slice:
    """`part` with the paths under `keys`, where there are any, relative to `base`."""
    return part.model_copy(update={key: base / path for key in keys if (path := getattr(part, key)) is not None})


def audit_folder(config: Config) -> Path:
    """Where the audit trail is."""
    return config.audit.folder or config.state.folder / "audit"


KEY_LENGTH = 16
"""Characters that a key has at least; a short one can be guessed from the trail itself."""


def read_audit_key(settings: AuditSettings, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key of the audit trail, None for a plain chain; ConfigInvalid when its reference leads nowhere, or to a key
    that is too short to be one."""
    if settings.key_env is None and settings.key_file is None and settings.key_credential is None:
        return None
    key = read_secret(settings, "key", "audit", environment)
    if len(key) < KEY_LENGTH:
        problem = f"the key has less than {KEY_LENGTH} characters; `openssl rand -hex 32` makes one"
        raise ConfigInvalid(place="audit", problems=problem)
    return key.encode("utf-8", "surrogateescape")


def read_password(settings: EnterpriseManagerSettings, environment: Mapping[str, str] = os.environ) -> str:
    """The password behind its reference; ConfigInvalid when the reference leads nowhere."""
    return read_secret(settings, "password", "enterprise_manager", environment)


def read_secret(part: BaseModel, key: str, place: str, environment: Mapping[str, str] = os.environ) -> str:
    """What stands behind `key`_env, `key`_file or `key`_credential of a part of the config that is called `place`.
    ConfigInvalid when the reference leads nowhere, or there is none."""
    variable, file, credential = (getattr(part, f"{key}_{way}") for way in ("env", "file", "credential"))
    if variable is not None:
        secret = environment.get(variable, "")
        if not secret:
            raise ConfigInvalid(
                place=f"{place}.{key}_env",
                problems=f"the environment variable {variable} is not set or empty; export it first",
            )
        return secret
    if credential is not None:
        return _credential(credential, f"{place}.{key}_credential", environment)
    if file is None:
        raise ConfigInvalid(place=place, problems=f"no {key} reference")
    return _first_line(file, f"{place}.{key}_file")


def _credential(name: str, place: str, environment: Mapping[str, str]) -> str:
    """The first line of a credential that the service manager hands over. Source: systemd.exec(5), CREDENTIALS."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigInvalid(
            place=place,
            problems="CREDENTIALS_DIRECTORY is not set. In a unit, add LoadCredential= or LoadCredentialEncrypted= for "
            f"{name}; by hand, set it to the folder that holds a file {name}",
        )
    return _first_line(Path(folder) / name, place)


def _first_line(file: Path, place: str) -> str:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigInvalid(place=place, problems=f"{file} cannot be read: {cause}") from cause
    if not lines or not lines[0]:
        raise ConfigInvalid(place=place, problems=f"{file} is empty")
    return lines[0]
