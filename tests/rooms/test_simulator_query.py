"""The query service of the simulated Enterprise Manager."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import pytest

from orchestrator.simulator import Estate, Settings
from orchestrator.simulator.filters import compile_filter
from orchestrator.simulator.pen import Pen
from orchestrator.simulator.query import FIELDS, machines_meant, point_hits
from orchestrator.simulator.refusals import Refusal
from tests.rooms.test_simulator_kit import box

ODD = 'a "b"; c, (d) & e+f #ü'
POINTS = FIELDS["VmRestorePoint"]
ROW = {
    "uid": "0b7f7d0e-5a4e-4c39-8d0d-0d1a5a3b9c21",
    "vmdisplayname": "fs 01",
    "backupservername": "vbr01",
    "creationtime": datetime(2026, 11, 20, 2, 0, 0, 500_000, tzinfo=UTC),
    "type": "Increment",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('VmDisplayName=="fs 01"', True),
        ('vmdisplayname=="FS 01"', True),
        ("VmDisplayName==fs 01", False),
        ('VmDisplayName!="fs 01"', False),
        ('VmDisplayName=="fs 02"', False),
        ('BackupServerName==vbr01;VmDisplayName=="fs 01"', True),
        ('BackupServerName==vbr02;VmDisplayName=="fs 01"', False),
        ('BackupServerName==vbr02,VmDisplayName=="fs 01"', True),
        ("BackupServerName==a,BackupServerName==vbr01;Type==Full", False),
        ("(BackupServerName==a,BackupServerName==vbr01);Type==Increment", True),
        ("((Type==Full),((Type==Increment)))", True),
        ("Type>Full", True),
        ("Type>=ReverseIncrement", False),
        ("CreationTime<=2026-11-20T02:00:00", False),
        ('CreationTime<="2026-11-20T02:00:00.5Z"', True),
        ('CreationTime<"2026-11-20T02:00:00.5000000Z"', False),
        ('CreationTime>"2026-11-20T02:00:00Z"', True),
        ('UID=="urn:veeam:VmRestorePoint:0B7F7D0E-5a4e-4c39-8d0d-0d1a5a3b9c21"', True),
        ('UID=="0b7f7d0e-5a4e-4c39-8d0d-0d1a5a3b9c21"', True),
        ("RestorePointName==x", False),
        ("RestorePointName!=x", True),
    ],
)
def test_a_filter_holds_or_not(text: str, holds: bool) -> None:
    assert compile_filter(text, POINTS, case_matters=False)(ROW) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "JobName==x",
        "VmDisplayName",
        "VmDisplayName=fs01",
        "VmDisplayName==",
        'VmDisplayName=="fs01',
        "(VmDisplayName==fs01",
        "VmDisplayName==fs01)",
        'VmDisplayName=="a" x',
        "VmDisplayName==a;",
        "Type==Snapshot",
        "CreationTime>yesterday",
        'CreationTime>"2026-11-20T02:00:00+01:00"',
        'CreationTime>"2026-13-20T02:00:00Z"',
        "UID==fs01",
    ],
)
def test_a_filter_that_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        compile_filter(text, POINTS, case_matters=False)
    assert caught.value.status == 400


def test_whether_case_matters_is_a_switch() -> None:
    assert not compile_filter('VmDisplayName=="FS 01"', POINTS, case_matters=True)(ROW)


def test_an_unquoted_value_loses_its_spaces() -> None:
    assert compile_filter("VmDisplayName==fs 01", POINTS, case_matters=False)({"vmdisplayname": "fs01"})


@pytest.mark.parametrize(
    ("text", "looked_at"),
    [
        ('VmDisplayName=="fs01"', {"fs01"}),
        ('VmDisplayName=="FS01",VmDisplayName=="fs03"', {"fs01", "fs03"}),
        ('(VmDisplayName=="fs01",VmDisplayName=="fs02");CreationTime<="2026-11-20T02:00:00Z"', {"fs01", "fs02"}),
        ('CreationTime>"2000-01-01T00:00:00Z";VmDisplayName=="fs02"', {"fs02"}),
        ('VmDisplayName=="fs01",Type==Full', {"fs01", "fs02", "fs03"}),
        ('VmDisplayName!="fs01"', {"fs01", "fs02", "fs03"}),
        ('(VmDisplayName=="fs01";Type==Full),VmDisplayName=="fs02"', {"fs01", "fs02", "fs03"}),
        ('VmDisplayName=="fs01";VmDisplayName=="fs02"', {"fs01"}),
    ],
)
def test_a_query_about_some_machines_finds_the_same_without_looking_at_all(
    tmp_path: Path, text: str, looked_at: set[str]
) -> None:
    estate = Estate.empty(tmp_path)
    for name in ("fs01", "fs02", "fs03"):
        estate.add_machine(name, points=[{}] * 2)
    holds = compile_filter(text, POINTS, case_matters=False)
    everything = point_hits(estate, "vm")
    some = point_hits(estate, "vm", machines_meant(Pen(Settings()), "VmRestorePoint", {"filter": text}))
    assert {hit.row["vmdisplayname"] for hit in some} == looked_at
    assert [hit for hit in some if holds(hit.row)] == [hit for hit in everything if holds(hit.row)]


def many_points(folder: Path, count: int) -> Estate:
    estate = Estate.empty(folder)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    created = [start + timedelta(hours=number) for number in range(count)]
    estate.add_machine("fs01", points=[{}] * count, created=created)
    return estate


def one_odd_machine(folder: Path) -> Estate:
    estate = Estate.empty(folder)
    estate.add_machine(ODD)
    return estate


async def test_pages_are_linked_and_complete(tmp_path: Path) -> None:
    async with box(tmp_path, build=partial(many_points, count=7)) as (_, client):
        client = await client.logged_on()
        path = "query?type=vmrestorepoint&format=Entities&sortDesc=CreationTime&pageSize=3&page=1"
        path += "&filter=VmDisplayName%3D%3D%22fs01%22"
        times, rels = [], []
        while path:
            reply = await client.get(path)
            times += [node.text for node in reply.all("CreationTimeUTC")]
            info = reply.all("PagingInfo")[0]
            rels.append([link.get("Rel") for link in info.iter("{*}Link")])
            assert (info.get("PageSize"), info.get("PagesCount")) == ("3", "3")
            path = next(iter(reply.hrefs("Next")), "")
            assert "%22fs01%22" in path or not path
        assert len(set(times)) == 7
        assert times == sorted(times, reverse=True)
        assert rels == [["First", "Next", "Last"], ["First", "Previous", "Next", "Last"], ["First", "Previous", "Last"]]


async def test_links_of_pages_are_echoed_in_lower_case_escapes(tmp_path: Path) -> None:
    async with box(tmp_path, build=partial(many_points, count=2)) as (_, client):
        reply = await (await client.logged_on()).query("VmRestorePoint", 'VmDisplayName=="fs01"', "&pageSize=1")
        query = reply.hrefs("Next")[0].partition("?")[2]
        assert "filter=VmDisplayName%3d%3d%22fs01%22" in query
        assert sorted(query.split("&")) == query.split("&")
        assert unquote(query).count("page=2") == 1


@pytest.mark.parametrize(("default", "count", "pages"), [(100, 100, "2"), (0, 101, "1")])
async def test_the_default_size_of_a_page_is_a_switch(tmp_path: Path, default: int, count: int, pages: str) -> None:
    async with box(tmp_path, build=partial(many_points, count=101), page_size_default=default) as (_, client):
        reply = await (await client.logged_on()).query("VmRestorePoint")
        assert len(reply.all("VmRestorePoint")) == count
        assert reply.all("PagingInfo")[0].get("PagesCount") == pages


async def test_odd_names_make_the_round_trip_through_quotes_and_escapes(tmp_path: Path) -> None:
    async with box(tmp_path, build=one_odd_machine) as (_, client):
        quoted = ODD.replace('"', '""')
        reply = await (await client.logged_on()).query("VmRestorePoint", f'VmDisplayName=="{quoted}"')
        assert reply.text("VmName") == ODD
        assert reply.all("VmRestorePoint")[0].get("Name") == f"{ODD}@2026-11-20 02:00:00"


@pytest.mark.parametrize("form", ["empty", "absent"])
async def test_an_empty_result_is_200_in_two_forms(tmp_path: Path, form: str) -> None:
    async with box(tmp_path, empty_result=form) as (_, client):
        reply = await (await client.logged_on()).query("VmRestorePoint", "VmDisplayName==nobody")
        assert reply.status == 200
        assert bool(reply.all("Entities")) == (form == "empty")
        assert reply.all("PagingInfo")[0].get("PagesCount") == "0"


@pytest.mark.parametrize(
    "query",
    [
        "query",
        "query?type=Nothing",
        "query?type=VmRestorePoint&pageSize=0",
        "query?type=VmRestorePoint&page=0",
        "query?type=VmRestorePoint&page=x",
        "query?type=VmRestorePoint&format=Json",
        "query?type=VmRestorePoint&sortAsc=Size",
        "query?type=VmRestorePoint&filter=JobName==x",
    ],
)
async def test_a_query_that_is_wrong_is_400(tmp_path: Path, query: str) -> None:
    async with box(tmp_path) as (_, client):
        assert (await (await client.logged_on()).get(query)).status == 400


async def test_references_have_no_mounts_links(tmp_path: Path) -> None:
    async with box(tmp_path) as (_, client):
        reply = await (await client.logged_on()).get("query?type=VmRestorePoint")
        assert len(reply.all("Ref")) == 3
        assert reply.all("Ref")[0].get("Type") == "VmRestorePointReference"
        assert reply.hrefs("Create") == []
