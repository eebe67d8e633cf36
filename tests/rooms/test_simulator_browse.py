"""Listings of a mount by the simulated Enterprise Manager."""

from pathlib import Path

import pytest

from orchestrator.simulator import Estate
from tests.rooms.test_simulator_kit import Client, Reply, box


async def mounted(simulator: object, client: Client, machine: int = 0) -> tuple[Client, str]:
    point = simulator.estate.machines[machine].points[-1]  # type: ignore[attr-defined]
    client = await client.logged_on()
    return client, await client.mounted(point.uid, b"Windows" if machine == 0 else b"Linux")


def names(reply: Reply) -> list[str]:
    return [node.text for node in reply.all("Name")]


async def walk(client: Client, href: str) -> dict[str, str]:
    """Path -> size of every file below, by following links only."""
    reply = await client.get(f"{href}?action=listAll&pageSize=100&page=1")
    found = {file.findtext("{*}Path"): file.findtext("{*}Size") for file in reply.all("FileEntry")}
    for folder in reply.all("DirectoryEntry"):
        found |= await walk(client, folder.get("Href"))
    return found


async def test_a_mount_shows_its_roots_and_no_host(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client, href = await mounted(simulator, client)
        reply = await client.get(href)
        assert names(reply) == ["C:", "D:"]
        assert reply.hrefs("Delete") == [href]
        assert {child.tag.rpartition("}")[2] for child in reply.root} == {"Links", "FSRoots"}


async def test_the_whole_tree_is_found_by_following_links(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client, href = await mounted(simulator, client)
        roots = [entry.get("Href") for entry in (await client.get(href)).all("DirectoryEntry")]
        assert await walk(client, roots[0]) == {
            "C:/Shares/a #1;x.txt": "3",
            "C:/Shares/Ünï/b+c.txt": "6",
            "C:/top.txt": "1",
        }


@pytest.mark.parametrize("form", ["double", "single"])
async def test_a_linux_root_is_found_in_each_form_of_its_href(tmp_path: Path, form: str) -> None:
    async with box(tmp_path, linux_root_href=form) as (simulator, client):
        client, href = await mounted(simulator, client, 1)
        reply = await client.get(href)
        assert names(reply) == ["/"]
        root = reply.all("DirectoryEntry")[0].get("Href")
        assert root == href + ("//" if form == "double" else "/")
        assert await walk(client, root) == {"/etc/hosts": "9", "/srv/data/x y": "1"}
        for spelled in (f"{href}//srv/data", f"{href}/srv/data", f"{href}/%2Fsrv/data", f"{href}/srv/data/"):
            assert "x y" in names(await client.get(spelled))
        assert (await client.get(f"{href}/srv/DATA")).status == 404


async def test_a_file_shows_size_and_a_time_of_whole_seconds(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client, href = await mounted(simulator, client)
        reply = await client.get(f"{href}/C:/Shares/%C3%9Cn%C3%AF/b%2Bc.txt")
        assert reply.root.tag.endswith("}FileSystemEntry")
        assert reply.text("Size") == "6"
        assert reply.text("ModifiedDateUTC") == "2020-02-03T04:05:07Z"
        assert reply.all("FileEntry")[0].get("Href") == f"{href}/C:/Shares/%C3%9Cn%C3%AF/b%2Bc.txt"


async def test_paths_of_windows_are_found_in_any_case_and_with_backslashes(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client, href = await mounted(simulator, client)
        for path in ("c:/shares/A%20%231%3BX.TXT", "C:%5CShares%5Ca%20%231%3bx.txt"):
            assert (await client.get(f"{href}/{path}")).text("Path") == "C:/Shares/a #1;x.txt"
        for path in ("C:/../C:", "C:/nothing", "E:", "C:/Shares/a%2520"):
            assert (await client.get(f"{href}/{path}")).status == 404


@pytest.mark.parametrize("form", ["entries", "entry"])
async def test_a_folder_without_action_has_two_forms(tmp_path: Path, form: str) -> None:
    async with box(tmp_path, browse_form=form) as (simulator, client):
        client, href = await mounted(simulator, client)
        reply = await client.get(f"{href}/C:/Shares")
        if form == "entries":
            assert reply.root.get("Href") == f"{href}/C:/Shares?action=listAll&pageSize=100&page=1"
            assert names(reply) == ["a #1;x.txt", "empty", "Ünï"]
        else:
            assert names(reply) == ["Shares"]
            assert f"{href}/C:/Shares?action=listDirs&pageSize=10&page=1" in reply.hrefs("Down")


def crowded_folder(folder: Path) -> Estate:
    estate = Estate.empty(folder)
    estate.add_machine("fs01", points=[{"C:": {**{f"f{n}": b"" for n in range(12)}, "d1/": None, "d2/": None}}])
    return estate


async def test_listings_come_in_pages_and_by_kind(tmp_path: Path) -> None:
    async with box(tmp_path, build=crowded_folder) as (simulator, client):
        client, href = await mounted(simulator, client)
        reply = await client.get(f"{href}/C:?action=listAll&pageSize=5")
        seen = names(reply)
        while reply.hrefs("Next"):
            reply = await client.get(reply.hrefs("Next")[0])
            seen += names(reply)
        assert sorted(seen) == sorted(["d1", "d2", *(f"f{n}" for n in range(12))])
        assert names(await client.get(f"{href}/C:?action=listDirs")) == ["d1", "d2"]
        files = await client.get(f"{href}/C:/?action=listFiles")
        assert (len(names(files)), files.all("PagingInfo")[0].get("PagesCount")) == (10, "2")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("C:?action=burn", 400),
        ("C:?action=listAll&pageSize=0", 400),
        ("C:/top.txt?action=listAll", 400),
        ("C:/top.txt?action=download", 404),
    ],
)
async def test_a_listing_that_is_wrong_is_refused(tmp_path: Path, path: str, status: int) -> None:
    async with box(tmp_path) as (simulator, client):
        client, href = await mounted(simulator, client)
        assert (await client.get(f"{href}/{path}")).status == status


async def test_roots_may_show_as_random_ids(tmp_path: Path) -> None:
    async with box(tmp_path, random_volume_ids=True, owner=False) as (simulator, client):
        client, href = await mounted(simulator, client)
        reply = await client.get(href)
        assert "C:" not in names(reply)
        assert len(await walk(client, reply.all("DirectoryEntry")[0].get("Href"))) == 3
        client, href = await mounted(simulator, client, 1)
        root = (await client.get(href)).all("DirectoryEntry")[0].get("Href")
        assert len(await walk(client, root)) == 2
