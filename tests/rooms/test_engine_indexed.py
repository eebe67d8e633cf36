"""A path is told as missing only when the index proves that it is not there; doubt tells nothing."""

from dataclasses import replace

import pytest

from orchestrator.core.catalog import Listed, Listing, PointKind, RestorePoint
from orchestrator.core.errors import EmFault
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import Plan
from orchestrator.engine.indexed import ASKS, PATHS_TOLD, with_index_warnings
from tests.core.values import job, planned, point

FOLDERS = {"": ["C:"], "C:\\": ["Shares", "boot.ini"], "C:\\Shares": ["Finance"], "/": ["srv"], "/srv": ["Data"]}


class Catalogue:
    """An index of one machine; `folders` maps a folder to its names."""

    def __init__(self, *names: str, folders: dict[str, list[str]] = FOLDERS, points: bool = True) -> None:
        self._names, self._folders, self._points = frozenset(names), folders, points
        self.asked: list[str] = []

    async def machines(self) -> frozenset[str]:
        return self._names

    async def holds(self, point: RestorePoint) -> bool:
        self.asked.append(point.vm)
        return self._points

    async def listing(self, point: RestorePoint, folder: GuestPath | None) -> Listing | None:
        text = "" if folder is None else str(folder)
        self.asked.append(text)
        names = self._folders.get(text)
        return None if names is None else {name: Listed(folder=True) for name in names}


def plan(*paths: str, vm: str = "fs01") -> Plan:
    return planned(job({"vm": vm, "paths": list(paths)}), [point(vm)])


async def lacking(index: Catalogue, *paths: str) -> list[str]:
    told = (await with_index_warnings(plan(*paths), index)).warnings
    return [one.message.split(" is not in the index of that point (fs01, ")[0] for one in told]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("C:\\Shares\\Finance", False),
        ("c:\\SHARES\\finance", False),
        ("C:\\Shares\\HR", True),
        ("C:\\Users\\x\\y", True),
        ("D:\\Data", True),
        ("C:\\", False),
        ("*", False),
        ("C:\\Shares\\Finance\\deep\\a.txt", False),
        ("/srv/Data", False),
        ("/srv/data", True),
    ],
)
async def test_a_path_is_missing_when_a_listing_above_it_lacks_a_name(path: str, missing: bool) -> None:
    assert await lacking(Catalogue("FS01"), path) == ([path] if missing else [])


async def test_a_warning_names_the_entry_the_machine_and_the_time_and_the_plan_stays_as_it_is() -> None:
    before = plan("C:\\Shares\\HR")
    after = await with_index_warnings(before, Catalogue("fs01"))
    assert replace(after, warnings=()) == before
    [warning] = map(str, after.warnings)
    assert warning == (
        "restore[1].paths: C:\\Shares\\HR is not in the index of that point (fs01, 2026-11-20 06:00:00 UTC); "
        "check the spelling and the time"
    )


@pytest.mark.parametrize(
    "index",
    [
        Catalogue(),
        Catalogue("fs02"),
        Catalogue("fs01", points=False),
        Catalogue("fs01", folders={}),
        Catalogue("fs01", folders={"C:\\": ["Shares"]}),
    ],
)
async def test_what_is_not_indexed_or_not_listed_is_not_told(index: Catalogue) -> None:
    assert await lacking(index, "C:\\Shares\\HR") == []


async def test_a_replica_is_not_looked_for_in_the_index_of_the_machine() -> None:
    one = plan("C:\\Shares\\HR")
    replica = replace(one.groups[0], point=replace(one.groups[0].point, kind=PointKind.REPLICA))
    index = Catalogue("fs01")
    assert not (await with_index_warnings(replace(one, groups=(replica,)), index)).warnings
    assert index.asked == []


async def test_each_folder_is_asked_for_once_and_a_plan_for_no_more_than_its_share() -> None:
    index = Catalogue("fs01")
    await lacking(index, *(f"C:\\Shares\\{number}" for number in range(50)))
    assert index.asked == ["fs01", "C:\\Shares"]
    many = Catalogue("fs01")
    await lacking(many, *(f"C:\\{number}\\x" for number in range(ASKS * 2)))
    assert len(many.asked) == ASKS


async def test_a_catalogue_that_cannot_be_asked_is_no_obstacle() -> None:
    class Broken(Catalogue):
        async def listing(self, point: RestorePoint, folder: GuestPath | None) -> Listing | None:
            raise EmFault(status=500, what="it", cause="broken")

    assert await lacking(Broken("fs01"), "C:\\Shares\\HR") == []


async def test_of_a_long_list_that_is_of_another_machine_the_first_paths_are_named_and_the_rest_is_counted() -> None:
    """With names that differ in letter case, which takes long where each is compared with all others anew."""
    names = [f"Büro {number}.docx" for number in range(2000)]
    folders = {"": ["C:"], "C:\\": names}
    asked = [f"C:\\{name.upper()}" for name in names] + [f"C:\\other {number}" for number in range(20_000)]
    told = (await with_index_warnings(plan(*asked), Catalogue("fs01", folders=folders))).warnings
    assert len(told) == PATHS_TOLD + 1
    assert told[0].message.startswith("C:\\other 0 is not in the index of that point (fs01, ")
    assert told[-1].message.startswith(f"and {20_000 - PATHS_TOLD:,} more paths are not in the index")
