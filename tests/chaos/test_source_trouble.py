"""Whatever is wrong with a file of the backup, it is one outcome with its reason, and its neighbours are restored."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.reasons import Reason
from orchestrator.files.readings import unreadable
from orchestrator.files.translate import Side, file_error
from orchestrator.simulator import Estate
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import demand_nothing_held, house, live, report_of

GOOD = "good.txt"


def troubled(folder: Path) -> Estate:
    """One machine. What a disk of Linux cannot hold, and what root may always read, is added while it is walked."""
    estate = Estate.empty(folder, ("vbr01",))
    names = ("gone", "grown", "shrunk", "locked", "Case", "case", GOOD)
    estate.add_machine(
        "fs01",
        points=[{"C:": {**dict.fromkeys((f"Data/{name}" for name in names), b"12345"), "Data/sub/" + GOOD: b"1"}}],
    )
    return estate


def walked(real: Callable[..., Iterator[list[Entry]]]) -> Callable[..., Iterator[list[Entry]]]:
    """The walk, and what only a mount of Windows shows."""

    def scan(*words: Any) -> Iterator[list[Entry]]:
        first = True
        for entries in real(*words):
            yield [*(others() if first else ()), *entries]
            first = False

    return scan


def others() -> list[Entry]:
    denied = PermissionError(13, "Permission denied")
    return [
        unreadable("Data/denied folder", denied),
        Entry("Data/half a character \ud800", EntryKind.FILE, 5),
        Entry("Data/" + "n" * 256, EntryKind.FILE, 5),
    ]


def placing(room: Any) -> Callable[..., Any]:
    """Somebody works on the files of the share, just before each is read."""

    def place(source: Any, entry: Entry, *words: Any) -> Any:
        file, name = Path(source.root, source.relative), entry.relative.rpartition("/")[2]
        if name == "gone":
            file.unlink(missing_ok=True)
        elif name in ("grown", "shrunk"):
            os.truncate(file, 9 if name == "grown" else 2)
        elif name == "locked":
            raise file_error(OSError(16, "Device or resource busy"), Side.SOURCE, entry.relative)
        return room.place(source, entry, *words)

    return place


def disturbed(name: str, room: Any) -> Any:
    if name == "source":
        return Wrapped(room, scan=walked(room.scan))
    return Wrapped(room, place=placing(room), folds_case=lambda root: True) if name == "target" else room


async def test_every_trouble_with_a_file_is_one_outcome_with_its_reason_and_its_neighbours_are_restored(
    tmp_path: Path,
) -> None:
    estate = await anyio.to_thread.run_sync(troubled, tmp_path / "estate")
    wanted = {"fs01": {"C:\\Data": "C:"}}
    data = estate.content(estate.machines[0].points[-1], "C:") / "Data"
    async with house(estate, tmp_path / "house", wanted=wanted) as home:
        (data / "circle").symlink_to(data)
        os.mkfifo(data / "pipe")
        report = report_of(await live(home, wrap=disturbed))
        found = {one.guest_path.removeprefix("C:\\Data\\"): one.reason for one in report.problems}
        assert found == {
            "case": Reason.NAME_CLASH.slug,
            "circle": Reason.LINK_SKIPPED.slug,
            "denied folder": Reason.ACCESS_DENIED.slug,
            "gone": Reason.VANISHED.slug,
            "grown": Reason.CHANGED.slug,
            "half a character \ud800": Reason.NAME_UNUSABLE.slug,
            "locked": Reason.LOCKED.slug,
            "n" * 256: Reason.TOO_LONG.slug,
            "pipe": Reason.SPECIAL.slug,
            "shrunk": Reason.CHANGED.slug,
        }
        assert {one.state for one in report.groups} == {"done"}
        assert report.exit_code == 3
        restored = sorted(str(path.relative_to(home.target / "fs01/C/Data")) for path in home.visible())
        assert restored == ["Case", GOOD, f"sub/{GOOD}"]
        assert home.partial() == []
        demand_nothing_held(home)
