"""Mounts on folders of this machine, and what EM lists of them, for whatever finds their files."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.catalog import Listed, Listing, Mount, MountRoot, ShareListing
from orchestrator.core.limits import Limits
from orchestrator.core.paths import SourcePath
from orchestrator.engine.locating import Locator
from orchestrator.engine.matching import Located, Sought
from orchestrator.engine.ports import Beat
from orchestrator.engine.rooms import EngineSettings, Reach
from orchestrator.files import LocalSource
from tests.support.felt_time import FeltTime

Tree = dict[str, bytes]
"""Relative path -> content."""

C: Tree = {"Windows/win.ini": b"[fonts]", "Users/ann.txt": b"ann", "pagefile.sys": b"12345"}
D: Tree = {"Data/list.csv": b"1;2;3", "readme.txt": b"of the data"}


def put(folder: Path, tree: Tree) -> None:
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def listing_of(tree: Tree) -> Listing:
    """What EM lists of a root that holds `tree`."""
    found: dict[str, Listed] = {}
    for name, content in tree.items():
        first, _, below = name.partition("/")
        found[first] = Listed(True) if below else Listed(False, len(content))
    return found


@dataclass
class Browsed:
    """EM's view of a mount: its roots and what each holds."""

    roots: dict[str, Tree]

    async def listing(self, root: MountRoot, generation: int) -> Listing:
        return listing_of(self.roots[root.name])

    @property
    def mount(self) -> Mount:
        return Mount("/mounts/1", tuple(MountRoot(name, f"/mounts/1/{name}") for name in self.roots))


@dataclass
class Watched:
    """The local source, which notes what was asked of it; `hangs` do not answer before `let_go`, and before each
    listing of shares `act` happens."""

    hangs: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    act: Callable[[str], object] = lambda share: None
    time: FeltTime = field(default_factory=FeltTime)
    real: Any = field(default_factory=LocalSource)

    def folders(self, share: str, beat: Beat) -> ShareListing:
        self.asked.append(share)
        self.act(share)
        if share in self.hangs:
            self._hang()
        found: ShareListing = self.real.folders(share, beat)
        return found

    def listing(self, folder: SourcePath, beat: Beat) -> Listing:
        self.asked.append(folder.root)
        if folder.root in self.hangs:
            self._hang()
        found: Listing = self.real.listing(folder, beat)
        return found

    def _hang(self) -> None:
        if not self.let_go.is_set():
            self.time.passes()
            self.let_go.wait(15)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class Search:
    """A locator over some shares, and what it told."""

    browsed: Browsed
    source: Watched
    reach: Reach
    settings: EngineSettings
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.locator = Locator(self.source, self.browsed, self.settings, self.told.append)  # type: ignore[arg-type] # a test double

    async def find(
        self, appears: Callable[[], object], vm: str = "fs01", wanted: Sequence[str] = (), expected: Sequence[str] = ()
    ) -> Located:
        """Where the mount is that `appears` makes."""
        before = await self.locator.folders("vbr01", self.reach)
        appears()
        names = tuple(wanted or self.browsed.roots)
        return await self.locator.locate(
            Sought(self.browsed.mount, 1, vm, "vbr01", self.reach, names, before, tuple(expected))
        )


@contextmanager
def search(
    shares: Sequence[Path],
    roots: dict[str, Tree] | None = None,
    by_id: Sequence[Path] = (),
    hosts: dict[Path, str] | None = None,
    **seconds: float,
) -> Iterator[Search]:
    """A search over `shares`, of which `by_id` are those of Linux mount hosts; what hangs is let go at the end."""
    for share in shares:
        share.mkdir(parents=True, exist_ok=True)
    reach = Reach(
        tuple(map(str, shares)),
        {},
        {str(share): name for share, name in (hosts or {}).items()},
        frozenset(map(str, by_id)),
    )
    limits: dict[str, Any] = {"folder_timeout": 10.0, "poll_first": 0.02, "stall": 10.0, "probe": 0.1, **seconds}
    settings = EngineSettings(Limits(4), lambda name: reach, **limits)
    source = Watched()
    with source.time.governs():
        try:
            yield Search(Browsed(roots or {"C:": C, "D:": D}), source, reach, settings)
        finally:
            source.let_go.set()
