"""The catalogue of indexed guests, on the simulator: what it has, and that nothing is ever mounted to find out."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import Question, RestorePoint
from orchestrator.core.paths import parse_guest_path
from orchestrator.enterprise_manager import Client, seal, ssl_context
from orchestrator.simulator import Estate, Settings, Simulator, serving
from orchestrator.simulator.guest_index import GuestIndex
from orchestrator.simulator.pen import Pen

ODD = "Größe & 100%;+#1"
NAMES = {f"f{number:03d}": b"" for number in range(130)}
TREE: Mapping[str, Any] = {
    "C:": {f"Shares/{ODD}/a.txt": b"a", **{f"many/{name}": content for name, content in NAMES.items()}},
    "D:": {"x": b"x"},
}
INDEXED = ("fs01", 'odd "name" (1)', "lx01")


@pytest.fixture(autouse=True)
def _cheap_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_LOG_N", 4)


def estate(folder: Path) -> Estate:
    made = Estate.empty(folder)
    for name in ("fs01", 'odd "name" (1)', "not indexed"):
        made.add_machine(name, points=(TREE,))
    made.add_machine("lx01", os="linux", points=({"/": {"srv/data/a": b"a"}},))
    return made


@asynccontextmanager
async def logged_on(folder: Path, **settings: Any) -> AsyncIterator[tuple[Client, Simulator]]:
    made = await anyio.to_thread.run_sync(estate, folder)
    simulator = Simulator(made, Settings(**{"indexed": INDEXED, **settings}), ())
    async with serving(simulator) as server:
        config = EnterpriseManagerSettings(
            url=server.url, username=simulator.settings.username, password_env="P", ca_file=server.ca_file
        )
        client = Client(
            config,
            simulator.settings.password,
            ssl=ssl_context(config),
            clock=lambda: datetime.now(UTC),
            random=random.random,
            sleep=anyio.sleep,
        )
        async with client:
            await client.open()
            yield client, simulator
            await client.close()
    assert simulator.mounts_made == 0
    assert not [one for one in simulator.log if one.method == "POST" and one.route != "logon"]


async def point_of(client: Client, vm: str) -> RestorePoint:
    [found] = await client.find(Question(vm=vm))
    return found


async def names_in(client: Client, vm: str, folder: str) -> set[str] | None:
    path = parse_guest_path(folder) if folder else None
    listed = await client.guest_index.listing(await point_of(client, vm), path)
    return None if listed is None else set(listed)


async def test_folders_of_indexed_machines_are_listed_whatever_their_names(tmp_path: Path) -> None:
    async with logged_on(tmp_path) as (client, _):
        index = client.guest_index
        assert await index.machines() == set(INDEXED)
        assert await index.holds(await point_of(client, "fs01"))
        assert await names_in(client, "fs01", "") == {"C:", "D:"}
        assert await names_in(client, "fs01", "C:\\Shares") == {ODD}
        assert await names_in(client, 'odd "name" (1)', f"C:\\shares\\{ODD}") == {"a.txt"}
        assert await names_in(client, "lx01", "/srv") == {"data"}
        assert await names_in(client, "lx01", "/") == {"srv"}


async def test_a_folder_is_read_to_its_end_or_nothing_is_known_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with logged_on(tmp_path) as (client, _):
        assert await names_in(client, "fs01", "C:\\many") == set(NAMES)
        monkeypatch.setattr("orchestrator.enterprise_manager.guest_index.PAGES_MOST", 1)
        assert await names_in(client, "fs01", "C:\\many") is None
        assert await names_in(client, "fs01", "C:\\Shares") == {ODD}


async def test_nothing_is_known_of_what_is_not_there_is_a_file_or_is_not_indexed(tmp_path: Path) -> None:
    async with logged_on(tmp_path) as (client, _):
        assert await names_in(client, "fs01", "C:\\gone") is None
        assert await names_in(client, "fs01", "D:\\x") is None
        assert not await client.guest_index.holds(await point_of(client, "not indexed"))


async def test_an_em_that_lists_only_after_a_browse_is_not_told_to_browse(tmp_path: Path) -> None:
    async with logged_on(tmp_path, index_after_browse=True) as (client, _):
        assert await client.guest_index.holds(await point_of(client, "fs01"))
        assert await names_in(client, "fs01", "C:\\Shares") is None


def test_the_simulated_catalogue_speaks_as_the_reference_does(tmp_path: Path) -> None:
    made = estate(tmp_path)
    index = GuestIndex(made, Pen(Settings(indexed=INDEXED)))
    uid = made.machines[0].points[0].uid

    def links(node: Any) -> list[tuple[str, str | None]]:
        return [(one.get("Rel"), one.get("Type")) for one in node.iter("{*}Link")]

    def tags(node: Any) -> list[str]:
        return [one.tag.partition("}")[2] for one in node]

    [ref, *_] = index.answer("catalog_vms", (), (), {})
    assert (ref.get("Type"), ref.get("UID")) == ("CatalogVmReference", "urn:veeam:CatalogVm:fs01")
    assert links(index.answer("catalog_vm", ("FS01",), (), {})) == [("Down", "CatalogVmRestorePointReferenceList")]
    point = index.answer("catalog_point", ("fs01", uid), (), {"format": "Entity"})
    assert links(point) == [("Browse", None), ("Related", "VmRestorePoint")]
    assert tags(point) == ["Links", "BackupDateUTC"]
    [top] = index.answer("catalog_files", ("fs01", uid), ("",), {})
    assert (top.tag.partition("}")[2], tags(top)) == ("DirectoryEntry", ["Links"]), "no Path and no Name"
    assert top.get("Href").endswith("/guestfs/")
    assert [kind for _, kind in links(top)] == ["FileSystemItemsList", "DirectoryEntryList", "FileEntryList"]
    listed = index.answer("catalog_files", ("fs01", uid), ("C:",), {"action": "listAll"})
    assert tags(listed) == ["Files", "Directories", "PagingInfo"]
