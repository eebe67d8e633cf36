"""The client against the simulated Enterprise Manager, which shares no code with it."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import FlrState, GuestOs, PointKind, Question, TaskPhase
from orchestrator.core.errors import AgentsHidden, Forbidden, NotFound, OutcomeUnknown, RefreshRefused, SessionEnded
from orchestrator.enterprise_manager import Client, seal, ssl_context
from orchestrator.simulator import Drop, EndSession, Estate, Fault, Garbage, Settings, Simulator, Status, serving

TREE = {"C:": {"Shares/plan.xlsx": b"plan", "boot.ini": b"x" * 300, "Empty/": None}, "D:": {"data.bin": b"d"}}


@pytest.fixture(autouse=True)
def cheap_key(monkeypatch):
    """The real cost of the sealing key is paid in test_em_wire.py."""
    monkeypatch.setattr(seal, "_LOG_N", 4)


@pytest.fixture
def estate(tmp_path):
    estate = Estate.empty(tmp_path, ("vbr01", "vbr02"))
    estate.add_machine("fs01", points=(TREE, TREE))
    estate.add_machine('odd "name"; (1) + Ü', points=(TREE,))
    estate.add_machine("fs01", backup_server="vbr02", points=(TREE,))
    for name, kind in (("fs01", "replica"), ("fs01", "agent"), ("laptop", "agent")):
        estate.add_machine(name, points=(TREE,), kind=kind)
    estate.add_machine("lin01", os="linux", points=({"/": {"etc/hosts": b"h", "root.txt": b"r"}},))
    return estate


@pytest.fixture
def served(estate):
    """Makes a simulator and a client that knows its address, not yet logged on."""

    @asynccontextmanager
    async def make(*faults, **switches):
        simulator = Simulator(estate, Settings(task_seconds=0.01, operation_finished_seconds=0.01, **switches), faults)
        async with serving(simulator) as server:
            settings = EnterpriseManagerSettings(
                url=server.url,
                username=simulator.settings.username,
                password_env="EM_PASSWORD",
                ca_file=server.ca_file,
                page_size=1,
            )
            client = Client(
                settings,
                simulator.settings.password,
                ssl=await asyncio.to_thread(ssl_context, settings),
                clock=lambda: datetime.now(UTC),
                random=random.random,
                sleep=lambda _: asyncio.sleep(0),
            )
            async with client:
                yield client, simulator

    return make


def calls(simulator, route):
    return [entry for entry in simulator.log if entry.route == route]


async def finished(client, task, generation=1):
    while task.phase is not TaskPhase.FINISHED:
        task = await client.task(task.href, generation)
    return task


async def mounted(client, question=None, os=None):
    """A point and the href of its new mount."""
    generation = await client.open()
    point = (await client.find(question or Question(vm="fs01", backup_server="vbr01")))[0]
    before = await client.existing(point, generation)
    task = await finished(client, await client.request(point, os, generation), generation)
    (href,) = await client.existing(point, generation) - before
    assert task.success
    assert task.mounts in ((href,), ())
    return point, href


SWITCHES = {
    "as documented": {},
    "other spellings": {
        "bom": True,
        "attribute_order": "new",
        "browse_form": "entry",
        "display_name": False,
        "owner": False,
        "empty_result": "absent",
        "collection_404_when_empty": True,
        "task_wrapped": True,
        "task_related": False,
        "delete_status": 200,
        "advertise": "https://localhost:1",
    },
}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
async def test_a_mount_is_made_browsed_and_deleted(served, switches):
    async with served(**switches) as (client, simulator):
        point, href = await mounted(client)
        mount = await client.mount(href, 1)
        assert [root.name for root in mount.roots] == ["C:", "D:"]
        listing = await client.listing(mount.roots[0], 1)
        assert {name: (listed.folder, listed.size) for name, listed in listing.items()} == {
            "Shares": (True, None),
            "Empty": (True, None),
            "boot.ini": (False, 300),
        }
        assert listing["boot.ini"].modified > 0
        assert await client.restore_state(point, datetime(2000, 1, 1, tzinfo=UTC)) is FlrState.WORKING
        assert await client.delete(href, 1) is None
        assert await client.delete(href, 1) is None
        assert await client.restore_state(point, datetime(2000, 1, 1, tzinfo=UTC)) is FlrState.STOPPED
        with pytest.raises(NotFound):
            await client.mount(href, 1)
        await client.close()
        assert (simulator.open_mounts(), simulator.open_sessions()) == ([], [])
        assert not [entry for entry in simulator.log if entry.note]


KINDS = {
    PointKind.REPLICA: {},
    PointKind.AGENT: {"roles": ("File Restore Operator", "Portal User")},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
async def test_replicas_and_agents_are_found_mounted_browsed_and_deleted(served, kind, switches):
    async with served(**switches, **KINDS[kind]) as (client, simulator):
        point, href = await mounted(client, Question(vm="fs01", kind=kind))
        assert (point.kind, point.vm, point.backup_server) == (kind, "fs01", "vbr01")
        assert [one.uid for one in await client.find(Question(uid=point.uid))] == [point.uid]
        assert await client.find(Question(vm="nobody", kind=kind)) == []
        (root, _) = (await client.mount(href, 1)).roots
        assert set(await client.listing(root, 1)) == {"Shares", "Empty", "boot.ini"}
        assert await client.restore_state(point, datetime(2000, 1, 1, tzinfo=UTC)) is FlrState.WORKING
        assert await client.delete(href, 1) is None
        await client.close()
        assert (simulator.open_mounts(), simulator.open_sessions()) == ([], [])
        assert not [entry for entry in simulator.log if entry.note]


async def test_a_link_from_the_task_of_a_replica_that_leads_below_the_points_of_vms_is_followed(served):
    async with served(replica_related="vm") as (client, simulator):
        generation = await client.open()
        (point,) = await client.find(Question(kind=PointKind.REPLICA))
        task = await finished(client, await client.request(point, None, generation), generation)
        (href,) = task.mounts
        assert href.startswith("/api/vmRestorePoints/")
        assert [root.name for root in (await client.mount(href, 1)).roots] == ["C:", "D:"]
        assert await client.delete(href, 1) is None
        assert simulator.open_mounts() == []


async def test_an_account_that_may_not_list_agents_mounts_one_by_its_id(served, estate):
    (machine,) = (one for one in estate.machines if one.name == "laptop")
    async with served() as (client, simulator):
        await client.open()
        with pytest.raises(AgentsHidden, match="Portal User as well, or name one restore point of the agent by its id"):
            await client.find(Question(vm="laptop", kind=PointKind.AGENT))
        uid = machine.points[0].uid
        for asked in (Question(uid=uid, kind=PointKind.AGENT), Question(uid=f"urn:veeam:AgentRestorePoint:{uid}")):
            (point,) = await client.find(asked)
            assert point.vm == "laptop"
        assert await client.find(Question(uid=uid.replace("-", "0"), kind=PointKind.AGENT)) == []
        task = await finished(client, await client.request(point, GuestOs.WINDOWS, 1), 1)
        assert await client.delete(task.mounts[0], 1) is None
        assert simulator.open_mounts() == []


@pytest.mark.parametrize("form", ["double", "single"])
async def test_a_linux_guest_is_mounted_and_browsed(served, form):
    async with served(linux_root_href=form) as (client, _):
        _, href = await mounted(client, Question(vm="lin01"), GuestOs.LINUX)
        (root,) = (await client.mount(href, 1)).roots
        assert root.name == "/"
        assert set(await client.listing(root, 1)) == {"etc", "root.txt"}


@pytest.mark.parametrize(
    ("question", "number"),
    [
        (Question(vm="fs01"), 3),
        (Question(vm="fs01", backup_server="vbr02"), 1),
        (Question(vm='odd "name"; (1) + Ü'), 1),
        (Question(vm="fs01", until=datetime(2026, 11, 18, tzinfo=UTC)), 1),
        (Question(vm="nobody"), 0),
        (Question(), 5),
    ],
)
async def test_points_are_found_page_by_page(served, question, number):
    async with served() as (client, _):
        await client.open()
        found = await client.find(question)
        assert len(found) == number
        assert found == sorted(found, key=lambda point: point.created, reverse=True)
        for point in found:
            for uid in (point.uid, point.uid.rpartition(":")[2]):
                assert [each.uid for each in await client.find(Question(uid=uid))] == [point.uid]


NAMES = ("fs01", "lin01", 'odd "name"; (1) + Ü', "nobody", "a, b", "<x>&amp;", "ZÜRICH")


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
async def test_many_questions_are_answered_like_each_alone_with_one_query(served, switches):
    async with served(**switches) as (client, simulator):
        await client.open()
        asked = [Question(vm=name, until=datetime(2026, 11, 18, tzinfo=UTC)) for name in NAMES]
        alone = {point.uid for question in asked for point in await client.find(question)}
        before = len(calls(simulator, "query"))
        together = await client.find_all(asked)
        assert {point.uid for point in together} == alone
        assert together == sorted(together, key=lambda point: point.created, reverse=True)
        assert len(calls(simulator, "query")) == before + len({point.uid for point in together} or {0})
        by_id = await client.find_all([Question(uid=point.uid) for point in together])
        assert {point.uid for point in by_id} == alone


async def test_the_points_of_a_job_are_those_of_its_backup(served):
    async with served() as (client, _):
        await client.open()
        [nightly, *_] = await client.find_all([Question(vm="fs01", backup_job="Nightly", backup_server="vbr01")])
        assert nightly.backup_job == "Nightly"
        assert await client.find_all([Question(vm="fs01", backup_job="Weekly")]) == []


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
async def test_a_refresh_makes_em_collect_and_then_it_knows_the_new_points(served, estate, switches):
    roles = ("File Restore Operator", "Portal User")
    async with served(**switches, roles=roles) as (client, simulator):
        await client.open()
        newest = [machine.points[-1].uid for machine in estate.machines if machine.name == "fs01"]
        estate.uncollected.update(newest)
        assert len(await client.find(Question(vm="fs01"))) == 1
        await client.refresh("VBR02")
        assert len(await client.find(Question(vm="fs01"))) == 2
        await client.refresh(None)
        assert len(await client.find(Question(vm="fs01"))) == 3
        assert len(calls(simulator, "backup_server_action")) == 3


@pytest.mark.parametrize(
    ("roles", "fault", "server", "said"),
    [
        (
            ("File Restore Operator",),
            None,
            None,
            "the account may not see backup servers; it needs the role Portal User",
        ),
        (("Portal Administrator",), None, "vbr09", "knows no backup server of that name; it knows vbr01, vbr02"),
        (("Portal Administrator",), Status(500), "vbr01", "did not collect new restore points from vbr01"),
    ],
)
async def test_a_refresh_that_em_refuses_says_why_and_what_happens_without(served, roles, fault, server, said):
    faults = [] if fault is None else [Fault("backup_server_action", action=fault, times=4)]
    async with served(*faults, roles=roles) as (client, _):
        await client.open()
        with pytest.raises(RefreshRefused) as caught:
            await client.refresh(server)
        assert said in str(caught.value)
        assert "Without refresh it answers with what it knows" in str(caught.value)


async def test_a_hundred_tasks_that_meet_a_lost_session_make_one_logon(served):
    async with served() as (client, simulator):
        await client.open()
        await simulator.end_session()
        found = await asyncio.gather(*(client.find(Question(vm="lin01")) for _ in range(100)))
        assert {len(each) for each in found} == {1}
        assert len(calls(simulator, "logon")) == 2
        assert client.generation == 2


async def test_a_lost_session_takes_its_mounts_along(served):
    async with served(session_end_unmounts="never") as (client, simulator):
        point, href = await mounted(client)
        await simulator.end_session()
        for _ in range(2):
            with pytest.raises(SessionEnded):
                await client.mount(href, 1)
        assert await client.existing(point, 2) == frozenset()
        assert len(calls(simulator, "logon")) == 2


async def test_a_sealed_session_is_cleaned_up_by_another_client(served):
    async with served() as (client, simulator):
        point, href = await mounted(client)
        past = await client.revive(client.sealed())
        assert await past.mounts.existing(point, 0) == {href}
        assert await past.mounts.delete(href, 0) is None
        await past.close()
        assert (simulator.open_mounts(), simulator.open_sessions()) == ([], [])
        with pytest.raises(SessionEnded):
            await client.existing(point, 1)


@pytest.mark.parametrize(
    "action",
    [Drop(after=True), Status(500, after=True), Garbage("half_xml"), Garbage("doctype"), Garbage("html")],
    ids=["lost answer", "500", "half", "doctype", "html"],
)
async def test_a_mount_whose_answer_is_lost_is_made_once_and_found_by_listing(served, action):
    async with served(Fault("mount_post", action=action)) as (client, simulator):
        await client.open()
        point = (await client.find(Question(vm="lin01")))[0]
        with pytest.raises(OutcomeUnknown):
            await client.request(point, GuestOs.LINUX, 1)
        while not (hrefs := await client.existing(point, 1)):
            pass
        assert simulator.mounts_made == len(calls(simulator, "mount_post")) == 1
        assert await client.delete(next(iter(hrefs)), 1) is None


async def test_trouble_on_what_is_safe_to_repeat_goes_unnoticed(served):
    faults = [
        Fault("query", 1, Status(503, b"busy", {"Retry-After": "1"}), times=2),
        Fault("query", 3, EndSession()),
        Fault("mounts_list", 1, Drop(), times=3),
        Fault("mount_delete", 1, Status(500)),
        Fault("mount_delete", 2, Drop(after=True)),
        Fault("logoff", 1, Status(503)),
    ]
    async with served(*faults) as (client, simulator):
        generation = await client.open()
        point = (await client.find(Question(vm="lin01")))[0]
        assert client.generation == generation + 1
        task = await finished(client, await client.request(point, GuestOs.LINUX, 2), 2)
        assert await client.existing(point, 2) == set(task.mounts)
        assert await client.delete(task.mounts[0], 2) is None
        await client.close()
        assert (simulator.open_mounts(), simulator.open_sessions()) == ([], [])


async def test_an_account_without_the_role_may_search_but_not_mount(served):
    async with served(roles=("Portal User",)) as (client, _):
        await client.open()
        point = (await client.find(Question(vm="lin01")))[0]
        with pytest.raises(Forbidden, match="File Restore Operator"):
            await client.existing(point, 1)
