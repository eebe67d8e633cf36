"""The slices of the config that say how the mounts of backup servers are reached: shares, and the mount hosts behind
them."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.config_limits import checked_rate
from orchestrator.core.catalog import GuestOs
from orchestrator.core.mount_hosts import OWN_GIB, ByMountHost, Sizes, folded
from orchestrator.core.roads import ServerRoad

_STRICT = ConfigDict(extra="forbid", frozen=True)


def _each_once(shares: list[str]) -> list[str]:
    if (double := _first_double(shares)) is not None:
        raise ValueError(f"{double!r} is there twice; a share is named once")
    return shares


Shares = Annotated[list[str], AfterValidator(_each_once)]


class MountHostSettings(BaseModel):
    """A mount host: a machine on which backup servers mount."""

    model_config = _STRICT
    name: str = Field(min_length=1, description="What you call it; the same name is the same machine everywhere.")
    shares: Shares = Field(
        min_length=1,
        description=r"Candidates, in order, that correspond to C:\VeeamFLR, or with os = linux to "
        "/run/media/Veeam.Mount.FS.",
    )
    os: GuestOs = Field(
        default=GuestOs.WINDOWS, description="Of the mount host: windows, or linux, where folders carry ids."
    )
    max_mounts: int | None = Field(default=None, ge=1, description="Mounts open at once on it, of all backup servers.")
    memory_gib: float | None = Field(
        default=None, description="Its memory in GiB: 4 are its own, and each mount takes 400 MB."
    )
    cores: int | None = Field(default=None, ge=2, description="Its cores: 2 carry two mounts, each more two further.")

    @field_validator("memory_gib")
    @classmethod
    def _more_than_its_own(cls, memory: float | None) -> float | None:
        if memory is not None and not memory > OWN_GIB:
            raise ValueError(f"must be more than {OWN_GIB:g}, which a mount host needs for itself")
        return memory

    @property
    def sizes(self) -> Sizes:
        """What limits its mounts."""
        return Sizes(self.max_mounts, self.memory_gib, self.cores)


class BackupServerSettings(BaseModel):
    """How the mounts of one backup server are reached."""

    model_config = _STRICT
    name: str = Field(min_length=1, description='As EM names it; "*" is the default entry.')
    shares: Shares = Field(default_factory=list, description=r"Candidates, in order, that correspond to C:\VeeamFLR.")
    mount_hosts: list[MountHostSettings] = Field(
        default_factory=list, description="Mount hosts with candidates of their own, after shares."
    )
    road: ServerRoad = Field(
        default=ServerRoad.SHARE,
        description="How files are read: over a share; by download through EM; or by share-then-download.",
    )
    max_mounts: int = Field(default=4, ge=1, description="Mounts open at once on this backup server.")
    max_mounts_per_chain: int | None = Field(
        default=None, ge=1, description="Mounts open at once of one chain of backup files; no limit when not set."
    )
    bandwidth: str = Field(default="none", description="Most that is copied of this backup server: 20 MB/s, or none.")
    volumes: dict[str, str] = Field(default_factory=dict, description='Overrides, such as "C:" = "Volume2".')
    site: str | None = Field(
        default=None,
        min_length=1,
        description="Where it stands: in a fleet, workers of that site restore its machines.",
    )
    fall_back_sites: list[str] = Field(
        default_factory=list, description="Sites whose workers do so while none of its own site can, in order."
    )

    @field_validator("bandwidth")
    @classmethod
    def _is_bandwidth(cls, text: str) -> str:
        return checked_rate(text)

    @model_validator(mode="after")
    def _has_shares(self) -> Self:
        if not self.shares and not self.mount_hosts and self.road is not ServerRoad.DOWNLOAD:
            raise ValueError(
                r"say where its mounts are read: shares = ['\\host\VeeamFLR'], or a table "
                '[[backup_servers.mount_hosts]] for each mount host, or road = "download"'
            )
        if (double := _first_double(self.every_share)) is not None:
            raise ValueError(f"{double!r} is a share of two entries; a share is named once")
        return self

    @model_validator(mode="after")
    def _falls_back_from_somewhere(self) -> Self:
        if self.fall_back_sites and self.site is None:
            raise ValueError("fall_back_sites without site: say where the backup server stands")
        return self

    @property
    def sites(self) -> tuple[str, ...]:
        """Whose workers restore its machines, in order; none for every site."""
        return tuple(dict.fromkeys([self.site, *self.fall_back_sites])) if self.site is not None else ()

    @property
    def every_share(self) -> tuple[str, ...]:
        """All candidates, in order."""
        return (*self.shares, *(share for host in self.mount_hosts for share in host.shares))


def one_meaning(servers: Sequence[BackupServerSettings]) -> str | None:
    """What is wrong when mount hosts of one name, or of one share, are said to be different; None when all is well."""
    known: dict[str, tuple[str, MountHostSettings]] = {}
    of_share: dict[str, str] = {}
    for server in servers:
        for host in server.mount_hosts:
            first, one = known.setdefault(host.name.casefold(), (server.name, host))
            if one.os is not host.os:
                return f"the mount host {host.name!r} is said to be {one.os.value} at {first}, but not at {server.name}"
            if Sizes() not in (one.sizes, host.sizes) and one.sizes != host.sizes:
                return (
                    f"the mount host {host.name!r} has other sizes at {first} than at {server.name}; it is one "
                    "machine, so say its max_mounts, memory_gib and cores once"
                )
            for share in host.shares:
                other = of_share.setdefault(folded(share), host.name)
                if other.casefold() != host.name.casefold():
                    return f"{share!r} is a share of two mount hosts, {other!r} and {host.name!r}; give them one name"
    return None


def mount_hosts(servers: Sequence[BackupServerSettings]) -> ByMountHost:
    """Which mount host is behind which share, over all backup servers, and what each can carry."""
    hosts, by_id, budgets = {}, set(), {}
    for server in servers:
        for host in server.mount_hosts:
            for share in host.shares:
                hosts[folded(share)] = host.name
                if host.os is GuestOs.LINUX:
                    by_id.add(folded(share))
            if (most := host.sizes.mounts) is not None:
                budgets[host.name.casefold()] = most
    return ByMountHost(hosts, frozenset(by_id), budgets)


def _first_double(shares: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for share in shares:
        if folded(share) in seen:
            return share
        seen.add(folded(share))
    return None
