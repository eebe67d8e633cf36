"""Every port's suite runs on the fake and on the real thing."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.core.entries import Entry
from orchestrator.core.locate import join_share
from orchestrator.core.paths import SourcePath
from orchestrator.engine.ports import Source, Target
from orchestrator.files import LocalSource, LocalTarget
from orchestrator.files.folders import NamedFolder
from orchestrator.journal import Journal
from orchestrator.journal_postgres import Access
from tests.support.disk import put, tree
from tests.support.fakes import MemoryJournal
from tests.support.journals import PostgresShelf, Shelf, SqliteShelf
from tests.support.mounted import Mounted, mounted_volume
from tests.support.postgres import Postgres, postgres
from tests.support.samba import Samba, samba, smb_source, smb_target


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal | MemoryJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    with shelf_of(request, request.param).open() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """A place for a journal that can be opened again."""
    return shelf_of(request, request.param)


def shelf_of(request: pytest.FixtureRequest, kind: str) -> Shelf:
    if kind == "sqlite":
        return SqliteShelf(request.getfixturevalue("tmp_path") / "state")
    running: Postgres = request.getfixturevalue("database")
    return PostgresShelf(Access(running.dsn, schema=f"s{uuid.uuid4().hex}"))


class Reads(Protocol):
    """A file, open for reading."""

    def read(self, buffer: bytearray) -> memoryview: ...

    def seek(self, offset: int) -> None: ...

    def close(self) -> None: ...


class Opens(Source, Protocol):
    """A source whose files can be opened: all of them, for whoever copies."""

    def open(self, path: SourcePath, entry: Entry) -> Reads: ...


@dataclass(frozen=True)
class Ground:
    """A share and the source that reads it. What Enterprise Manager does not tell is named here: it has no shares to
    list, knows times to the `grain` in nanoseconds, and gives the content of a folder in an order of its own."""

    source: Opens
    root: str
    put: Callable[[str, bytes, int], None]
    make: Callable[[str], None]
    is_share: bool = True
    grain: int = 1

    def kept(self, time_ns: int) -> int:
        return time_ns // self.grain * self.grain


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    folder = tmp_path_factory.mktemp("server")
    with samba({"VeeamFLR": folder, "restore$": tmp_path_factory.mktemp("restore")}) as running:
        yield running


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """A volume that Enterprise Manager has mounted; every test has a folder of its own in it."""
    with mounted_volume(tmp_path_factory.mktemp("em")) as mounted:
        yield mounted


@pytest.fixture(params=["local", "smb", "download"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "local":
        share = tmp_path / "share"
        share.mkdir()
        yield ground_of(LocalSource(), str(share), share)
        return
    if request.param == "download":
        volume = request.getfixturevalue("volume")
        share = volume.disk / uuid.uuid4().hex
        share.mkdir()
        found = ground_of(volume.source, join_share(volume.root, share.name), share)
        yield replace(found, is_share=False, grain=1_000_000_000)
        return
    server = request.getfixturevalue("server")
    share = server.shares["VeeamFLR"] / uuid.uuid4().hex
    share.mkdir()
    with closing(smb_source(server)) as source:
        yield ground_of(source, server.unc("VeeamFLR", share.name), share)


def ground_of(source: Opens, root: str, share: Path) -> Ground:
    return Ground(
        source,
        root,
        lambda relative, data, mtime_ns: put(share / relative, data, mtime_ns=mtime_ns) and None,
        lambda relative: (share / relative).mkdir(parents=True),
    )


@dataclass(frozen=True)
class Landing:
    """A target with its destination `root`, which lies at `disk`, and a place where sources are put. `read` gives what
    is below the destination; `grain` is what it keeps times to, in nanoseconds. A Samba follows links itself, and shows
    none."""

    target: Target
    root: str
    disk: Path
    share: Path
    grain: int = 1
    shows_links: bool = True

    def read(self) -> dict[str, bytes | None]:
        return tree(self.disk)

    def kept(self, time_ns: int) -> int:
        return time_ns // self.grain * self.grain


@pytest.fixture(params=["held", "named", "smb"])
def landing(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    """The real targets; the local one over both ways of holding folders, that of POSIX and that of Windows."""
    if request.param == "smb":
        server = request.getfixturevalue("server")
        allowed = server.shares["restore$"] / uuid.uuid4().hex
        allowed.mkdir()
        unc = server.unc("restore$", allowed.name)
        with closing(smb_target(server, [unc])) as target:
            yield Landing(target, f"{unc}\\fs01", allowed / "fs01", tmp_path / "share", grain=100, shows_links=False)
        return
    if request.param == "named":
        monkeypatch.setattr("orchestrator.files.target.open_root", NamedFolder.root)
    allowed = tmp_path / "restore"
    allowed.mkdir()
    root = allowed / "fs01"
    yield Landing(LocalTarget([str(allowed)]), str(root), root, tmp_path / "share")
