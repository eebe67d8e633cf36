"""How the shares of the config are reached: by the operating system, or by UNC path with an account of their own."""

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from orchestrator.config import Config, read_secret
from orchestrator.config_shares import BY_SYSTEM, share_settings
from orchestrator.core.fidelity import Property
from orchestrator.core.roads import EM_ROOT
from orchestrator.files import Algorithm, LocalSource, LocalTarget, abilities
from orchestrator.files.sources import Sources

if TYPE_CHECKING:
    from orchestrator.files.smb import Reaching, Unc
    from orchestrator.files.sources import Elsewhere
    from orchestrator.files.targets import Targets
    from orchestrator.files.undoing import LocalUndo
    from orchestrator.files.undos import Undos


def make_source(config: Config, through_em: "Elsewhere | None" = None) -> "LocalSource | Sources":
    """What reads the shares, and mounts through EM where something is given for that. ConfigInvalid for a password that
    is not there."""
    elsewhere: dict[str, Elsewhere] = {}
    if through_em is not None:
        elsewhere[EM_ROOT] = through_em
    if config.shares and not BY_SYSTEM:
        # Only who has such shares pays for what it takes to speak to them.
        from orchestrator.files.smb import SmbSource

        elsewhere["\\\\"] = SmbSource(_reach(config))
    return Sources(LocalSource(), elsewhere) if elsewhere else LocalSource()


def make_target(config: Config, source: "LocalSource | Sources") -> "LocalTarget | Targets":
    """What writes the destinations, from what `source` reads. ConfigInvalid for a password that is not there."""
    allow, durable = config.targets.allow, config.copying.durable
    unc = [] if BY_SYSTEM else [root for root in allow if root.startswith("\\\\")]
    local = [root for root in allow if root not in unc]
    here = LocalTarget(
        local, config.copying.checksum, durable=durable == "file", opening=source.open, streams=source.open_stream
    )
    if BY_SYSTEM or not config.shares:
        return here
    from orchestrator.files.smb import SmbTarget
    from orchestrator.files.targets import Targets

    there = SmbTarget(
        unc,
        _reach(config),
        config.copying.checksum,
        durable=durable == "file",
        by_batch=durable == "batch",
        opening=source.open,
        streams=source.open_stream,
    )
    return Targets(here, there)


def takes(destination: str) -> frozenset[Property] | None:
    """What files at a destination will hold beside their bytes; None for a share by UNC path, which is asked file by
    file. OSError."""
    return None if destination.startswith("\\\\") and not BY_SYSTEM else abilities(destination)


def make_verifier(config: Config) -> "LocalTarget | Targets":
    """What reads copies again, wherever they are. The password of a share is read when the share is: ConfigInvalid."""
    here = LocalTarget(())
    if BY_SYSTEM or not config.shares:
        return here
    from orchestrator.files.smb import SmbTarget
    from orchestrator.files.targets import Targets

    return Targets(here, SmbTarget((), lambda unc: _reach(config)(unc)))


@contextmanager
def undoing(config: Config, checksum: Algorithm, *, dry: bool) -> "Iterator[LocalUndo | Undos]":
    """What undoes at the destinations, wherever they are; lets go of them at the end. The password of a share is read
    when the share is: ConfigInvalid."""
    from orchestrator.files.undoing import LocalUndo  # few commands undo, and no watcher does

    unc = [root for root in config.targets.allow if root.startswith("\\\\")]
    with closing(LocalTarget([root for root in config.targets.allow if BY_SYSTEM or root not in unc])) as here:
        local = LocalUndo(here, checksum, dry=dry)
        if BY_SYSTEM or not config.shares:
            yield local
            return
        from orchestrator.files.smb import SmbTarget
        from orchestrator.files.smb.undoing import SmbUndo
        from orchestrator.files.undos import Undos

        with closing(SmbTarget(unc, lambda unc: _reach(config)(unc))) as there:
            yield Undos(local, SmbUndo(there, checksum, dry=dry))


def _reach(config: Config) -> "Callable[[Unc], Reaching]":
    from orchestrator.files.smb import Account, Reaching

    passwords = {one.path: read_secret(one, "password", f"shares[{place}]") for place, one in enumerate(config.shares)}

    def reach(unc: "Unc") -> "Reaching":
        path = f"\\\\{unc.server}\\{unc.share}"
        found = share_settings(path, config.shares)
        if found is None:
            raise OSError(errno.EACCES, f"the config has no table [[shares]] for {path}", path)
        account = Account(found.username, passwords[found.path], found.password_source, found.domain)
        return Reaching(account, found.port, found.encrypt == "always", found.connections)

    return reach
