"""Every port's suite runs on the fake and on the real thing."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.engine.ports import Source, Target
from orchestrator.files import LocalSource, LocalTarget
from orchestrator.files.folders import NamedFolder
from orchestrator.journal import Journal, open_journal
from tests.support.disk import put, tree
from tests.support.fakes import MemoryJournal
from tests.support.samba import Samba, samba, smb_source


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal | MemoryJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    with open_journal(tmp_path / "state") as opened:
        yield opened


@dataclass(frozen=True)
class Ground:
    """A share and the source that reads it. A fake brings its own `put` and `make`."""

    source: Source
    root: str
    put: Callable[[str, bytes, int], None]
    make: Callable[[str], None]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    folder = tmp_path_factory.mktemp("server")
    with samba({"VeeamFLR": folder}) as running:
        yield running


@pytest.fixture(params=["local", "smb"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "local":
        share = tmp_path / "share"
        share.mkdir()
        yield ground_of(LocalSource(), str(share), share)
        return
    server = request.getfixturevalue("server")
    share = server.shares["VeeamFLR"] / uuid.uuid4().hex
    share.mkdir()
    with closing(smb_source(server)) as source:
        yield ground_of(source, server.unc("VeeamFLR", share.name), share)


def ground_of(source: Source, root: str, share: Path) -> Ground:
    return Ground(
        source,
        root,
        lambda relative, data, mtime_ns: put(share / relative, data, mtime_ns=mtime_ns) and None,
        lambda relative: (share / relative).mkdir(parents=True),
    )


@dataclass(frozen=True)
class Landing:
    """A target with its destination, and a place where sources are put. `read` gives what is below the destination."""

    target: Target
    root: str
    share: Path
    read: Callable[[], dict[str, bytes | None]]


@pytest.fixture(params=["held", "named"])
def landing(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landing:
    """The real target over both ways of holding folders: that of POSIX and that of Windows."""
    if request.param == "named":
        monkeypatch.setattr("orchestrator.files.target.open_root", NamedFolder.root)
    allowed = tmp_path / "restore"
    allowed.mkdir()
    root = allowed / "fs01"
    return Landing(LocalTarget([str(allowed)]), str(root), tmp_path / "share", lambda: tree(root))
