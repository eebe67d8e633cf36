"""Where Enterprise Manager is strict, the simulator is: headers, sessions, roles, bodies, paths, documents."""

import asyncio
import codecs
import ssl
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from anyio import to_thread

from orchestrator.simulator import Simulator, serving
from tests.rooms.test_simulator_kit import QUICK, SPEC, XML, basic, box, small_estate, until


async def test_the_certificate_is_verified_by_a_context_made_from_the_ca_file(tmp_path: Path) -> None:
    async with serving(Simulator(await to_thread.run_sync(small_estate, tmp_path), QUICK)) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        async with aiohttp.ClientSession() as http:
            for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
                async with http.get(f"{url}/api/", ssl=context) as reply:
                    assert reply.status == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await http.get(f"{server.url}/api/")
            pinned = aiohttp.Fingerprint(bytes.fromhex(server.fingerprint_sha256))
            async with http.get(f"{server.url}/api/", ssl=pinned) as reply:
                assert reply.status == 200


async def test_logon_gives_a_token_a_cookie_and_a_location(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        reply = await client.call("POST", "sessionMngr/?v=latest", headers=basic())
        token = reply.headers["X-RestSvcSessionId"]
        assert reply.status == 201
        assert reply.headers["Set-Cookie"] == f"X-RestSvcSessionId={token}; Path=/api"
        assert reply.headers["Location"].endswith(f"/api/logonSessions/{reply.text('SessionId')}")
        assert reply.headers["Location"].startswith("http://local.host:9399/")
        assert reply.text("UserName") == "CORP\\restore"
        assert reply.hrefs("Down", "BackupServerReferenceList") == []
        told = repr(simulator.log)
        assert token not in told
        assert reply.text("SessionId") not in told


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("CORP\\restore:wrong"),
        basic("other:restore"),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer x"},
    ],
)
async def test_a_logon_with_other_credentials_is_challenged(tmp_path: Path, headers: dict[str, str]) -> None:
    async with box(tmp_path) as (_, client):
        reply = await client.call("POST", "sessionMngr/?v=latest", headers=headers)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"] == "Basic Realm=RestSvc"
        assert reply.root.get("StatusCode") == "401"


async def test_basic_credentials_are_good_for_the_logon_only(tmp_path: Path) -> None:
    async with box(tmp_path) as (_, client):
        assert (await client.call("GET", "tasks", headers=basic())).status == 401


async def test_an_account_without_role_cannot_log_on(tmp_path: Path) -> None:
    async with box(tmp_path, roles=(), logon_without_role=403) as (_, client):
        assert (await client.call("POST", "sessionMngr/?v=latest", headers=basic())).status == 403


async def test_a_cookie_beats_the_header(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        first, second = await client.logged_on(), await client.logged_on()
        await second.call("GET", "tasks", headers={"Cookie": f"X-RestSvcSessionId={first.token}"})
        assert simulator.log[-1].session == "session-1"
        wrong = await second.call("GET", "tasks", headers={"Cookie": "a=b; X-RestSvcSessionId=none"})
        assert wrong.status == 401


async def test_logoff_ends_the_session_at_once(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        own = simulator.open_sessions()[0].id
        assert (await client.get(f"logonSessions/{own}")).text("SessionId") == own
        assert (await client.get(f"logonsessions/{own}")).status == 200
        assert (await client.call("DELETE", f"logonSessions/{own}")).status == 204
        assert (await client.get("tasks")).status == 401
        assert simulator.open_sessions() == []


async def test_an_idle_session_expires_and_a_used_one_does_not(tmp_path: Path) -> None:
    async with box(tmp_path, idle_timeout=1.5) as (simulator, client):
        idle, busy = await client.logged_on(), await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        await idle.mounted(uid)
        while len(simulator.open_sessions()) == 2:
            assert (await busy.get("tasks")).status == 200
        assert [one.label for one in simulator.open_sessions()] == ["session-2"]
        await until(lambda: not simulator.open_mounts())
        assert (await idle.get("tasks")).status == 401


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/octet-stream", "text/xml"])
async def test_a_post_of_a_foreign_type_is_415_even_without_a_body(tmp_path: Path, kind: str) -> None:
    async with box(tmp_path) as (_, client):
        headers = {**basic(), "Content-Type": kind}
        assert (await client.call("POST", "sessionMngr/?v=latest", headers=headers)).status == 415


async def test_a_post_that_states_no_length_is_411(tmp_path: Path) -> None:
    async with serving(Simulator(await to_thread.run_sync(small_estate, tmp_path), QUICK)) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"POST /api/sessionMngr/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 411 ")
        assert b"<html>" in answer


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (None, {}, 202),
        (SPEC % b"Windows", XML, 202),
        (SPEC % b"Windows", {"Content-Type": "application/xml; charset=utf-8"}, 202),
        (b'{"OsKind": "Windows"}', {"Content-Type": "application/json"}, 202),
        (SPEC % b"Windows", {}, 415),
        (SPEC % b"Solaris", XML, 400),
        (SPEC % b"Windows", {"Content-Type": "application/json"}, 400),
        (b"<StartMountSpec><OsKind>Windows</OsKind></StartMountSpec>", XML, 400),
        (SPEC.replace(b"StartMountSpec", b"MountSpec") % b"Windows", XML, 400),
        (SPEC.replace(b"OsKind", b"Os") % b"Windows", XML, 400),
        (SPEC.replace(b"<OsKind>", b"<Reason/><OsKind>") % b"Windows", XML, 400),
        (b"<!DOCTYPE x>" + SPEC % b"Windows", XML, 400),
        (SPEC[:40], XML, 400),
    ],
)
async def test_the_body_of_a_mount_is_checked(
    tmp_path: Path, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        reply = await client.call("POST", f"vmRestorePoints/{uid}/mounts", body, headers)
        assert reply.status == status
        if status >= 400:
            assert reply.root.get("StatusCode") == str(status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "tasks", 405),
        ("DELETE", "query", 405),
        ("GET", "nothing/here", 404),
        ("GET", "tasks/task-99", 404),
        ("GET", "vmRestorePoints/11111111-1111-1111-1111-111111111111?format=Entity", 404),
        ("POST", "sessionMngr/?v=v1_4", 400),
        ("GET", "backupServers", 403),
        ("GET", "query?type=BackupServer", 403),
        ("GET", "query?type=AgentRestorePoint", 403),
        ("GET", "querySvc", 501),
        ("GET", "%ff%fe", 400),
    ],
)
async def test_other_calls_get_their_documented_refusal(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with box(tmp_path) as (_, client):
        client = await client.logged_on()
        assert (await client.call(method, path)).status == status


async def test_a_portal_user_may_browse_but_not_mount(tmp_path: Path) -> None:
    async with box(tmp_path, roles=("Portal User",)) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        assert (await client.call("POST", f"vmRestorePoints/{uid}/mounts")).status == 403
        assert (await client.get(f"vmRestorePoints/{uid}/mounts")).status == 403
        assert (await client.get(f"vmRestorePoints/{uid}/mounts/1/C:")).status == 404
        assert (await client.get("backupServers?format=Entity")).all("BackupServer")[0].get("Name") == "vbr01"
        assert (await client.get("query?type=backupserver")).all("Ref")[0].get("Name") == "vbr01"


async def test_a_point_shows_its_links_in_the_documented_order(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[1].uid
        reply = await client.get(f"vmrestorepoints/{uid.upper()}?Format=entity")
        assert [link.get("Rel") for link in reply.all("Link")] == [
            *("Restore", "Up", "Up", "Up", "Alternate", "Down", "Create")
        ]
        assert reply.text("CreationTimeUTC") == "2026-11-20T02:00:00Z"
        assert reply.root.get("VmDisplayName") == reply.text("VmName") == "fs01"
        assert reply.hrefs("Create", "VmRestorePointMount")[0].endswith(f"/{uid}/mounts")
        reference = await client.get(f"vmRestorePoints/{uid}")
        assert reference.root.tag.endswith("}EntityRef")
        assert reference.hrefs("Create") == []


REPLICA, AGENT = "vmReplicaPoints", "agents/agentRestorePoints"


@pytest.mark.parametrize(
    ("kind", "path", "rels", "uid_type"),
    [
        ("replica", REPLICA, ("Failover", "Up", "Up", "Alternate", "Down", "Create"), "VmReplicaPoint"),
        ("agent", AGENT, ("Up", "Up", "Up", "Alternate", "Down", "Create"), "AgentRestorePoint"),
    ],
)
async def test_points_of_replicas_and_agents_show_links_of_their_own(
    tmp_path: Path, kind: str, path: str, rels: tuple[str, ...], uid_type: str
) -> None:
    async with box(tmp_path) as (simulator, client):
        machine = await to_thread.run_sync(partial(simulator.estate.add_machine, "fs01", kind=kind))
        client = await client.logged_on()
        uid = machine.points[0].uid
        reply = await client.get(f"{path}/{uid}?format=Entity")
        assert tuple(link.get("Rel") for link in reply.all("Link")) == rels
        assert reply.root.get("UID") == f"urn:veeam:{uid_type}:{uid}"
        assert reply.root.get("VmDisplayName") == ("fs01" if kind == "replica" else None)
        assert reply.all("VmName") == []
        assert reply.hrefs("Create", f"{uid_type}Mount")[0].endswith(f"/{path}/{uid}/mounts")
        assert (await client.get(f"vmRestorePoints/{uid}?format=Entity")).status == 404


@pytest.mark.parametrize(
    ("kind", "path", "body", "headers", "status"),
    [
        ("replica", REPLICA, SPEC % b"Windows", XML, 202),
        ("replica", REPLICA, None, {}, 400),
        ("agent", AGENT, None, {}, 202),
        ("agent", AGENT, SPEC % b"Windows", XML, 400),
    ],
)
async def test_a_replica_wants_a_body_and_an_agent_none(
    tmp_path: Path, kind: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    async with box(tmp_path) as (simulator, client):
        machine = await to_thread.run_sync(partial(simulator.estate.add_machine, "fs01", kind=kind))
        client = await client.logged_on()
        reply = await client.call("POST", f"{path}/{machine.points[0].uid}/mounts", body, headers)
        assert reply.status == status


@pytest.mark.parametrize(("role", "status"), [("File Restore Operator", 403), ("Portal User", 200)])
async def test_agents_are_queried_and_listed_by_other_roles_than_may_mount_them(
    tmp_path: Path, role: str, status: int
) -> None:
    async with box(tmp_path, roles=(role,)) as (_, client):
        client = await client.logged_on()
        asked = 'query?type=AgentRestorePoint&filter=ComputerName%3D%3D"fs01"'
        assert (await client.get(asked)).status == status
        assert (await client.get(AGENT)).status == status


async def test_following_the_dangerous_link_is_recorded_and_refused(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[1].uid
        href = (await client.get(f"vmRestorePoints/{uid}?format=Entity")).hrefs("Restore")[0]
        assert (await client.call("POST", href)).status == 403
        assert simulator.log[-1].note == "DANGER"


async def test_byte_order_mark_and_attribute_order_are_switches(tmp_path: Path) -> None:
    async with box(tmp_path, bom=True, attribute_order="new") as (_, client):
        reply = await client.call("GET", "")
        assert reply.body.startswith(codecs.BOM_UTF8)
        assert list(reply.all("Link")[0].attrib) == ["Href", "Type", "Rel"]
    async with box(tmp_path / "other") as (_, client):
        reply = await client.call("GET", "")
        assert not reply.body.startswith(codecs.BOM_UTF8)
        assert list(reply.all("Link")[0].attrib) == ["Rel", "Type", "Href"]
        assert [one.get("Name") for one in reply.all("SupportedVersion")][-1] == "v1_7"


async def test_the_log_names_routes_and_labels_and_no_secret(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        own = simulator.open_sessions()[0].id
        await client.get(f"logonSessions/{own}")
        entry = simulator.log[-1]
        assert (entry.method, entry.route, entry.status, entry.session) == ("GET", "session", 200, "session-1")
        assert entry.path == "/api/logonSessions/session-1"
        assert [one.route for one in simulator.log] == ["logon", "session"]


async def test_an_administrator_can_end_one_session_by_its_label(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        first, second = await client.logged_on(), await client.logged_on()
        await simulator.end_session("session-1")
        assert (await first.get("tasks")).status == 401
        assert (await second.get("tasks")).status == 200
