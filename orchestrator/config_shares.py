r"""The slices of the config that say how shares are reached by UNC path, and where restores may write."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.config_notifications import references
from orchestrator.core.paths import components

BY_SYSTEM = os.name == "nt"
"""Whether UNC paths are opened by the operating system, as whoever is logged on there."""


class ShareSettings(BaseModel):
    r"""Who opens a share by its UNC path, and how. On Windows the operating system does, and this is not used."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str = Field(description=r"\\server or \\server\share; holds for everything below.")
    username: str = Field(min_length=1, description=r"Account at the server.")
    domain: str = Field(default="", description="Domain of the account; empty for one of the server's own.")
    password_env: str | None = Field(default=None, min_length=1, description="Environment variable with the password.")
    password_file: Path | None = Field(default=None, description="File with the password on its first line.")
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a systemd credential with the password on its first line.",
    )
    port: int = Field(default=445, ge=1, le=65535, description="TCP port of the server.")
    encrypt: Literal["if-asked", "always"] = Field(
        default="if-asked", description="Encrypt when the server asks for it, or always (SMB 3). Always signed."
    )
    connections: int = Field(
        default=2,
        ge=1,
        le=8,
        description="Connections to each share, shared by all copies; a large file is read over all.",
    )

    @field_validator("path")
    @classmethod
    def _is_unc(cls, path: str) -> str:
        if not 1 <= len(_names(path)) <= 2:
            raise ValueError(rf"'{path}' must be \\server or \\server\share, in single quotes")
        return path

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if references(self, "password") != 1:
            raise ValueError(
                "give the password by reference: password_env, password_file or password_credential, one of the three"
            )
        return self

    @property
    def password_source(self) -> str:
        """The reference, for a message."""
        if self.password_credential is not None:
            return f"the credential {self.password_credential}"
        return f"${self.password_env}" if self.password_env else str(self.password_file)


class GuestCredentialsSettings(BaseModel):
    """Who Enterprise Manager logs on to a guest as, when it restores to the original location."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1, description="What jobs and the command line call it.")
    username: str = Field(min_length=1, description="Account of the guest, such as fs01\\restore.")
    password_env: str | None = Field(default=None, min_length=1, description="Environment variable with the password.")
    password_file: Path | None = Field(default=None, description="File with the password on its first line.")
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a systemd credential with the password on its first line.",
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if references(self, "password") != 1:
            raise ValueError(
                "give the password by reference: password_env, password_file or password_credential, one of the three"
            )
        return self


class TargetSettings(BaseModel):
    """Where restores may write."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    allow: list[str] = Field(
        min_length=1, description="Every destination must lie below one of these folders or UNC paths."
    )

    guests: list[str] = Field(
        default_factory=list,
        description='Machines, by name or glob, into which jobs may have EM restore with road = "original".',
    )

    @field_validator("allow")
    @classmethod
    def _absolute(cls, roots: list[str]) -> list[str]:
        for root in roots:
            if not Path(root).is_absolute() and not root.startswith("\\\\"):
                raise ValueError(f"{root!r} must be an absolute folder")
        return roots


def share_settings(path: str, known: Iterable[ShareSettings]) -> ShareSettings | None:
    """The settings that hold for a UNC path: the longest that it lies below, None if there are none."""
    names = _names(path)
    holding = [one for one in known if names[: len(_names(one.path))] == _names(one.path)]
    return max(holding, key=lambda one: len(_names(one.path)), default=None)


def without_account(shares: Iterable[str], known: Iterable[ShareSettings]) -> str | None:
    """What is wrong with the first UNC path of `shares` that nothing says how to log on to; None when all is well."""
    known = list(known)
    for share in shares:
        if not share.startswith("\\\\") or BY_SYSTEM:
            continue
        names = _names(share)
        if len(names) < 2:
            return rf"'{share}' must name a server and a share: '\\server\share'"
        if share_settings(share, known) is None:
            return (
                f"'{share}' has no account to be opened with; add a table [[shares]] with path = "
                f"'{_server_and_share(share)}', username and password_env (or password_file, password_credential), "
                "or mount the share and name its folder"
            )
    return None


def _server_and_share(path: str) -> str:
    return "\\\\" + "\\".join([name for name in path.split("\\") if name][:2])


def _names(path: str) -> tuple[str, ...]:
    """The names of a UNC path, server first; empty for any other path."""
    anchor, *names = components(path) or ("",)
    return tuple(names) if anchor == "\\\\" and not {"?", "."}.intersection(names[:1]) else ()
