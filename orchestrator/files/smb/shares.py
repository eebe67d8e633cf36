r"""The shares that are spoken to, and where in a DFS namespace a path leads.

A namespace is followed in the paths that config and job name. A link of one that is met below them is a link like any:
a source skips it, a destination refuses it. The target that was chosen first is kept as long as it is named, so that
what a run writes is not spread over several servers.
"""

import errno
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from orchestrator.files.smb.asking import asked, granted
from orchestrator.files.smb.queries import controlled
from orchestrator.files.smb.referrals import ask_referral, referral
from orchestrator.files.smb.share import Reaching, Share, Unc, join, parse_unc
from orchestrator.files.smb.status import NO_SUCH_SHARE, StatusError

LINKS_AT_MOST = 8
"""Links of a namespace that one path may lead through; more lead in a circle."""


@dataclass(slots=True)
class _Link:
    """What a path of a namespace leads to. `until` is when the server is to be asked again; `chosen` is the target that
    is used."""

    names: tuple[str, ...]
    targets: tuple[str, ...]
    until: float
    chosen: str = ""

    def holds(self, names: tuple[str, ...]) -> bool:
        return names[: len(self.names)] == self.names


class Shares:
    """Methods may be called in many threads at once. `reach` says how the share of a server is reached; OSError where
    nothing is known."""

    def __init__(self, reach: Callable[[Unc], Reaching]) -> None:
        self._reach = reach
        self._shares: dict[tuple[str, str], Share] = {}
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._following = threading.Lock()

    def close(self) -> None:
        """Break off every connection, and forget where links lead; the shares stay usable."""
        with self._lock:
            shares, self._shares, self._links = self._shares, {}, []
        for share in shares.values():
            share.close()

    def at(self, root: str, relative: str = "") -> tuple[Share, str]:
        """(the share, the path below it) of a path; `root` is followed through a namespace. OSError when the config
        does not say how it is reached, or it cannot be."""
        unc = parse_unc(root)
        if unc is None:
            raise FileNotFoundError(f"{root} is no UNC path")
        share = self._shares.get(_key(unc))
        if share is None or not share.plain:
            share, unc = self._followed(unc, root)
        return share, join(unc.below, *relative.split("/"))

    def _followed(self, unc: Unc, root: str) -> tuple[Share, Unc]:
        reaching = None
        with self._following:
            for _ in range(LINKS_AT_MOST):
                share = self._share(unc, reaching)
                reaching = share.reaching
                link = self._link(unc, share)
                if link is None:
                    return share, unc
                unc = self._first_living(link, unc, reaching)
        raise OSError(errno.ELOOP, "the links of its DFS namespace lead in a circle", root)

    def _share(self, unc: Unc, otherwise: Reaching | None) -> Share:
        """The share of a path; where the config says nothing of it, reached as the namespace that leads there."""
        share = self._shares.get(_key(unc))
        if share is None:
            try:
                reaching = self._reach(unc)
            except OSError:
                if otherwise is None:
                    raise
                reaching = otherwise
            with self._lock:
                share = self._shares.setdefault(_key(unc), Share(unc.server, unc.share, reaching))
        return share

    def _link(self, unc: Unc, share: Share) -> _Link | None:
        """The link that a path leads through, None when it lies where it says. OSError."""
        names = _names(unc)
        known = max((one for one in self._links if one.holds(names)), key=lambda one: len(one.names), default=None)
        if known is not None and time.monotonic() < known.until:
            return known if known.targets else None
        try:
            if not share.namespace:
                return None
        except StatusError as error:
            # A namespace of a domain: its name is that of no server, and who answers to it may not have the share.
            if error.status != NO_SUCH_SHARE or (link := self._asked(unc, share)) is None or not link.targets:
                raise
        else:
            link = self._asked(unc, share)
        if link is not None:
            if known is not None and known.chosen in link.targets:
                link.chosen = known.chosen
            self._links = [one for one in self._links if one.names != link.names] + [link]
        return link if link is not None and link.targets else None

    def _asked(self, unc: Unc, share: Share) -> _Link | None:
        """What the server of `share` says of a path; None when it says nothing."""
        path = "\\" + join(unc.server, unc.share, unc.below)
        with closing(Share(unc.server, "IPC$", share.reaching)) as pipes:
            try:
                answer = pipes.again(lambda live: asked(live, ask_referral(path)))
                found = referral(controlled(granted(answer, path).message))
            except StatusError:
                return None
        names = tuple(path[: found.consumed].casefold().strip("\\").split("\\"))
        targets = tuple(one for one in found.targets if tuple(one.casefold().strip("\\").split("\\")) != names)
        return _Link(names, targets, time.monotonic() + found.seconds)

    def _first_living(self, link: _Link, unc: Unc, reaching: Reaching) -> Unc:
        """Where a path leads: to the target that is used already, else the first that can be reached."""
        rest = _split(unc)[len(link.names) :]
        failures = []
        for target in (link.chosen,) if link.chosen else link.targets:
            found = parse_unc("\\" + join(target, *rest))
            if found is None:
                failures.append(f"{target} is no path")
                continue
            try:
                self._share(found, reaching).live()
            except OSError as error:
                failures.append(f"{target}: {error.strerror or error}")
                continue
            link.chosen = target
            return found
        raise OSError(errno.EHOSTUNREACH, f"no target of its DFS link can be used: {'; '.join(failures)}", str(unc))


def _key(unc: Unc) -> tuple[str, str]:
    return unc.server.casefold(), unc.share.casefold()


def _split(unc: Unc) -> list[str]:
    return [unc.server, unc.share, *(unc.below.split("\\") if unc.below else [])]


def _names(unc: Unc) -> tuple[str, ...]:
    return tuple(name.casefold() for name in _split(unc))
