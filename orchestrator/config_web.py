"""The slice of the config that says where the status page is, and who may do more there than look."""

import ipaddress
import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_HOST = re.compile(r"[A-Za-z0-9._-]+")


class WebSettings(BaseModel):
    """The status page of `watch`. Nothing listens unless `listen` or `socket` says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    listen: str | None = Field(default=None, description="Address and port of the page, such as 127.0.0.1:8090.")
    socket: Path | None = Field(default=None, description="Local socket, for the account of orchestrator alone.")
    tls_certificate: Path | None = Field(default=None, description="PEM file of the certificate and its chain.")
    tls_key: Path | None = Field(default=None, description="PEM file of its key, not encrypted.")
    token_env: str | None = Field(default=None, min_length=1, description="Environment variable with the token.")
    token_file: Path | None = Field(default=None, description="File with the token on its first line.")
    token_credential: str | None = Field(
        default=None, min_length=1, description="Name of a systemd credential with the token."
    )
    hosts: list[str] = Field(default_factory=list, description="Names under which browsers may ask for the page.")

    @field_validator("listen")
    @classmethod
    def _listen_is_an_address(cls, text: str | None) -> str | None:
        if text is not None:
            split_address(text)
        return text

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, names: list[str]) -> list[str]:
        for name in names:
            if not _HOST.fullmatch(name):
                raise ValueError(f"{name!r} must be a host name such as backup01.example.com, without a port")
        return [name.casefold() for name in names]

    @model_validator(mode="after")
    def _what_belongs_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; give both or neither")
        if self.tls_certificate is not None and self.listen is None:
            raise ValueError("tls_certificate is for listen; say where to listen")
        tokens = sum(one is not None for one in (self.token_env, self.token_file, self.token_credential))
        if tokens > 1:
            raise ValueError("token_env, token_file and token_credential exclude each other; keep one")
        if tokens and self.tls_certificate is None:
            raise ValueError("a token is taken over TLS only; give tls_certificate and tls_key (socket needs no token)")
        return self

    @property
    def wanted(self) -> bool:
        """Whether there is a page at all."""
        return self.listen is not None or self.socket is not None

    @property
    def takes_token(self) -> bool:
        """Whether a token lets operators act over TLS."""
        return any((self.token_env, self.token_file, self.token_credential))


def split_address(text: str) -> tuple[str, int]:
    """(IP address, port); port 0 takes a free one. ValueError when `text` is nothing of the kind.

    Host names are refused, but for localhost: they would have to be asked for, and may mean several addresses.
    """
    host, _, port = text.rpartition(":")
    plain = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        if (ipaddress.ip_address(plain).version == 6) != host.startswith("[") or not 0 <= int(port) <= 65535:
            raise ValueError
    except ValueError:
        hint = "an IP address and a port: 127.0.0.1:8090, [::1]:8090, 0.0.0.0:8090"
        raise ValueError(f"{text!r} must be {hint}") from None
    return plain, int(port)
