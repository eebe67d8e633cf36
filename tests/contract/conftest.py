"""Every port's suite runs on the fake and on the real thing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.engine.ports import Source, Target
from orchestrator.files import LocalSource, LocalTarget
from orchestrator.files.folders import NamedFolder
from orchestrator.journal import Journal, open_journal
from tests.support.disk import put, tree
from tests.support.fakes import MemoryJournal


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


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    share = tmp_path / "share"
    share.mkdir()
    return Ground(
        LocalSource(),
        str(share),
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
