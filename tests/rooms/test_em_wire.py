"""The wire, pure: what Enterprise Manager sends and what is sent to it, byte by byte, without a socket.

The ids `14-n` and `15-n` are rows of the two tables of tolerant-reader cases in the project's fact sheet on the
Enterprise Manager web API; rows that need an exchange are in test_em_client.py.
"""

import base64
import itertools
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from orchestrator.core.catalog import FlrState, GuestOs, Listed, MountRoot, PointKind, Question, RestorePoint, TaskPhase
from orchestrator.core.errors import (
    AnswerUnreadable,
    EmBusy,
    EmFault,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    SealBroken,
)
from orchestrator.core.originals import InPlace, Standing
from orchestrator.core.pauses import retry_after
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.seal import Seal
from orchestrator.enterprise_manager.translate import explanation, read, refusal
from orchestrator.enterprise_manager.wire import points, records, requests
from orchestrator.enterprise_manager.wire.document import Unreadable, document, error_message
from orchestrator.enterprise_manager.wire.exchange import Reply, Request, refused
from orchestrator.enterprise_manager.wire.instants import epoch_seconds, instant, written
from orchestrator.enterprise_manager.wire.links import Base, without_entity_format
from orchestrator.enterprise_manager.wire.paging import Pages, paging

BASE = Base("https://em.example.com:9398")
NS = 'xmlns="http://www.veeam.com/ent/v1.0"'
XSD = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
API = "https://em1.corp.example:9398/api"
GUID = "0b7f7d0e-5a4e-4c39-8d0d-0d1a5a3b9c21"
MOUNTS = f"/api/vmRestorePoints/{GUID}/mounts"
SESSION = "3d0c5f52-8f0b-4d1f-9b53-6b0f3f1f6a10"
PLAIN = Request("GET", "/api/query", "the query")


def rows(*numbers):
    """Puts the numbers of table rows into the id of a test that has no other parameters."""
    return pytest.mark.parametrize((), [pytest.param(id=" ".join(numbers))])


def point(**changes):
    known = {
        "uid": f"urn:veeam:VmRestorePoint:{GUID}",
        "vm": "files07",
        "created": datetime(2026, 2, 11, 22, 3, 41, tzinfo=UTC),
        "backup_server": "vbr01",
        "mounts_href": MOUNTS,
        "create_href": MOUNTS,
    }
    return RestorePoint(**{**known, **changes})


POINT_LINKS = (
    f'<Link Rel="Restore" Href="{API}/vmRestorePoints/{GUID}?action=restore"/>',
    f'<Link Rel="Up" Type="BackupServerReference" Href="{API}/backupServers/1" Name="vbr01.corp.example"/>',
    f'<Link Rel="Up" Type="RestorePointReference" Href="{API}/restorePoints/2" Name="Feb 11 2026 10:03PM"/>',
    f'<Link Rel="Alternate" Type="VmRestorePointReference" Href="{API}/vmRestorePoints/{GUID}" Name="x"/>',
    f'<Link Rel="Down" Type="VmRestorePointMountList" Href="{API}/vmRestorePoints/{GUID}/mounts"/>',
    f'<Link Rel="Create" Type="VmRestorePointMount" Href="{API}/vmRestorePoints/{GUID}/mounts"/>',
)


def entity(
    guid=GUID,
    name="files07@2026-02-11 22:03:41",
    attributes='VmDisplayName="files07"',
    created="2026-02-11T22:03:41.553Z",
    links=POINT_LINKS,
    extra="<VmName>files07</VmName>",
    kind="VmRestorePoint",
):
    return (
        f'<{kind} Type="{kind}" Href="{API}/vmRestorePoints/{guid}?format=Entity" Name="{name}" {attributes}'
        f' UID="urn:veeam:{kind}:{guid}"><Links>{"".join(links)}</Links>'
        f"<CreationTimeUTC>{created}</CreationTimeUTC>{extra}<Algorithm>Incremental</Algorithm></{kind}>"
    )


def query_result(*entities, paging_info="", kind="VmRestorePoint"):
    inside = f"<Entities><{kind}s>{''.join(entities)}</{kind}s></Entities>" if entities else ""
    return f"<QueryResult {NS}>{inside}{paging_info}</QueryResult>".encode()


def next_link(target):
    return f'<PagingInfo><Links><Link Rel="Next" Href="{API}/{target}"/></Links></PagingInfo>'


def found(body, kind=PointKind.VM):
    return points.points(document(body), BASE, kind)


def task_of(inside, attributes=f'Type="Task" Href="{API}/tasks/task-17"'):
    return f"<Task {NS} {attributes}>{inside}</Task>".encode()


def read_task(body, asked="/api/tasks/task-17"):
    return records.task(document(body), BASE, asked)


def related(kind="VmRestorePointMount", href=f"{API}/vmRestorePoints/{GUID}/mounts/1"):
    return f'<Links><Link Rel="Related" Type="{kind}" Href="{href}" Name="{GUID}@1"/></Links>'


# --- bytes ----------------------------------------------------------------------------------------------------------

BODY = task_of("<State>Finished</State>")
DECLARED = b'<?xml version="1.0" encoding="utf-8"?>'
JSON_TASK = json.dumps({"TaskId": "task-17", "State": "Finished", "Result": None, "Type": "Task"}).encode()
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY, id="14-1 bare"),
        pytest.param(BOM + BODY, id="14-1 15-51 byte order mark, no declaration"),
        pytest.param(DECLARED + BODY, id="14-1 declaration"),
        pytest.param(BOM + DECLARED + b"\r\n" + BODY.replace(b"><", b">\r\n<"), id="14-1 all of it with CRLF"),
        pytest.param(BODY.replace(NS.encode(), f"{NS} {XSD}".encode()), id="14-2 15-51 xsd and xsi declared"),
        pytest.param(JSON_TASK, id="14-1 JSON"),
        pytest.param(BOM + JSON_TASK.replace(b", ", b",\r\n"), id="14-1 JSON with byte order mark and CRLF"),
    ],
)
def test_the_same_task_is_read_from_every_encoding_that_em_uses(body):
    assert read_task(body).phase is TaskPhase.FINISHED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(BODY.replace(b"veeam.com/ent", b"veeam.com/other"), "namespace", id="14-2 foreign namespace"),
        pytest.param(b"<Task><State>Finished</State></Task>", "namespace", id="14-2 no namespace"),
        pytest.param(b"<!DOCTYPE Task>" + BODY, "DOCTYPE", id="15-52 DOCTYPE"),
        pytest.param(
            b'<!DOCTYPE Task [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + BODY, "DOCTYPE", id="15-52 external entity"
        ),
        pytest.param(
            ("<!DOCTYPE Task>" + BODY.decode()).encode("utf-16"), "DOCTYPE", id="15-52 DOCTYPE in another encoding"
        ),
        pytest.param(b"<html><body>It works</body></html>", "HTML", id="15-21 HTML"),
        pytest.param(b"<!DOCTYPE html><p>portal", "HTML", id="15-21 HTML with doctype"),
        pytest.param(BODY[:-9], "well-formed", id="15-21 cut off"),
        pytest.param(b"", "empty", id="15-21 empty"),
        pytest.param(BOM + b"\r\n", "empty", id="15-21 only a byte order mark"),
        pytest.param(b'{"TaskId": ', "JSON", id="15-21 JSON cut off"),
        pytest.param(b'["task-17"]', "object", id="15-50 JSON that is no object"),
        pytest.param(
            '<!DOCTYPE a [<!ENTITY x "1"><!ENTITY y "&x;&x;">]><a>&y;</a>'.encode("utf-16"),
            "DOCTYPE",
            id="15-52 entities",
        ),
        pytest.param(b'{"a":' * 60 + b"1" + b"}" * 60, "deep", id="JSON nested too deep"),
        pytest.param(b'{"a b": {}}', "member", id="JSON with a member no element can have"),
        pytest.param(b'{"Name": "a\\u0001b"}', "cannot hold", id="JSON with a character that XML cannot hold"),
    ],
)
def test_what_is_not_ems_is_unreadable_and_says_why(body, reason):
    with pytest.raises(Unreadable, match=reason):
        document(body)


def test_an_unreadable_answer_shows_how_it_begins_without_its_secrets():
    mask = Mask()
    mask.learn("c2VjcmV0LXRva2Vu")
    body = b"<html>\n<p>token c2VjcmV0LXRva2Vu in a portal page" + b"x" * 500
    with pytest.raises(AnswerUnreadable) as caught:
        read(records.mount_hrefs, Reply(200, {}, body), PLAIN, mask)
    text = str(caught.value)
    assert "HTML page" in text
    assert "in a portal page" in text
    assert "c2VjcmV0LXRva2Vu" not in text
    assert len(text) < 600


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", [pytest.param(order, id=f"14-3 {n}") for n, order in enumerate(itertools.permutations(POINT_LINKS[:4]))]
)
def test_the_order_of_links_does_not_matter(order):
    point_read = found(query_result(entity(links=(*POINT_LINKS[4:], *order))))[0]
    assert (point_read.mounts_href, point_read.create_href) == (MOUNTS, MOUNTS)
    assert point_read.backup_server == "vbr01.corp.example"


@rows("14-3")
def test_the_order_of_attributes_does_not_matter():
    old = task_of(
        f'<Links><Link Rel="Related" Type="VmRestorePointMount" Href="{API}/vmRestorePoints/a/mounts/1"/></Links>'
    )
    new = task_of(
        f'<Links><Link Href="{API}/vmRestorePoints/a/mounts/1" Type="VmRestorePointMount" Rel="Related"/></Links>'
    )
    assert read_task(old) == read_task(new)
    assert read_task(new).mounts == ("/api/vmRestorePoints/a/mounts/1",)


@pytest.mark.parametrize(
    "kind", [pytest.param('Type="LogonSession"', id="14-4 typed"), pytest.param("", id="14-4 not")]
)
def test_a_delete_link_is_taken_with_and_without_a_type(kind):
    body = f'<LogonSession {NS}><Links><Link Rel="Delete" {kind} Href="{API}/logonSessions/7"/></Links></LogonSession>'
    assert records.logon_session(document(body.encode()), BASE, "t").delete_href == "/api/logonSessions/7"


@rows("14-5")
def test_restore_and_failover_are_never_taken_for_the_link_that_makes_a_mount():
    dangerous = (
        f'<Link Rel="Failover" Href="{API}/vmReplicaPoints/1?action=failover"/>',
        f'<Link Rel="Create" Href="{API}/vmRestorePoints/1?action=restore"/>',
        *POINT_LINKS[:1],
    )
    assert found(query_result(entity(links=dangerous)))[0].create_href == ""


@pytest.mark.parametrize(
    ("method", "target"),
    [
        pytest.param("POST", "/api/vmRestorePoints/1?action=restore", id="14-5 restore"),
        pytest.param("POST", "/api/vmReplicaPoints/1?action=failover", id="14-5 failover"),
        pytest.param("GET", "/api/vmRestorePoints/1?ACTION=Restore", id="14-5 letter case"),
        pytest.param("GET", "/api/vmRestorePoints/1?a=b&action=%72estore", id="14-5 escaped"),
        pytest.param("GET", "/api/vmRestorePoints/1?a=b;action=restore", id="14-5 behind a semicolon"),
        pytest.param("POST", "/api/vmRestorePoints/1/mounts?action=restore", id="14-5 restore on the mounts"),
        pytest.param("POST", "/api/vmRestorePoints/1", id="14-5 POST to a point"),
        pytest.param("POST", "/api/vmRestorePoints/1/mounts/1/C:?action=restore", id="14-5 restore of a folder"),
        pytest.param("DELETE", "/api/vmRestorePoints/1", id="DELETE of a point"),
        pytest.param("DELETE", "/api/vmRestorePoints/1/mounts", id="DELETE of all mounts"),
        pytest.param("POST", "/api/backupServers/1", id="POST to a backup server"),
        pytest.param("POST", "/api/backupServers/1?action=delete", id="another action of a backup server"),
        pytest.param("POST", "/api/backupServers/1?action=collect&action=x", id="a second action"),
        pytest.param("DELETE", "/api/vmRestorePoints/1/mounts/1/C:/x", id="DELETE of a file"),
        pytest.param("GET", "@evil.example/api/x", id="another authority"),
        pytest.param("GET", "//evil.example/api/x", id="another authority after slashes"),
        pytest.param("PUT", "/api/vmRestorePoints/1/mounts", id="another verb"),
    ],
)
def test_the_guard_refuses_whatever_is_not_needed(method, target):
    assert refused(Request(method, target, "w", makes_mount=True))


@pytest.mark.parametrize(
    "request_made",
    [
        requests.logon(),
        requests.own_session("/api/logonSessions/1"),
        requests.logoff("/api/logonsessions/1"),
        requests.question("/api/query", Question(vm="action=restore"), 10),
        requests.mounts_of(point()),
        requests.make_mount(point(), None),
        requests.task("/api/tasks/task-1"),
        requests.collect("/api/backupServers/1?action=collect", "vbr01"),
        requests.delete(f"{MOUNTS}/1"),
        requests.delete("/api/tasks/task-1"),
        requests.stage(f"{MOUNTS}/1/C:/a%20b.txt", "a b.txt"),
        requests.restore_in_place(f"{MOUNTS}/1/C:/a%20b.txt", "a b.txt", InPlace()),
        requests.download(f"{MOUNTS}/1/C:/a%20b.txt?action=download", "a b.txt"),
        requests.download(f"{MOUNTS}/1/C:/a%20b.txt?action=download", "a b.txt", "POST"),
        requests.folder(f"{MOUNTS}/1/Volume$0:?action=listAll&pageSize=100&page=1", "Volume$0:"),
    ],
    ids=lambda each: f"{each.method} {each.route}",
)
def test_the_guard_lets_every_request_of_this_room_pass(request_made):
    assert refused(request_made) == ""


@pytest.mark.parametrize(
    ("standing", "flags"),
    [
        (Standing.KEEP, {"Overwrite": "false"}),
        (Standing.OVERWRITE, {"Overwrite": "true"}),
        (Standing.PERMISSIONS_ONLY, {"Overwrite": "false", "PermissionsOnly": "true"}),
    ],
)
def test_a_restore_to_the_original_location_says_what_stays_and_shows_no_password(standing, flags):
    how = InPlace(standing, "fs01\\r<&", "p<&>\"'ä")
    made = requests.restore_in_place(f"{MOUNTS}/1/C:/x?action=listAll", "x", how)
    (way,) = etree.fromstring(made.body)
    assert etree.QName(way).localname == "ToOriginalLocation"
    assert dict(way.attrib) == flags
    (credentials,) = way
    told = [(etree.QName(each).localname, each.text) for each in credentials]
    assert told == [("UserName", how.user), ("Password", how.password)]
    assert made.target == f"{MOUNTS}/1/C:/x?action=restore"
    assert made.acts_once
    assert "p<&" not in f"{made!r} {how!r}"
    (bare,) = etree.fromstring(requests.restore_in_place(f"{MOUNTS}/1/C:/x", "x", InPlace()).body)
    assert len(bare) == 0


@pytest.mark.parametrize(
    ("method", "target", "action"),
    [
        ("POST", "/api/vmRestorePoints/1?action=restore", "restore"),
        ("POST", "/api/vmReplicaPoints/1?action=failover", "failover"),
        ("POST", "/api/vmRestorePoints/1/mounts?action=restore", "restore"),
        ("POST", "/api/vmRestorePoints/1/mounts/1?action=restore", "restore"),
        ("POST", "/api/catalog/vms/x/vmRestorePoints/1/mounts/1/C:?action=restore", "restore"),
        ("POST", "/api/vmRestorePoints/1/mounts/1/C:/x?action=restore&action=failover", "restore"),
        ("POST", "/api/vmRestorePoints/1/mounts/1/C:/x?action=restore", "download"),
        ("GET", "/api/vmRestorePoints/1/mounts/1/C:/x?action=restore", "restore"),
        ("DELETE", "/api/vmRestorePoints/1/mounts/1/C:/x?action=download", "download"),
    ],
)
def test_the_guard_lets_files_of_a_mount_be_restored_and_nothing_else(method, target, action):
    assert refused(Request(method, target, "w", action=action))


@pytest.mark.parametrize(
    ("href", "path"),
    [
        pytest.param("https://localhost:9398/api/tasks/1", "/api/tasks/1", id="14-6 15-6 localhost"),
        pytest.param("http://local.host:9399/api/tasks/1", "/api/tasks/1", id="14-6 15-6 plain HTTP on 9399"),
        pytest.param("https://10.0.0.5/api/tasks/1", "/api/tasks/1", id="14-6 address"),
        pytest.param("HTTPS://EM.Corp.Example:9398/API/tasks/1", "/api/tasks/1", id="14-6 mixed case"),
        pytest.param("/api/tasks/1", "/api/tasks/1", id="14-6 path only"),
        pytest.param("//evil.example/api/tasks/1", "/api/tasks/1", id="14-6 no scheme"),
        pytest.param("https://user:pw@evil.example/api/tasks/1", "/api/tasks/1", id="14-6 with a user"),
        pytest.param("https://h/api/x/Volume$0:", "/api/x/Volume$0:", id="15-36 dollar and colon stay"),
        pytest.param("https://h/api/x/E:/A%20b?page=2&a=%3d", "/api/x/E:/A%20b?page=2&a=%3d", id="14-22 escapes stay"),
        pytest.param("https://h/api/x/C:/Übung 1", "/api/x/C:/%C3%9Cbung%201", id="raw letters are escaped"),
        pytest.param("https://h/api/x/e:/documentation%2014/a.docx", "/api/x/e:/documentation%2014/a.docx", id="15-40"),
        pytest.param("https://h/api/x/api/y", "/api/x/api/y", id="the first /api counts"),
    ],
)
def test_an_href_becomes_a_path_below_the_configured_address(href, path):
    assert BASE.path(href) == path
    assert BASE.address(BASE.path(href)) == "https://em.example.com:9398" + path


def test_a_prefix_of_the_configured_address_is_neither_doubled_nor_lost():
    behind = Base("https://gate.example/api/em")
    assert behind.path("https://em1:9398/api/tasks/1") == "/api/tasks/1"
    assert behind.path("https://gate.example/api/em/api/tasks/1") == "/api/tasks/1"
    assert behind.address("/api/tasks/1") == "https://gate.example/api/em/api/tasks/1"


@pytest.mark.parametrize(
    "href",
    ["https://h/other/tasks/1", "https://h/api/../x", "tasks/1", "https://h/api/a\r\nX: y", "https://[::1/api/x", ""],
)
def test_an_href_that_leads_elsewhere_is_unreadable(href):
    with pytest.raises(Unreadable, match="link"):
        BASE.path(href)


@pytest.mark.parametrize(
    ("path", "bare"),
    [
        pytest.param("/api/x/1?format=Entity", "/api/x/1", id="14-6"),
        pytest.param("/api/x/1?Format=Entity", "/api/x/1", id="14-35"),
        pytest.param("/api/x/1?a=b&format=entity&c=d", "/api/x/1?a=b&c=d", id="14-6 among others"),
        pytest.param("/api/query?format=Entities", "/api/query?format=Entities", id="14-6 not of a query"),
    ],
)
def test_the_entity_format_is_stripped(path, bare):
    assert without_entity_format(path) == bare


@rows("15-7")
def test_an_ampersand_in_an_href_is_decoded_once():
    body = query_result(
        entity(),
        paging_info=next_link("query?a=1&amp;b=2&amp;page=2"),
    )
    assert paging(document(body), BASE).next == "/api/query?a=1&b=2&page=2"


# --- logon ----------------------------------------------------------------------------------------------------------


def logon_body(links="", href=f'Href="{API}/logonSessions/{SESSION}"', session_id=f"<SessionId>{SESSION}</SessionId>"):
    return (
        f'<LogonSession {NS} Type="LogonSession" {href}><Links>{links}</Links>'
        f"<UserName>CORP\\svc</UserName>{session_id}</LogonSession>"
    )


def logged_on(body, token="token"):  # noqa: S107
    return records.logon_session(document(body.encode()), BASE, token)


DELETE_LINK = f'<Link Rel="Delete" Href="{API}/logonSessions/{SESSION}"/>'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(logon_body(DELETE_LINK), id="everything"),
        pytest.param(logon_body(DELETE_LINK, session_id=""), id="15-5 no SessionId"),
        pytest.param(logon_body(DELETE_LINK, session_id="", href=""), id="15-5 only the Delete link"),
        pytest.param(logon_body("", session_id=""), id="15-5 only the Href"),
        pytest.param(logon_body("", href=""), id="15-5 only the SessionId"),
        pytest.param(f"<LogonSessions {NS}>{logon_body(DELETE_LINK)}</LogonSessions>", id="15-4 list as root"),
        pytest.param(json.dumps({"Links": [], "UserName": "x", "SessionId": SESSION}), id="14-1 JSON"),
    ],
)
def test_the_own_session_is_found_in_every_form_of_the_logon(body):
    session = logged_on(body)
    assert session.session_id == SESSION
    assert session.href == session.delete_href == f"/api/logonSessions/{SESSION}"


@rows("15-4")
def test_among_several_sessions_only_the_own_one_is_taken():
    other = f'<LogonSession {NS} Href="{API}/logonSessions/other"><SessionId>other</SessionId></LogonSession>'
    body = f"<LogonSessions {NS}>{other}{logon_body()}</LogonSessions>"
    own = base64.b64encode(SESSION.encode()).decode()
    assert logged_on(body, own).session_id == SESSION
    with pytest.raises(Unreadable):
        logged_on(body, "a token that names no session")


@pytest.mark.parametrize(
    ("links", "path"),
    [
        pytest.param(f'<Link Rel="Down" Type="QueryService" Href="{API}/querySvc"/>', "/api/query", id="14-8 with"),
        pytest.param("", "/api/query", id="14-8 without"),
        pytest.param(f'<Link Rel="down" Type="queryservice" Href="{API}/v1/querySvc/"/>', "/api/v1/query", id="14-35"),
    ],
)
def test_queries_go_beside_the_query_service_that_the_session_names(links, path):
    assert logged_on(logon_body(links)).query_path == path


@rows("14-38")
def test_a_logon_does_not_show_its_secrets_when_printed():
    assert SESSION not in repr(logged_on(logon_body(DELETE_LINK), "the-token"))
    assert "the-token" not in repr(logged_on(logon_body(DELETE_LINK), "the-token"))


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            f'<Error Message="Restore point is not available." StatusCode="500" {NS} {XSD}>'
            "<FirstChanceExceptionMessage>x</FirstChanceExceptionMessage></Error>",
            "Restore point is not available.",
            id="14-10 XML",
        ),
        pytest.param(
            '{"FirstChanceExceptionMessage":null,"Message":"Node [root] does not exist.","StackTrace":null,'
            '"Status":null,"StatusCode":400}',
            "Node [root] does not exist.",
            id="14-10 15-20 JSON with nulls",
        ),
        pytest.param('{"message":"lower case"}', "lower case", id="14-10 JSON in lower case"),
        pytest.param(
            f'<Error Message="a" StatusCode="1" {NS}><StackTrace>at Veeam</StackTrace></Error>', "a", id="14-10"
        ),
        pytest.param("", "", id="14-10 15-21 empty"),
        pytest.param("<html><h1>Service Unavailable</h1></html>", "", id="14-10 15-21 HTML"),
        pytest.param("<Error Message=", "", id="14-10 15-21 cut off"),
    ],
)
def test_the_message_of_an_error_body_is_found_or_left(body, message):
    assert error_message(body.encode()) == message


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Forbidden), (404, NotFound), (503, EmBusy), (429, EmBusy), (500, EmFault), (400, EmFault), (415, EmFault)],
)
def test_a_status_means_the_same_whatever_its_body_says(status, error):
    body = f'<Error Message="why" StatusCode="200" {NS}/>'.encode()
    refused_by = refusal(Reply(status, {}, body), PLAIN, Mask())
    assert type(refused_by) is error
    assert "why" in str(refused_by)


@rows("14-34")
def test_a_missing_right_names_the_role_that_has_it():
    assert "File Restore Operator" in str(refusal(Reply(403), PLAIN, Mask()))


@rows("14-10", "15-21")
def test_an_error_without_a_readable_body_still_says_something():
    assert explanation(Reply(500), Mask()) == "no explanation"
    assert explanation(Reply(500, {}, b"<html>\x00\nBad Request"), Mask()) == "<html> Bad Request"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(500, OutcomeUnknown, id="14-17 500"),
        pytest.param(502, OutcomeUnknown, id="502"),
        pytest.param(503, OutcomeUnknown, id="503"),
        pytest.param(408, OutcomeUnknown, id="408"),
        pytest.param(302, OutcomeUnknown, id="302"),
        pytest.param(403, Forbidden, id="15-18 403"),
        pytest.param(404, NotFound, id="404"),
        pytest.param(400, EmFault, id="400"),
        pytest.param(405, EmFault, id="405"),
        pytest.param(411, EmFault, id="14-36 411"),
        pytest.param(415, EmFault, id="14-36 415"),
        pytest.param(501, EmFault, id="501"),
        pytest.param(429, EmBusy, id="429"),
    ],
)
def test_only_a_clear_refusal_proves_that_no_mount_was_made(status, error):
    assert type(refusal(Reply(status), requests.make_mount(point(), None), Mask())) is error


@pytest.mark.parametrize(
    "text",
    [
        "GET https://em:9398/api/logonSessions/9f8e7d6c5b4a failed",
        "X-RestSvcSessionId: 9f8e7d6c5b4a",
        "Cookie: X-RestSvcSessionId=9f8e7d6c5b4a; path=/api",
        "<SessionId>9f8e7d6c5b4a</SessionId>",
        '{"SessionId": "9f8e7d6c5b4a"}',
        "Authorization: Basic 9f8e7d6c5b4a",
        "<GuestCredentials><Password>9f8e7d6c5b4a</Password></GuestCredentials>",
    ],
)
@rows("14-38")
def test_a_secret_is_known_by_its_shape(text):
    assert "9f8e7d6c5b4a" not in Mask()(text)


@rows("14-38")
def test_a_secret_is_known_in_every_spelling():
    mask = Mask()
    token = base64.b64encode(SESSION.encode()).decode()
    mask.learn(token, "p+w/d=1")
    for leak in (token, SESSION, "p+w/d=1", "p%2Bw%2Fd%3D1"):
        assert leak not in mask(f"before {leak} after")
    assert SESSION not in repr(mask)


# --- tasks ----------------------------------------------------------------------------------------------------------


@rows("14-11")
def test_a_task_that_is_finished_at_once_needs_no_further_poll():
    body = task_of(related() + '<State>Finished</State><Result Success="true"><Message>Ok</Message></Result>')
    task = records.task(document(body), BASE)
    assert (task.href, task.phase, task.success) == ("/api/tasks/task-17", TaskPhase.FINISHED, True)
    assert task.mounts == (f"{MOUNTS}/1",)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY, id="14-12 bare"),
        pytest.param(f"<Tasks {NS}>".encode() + BODY + b"</Tasks>", id="14-12 in a wrapper"),
        pytest.param(
            f"<Tasks {NS}>".encode() + BODY.replace(b"task-17", b"task-99") + b"</Tasks>", id="14-12 15-13 another id"
        ),
        pytest.param(BODY.replace(b"task-17", b"task-99"), id="15-13 bare with another id"),
    ],
)
def test_a_task_keeps_the_href_it_was_asked_by(body):
    task = read_task(body)
    assert (task.href, task.phase) == ("/api/tasks/task-17", TaskPhase.FINISHED)


@rows("14-12")
def test_of_several_tasks_the_one_that_was_asked_for_is_taken():
    other = task_of("<State>Running</State>", f'Href="{API}/tasks/task-1"')
    body = f"<Tasks {NS}>".encode() + other + BODY + b"</Tasks>"
    assert read_task(body).phase is TaskPhase.FINISHED
    with pytest.raises(Unreadable):
        read_task(body, "/api/tasks/task-5")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        pytest.param("<State>Running</State>", TaskPhase.RUNNING, id="14-13 running"),
        pytest.param("<State>OperationFinished</State>", TaskPhase.OPERATION_FINISHED, id="14-13 15-8"),
        pytest.param("<State>Finished</State>", TaskPhase.FINISHED, id="14-13 finished"),
        pytest.param("<State>Queued</State>", TaskPhase.RUNNING, id="14-13 15-14 unknown"),
        pytest.param("", TaskPhase.RUNNING, id="14-13 missing"),
    ],
)
def test_only_finished_is_the_end_of_a_task(state, phase):
    assert read_task(task_of(state)).phase is phase


@rows("15-8")
def test_a_task_may_have_worked_before_em_knows_its_mount():
    body = task_of(
        "<State>OperationFinished</State><Result Success='true'><Message>OperationFinished</Message></Result>"
    )
    task = read_task(body)
    assert (task.phase, task.success, task.mounts) == (TaskPhase.OPERATION_FINISHED, True, ())


@pytest.mark.parametrize(
    ("result", "success", "message"),
    [
        pytest.param('<Result Success="true"/>', True, "", id="14-14 self-closed"),
        pytest.param('<Result Success="True"/>', True, "", id="14-14 True"),
        pytest.param('<Result Success="1"/>', True, "", id="14-14 1"),
        pytest.param('<Result Success="false"><Message>no disk</Message></Result>', False, "no disk", id="14-14 15-9"),
        pytest.param('<Result Success="false"/>', False, "", id="14-14 no message"),
        pytest.param('<Result Success="perhaps"/>', None, "", id="14-14 unknown word"),
        pytest.param("", None, "", id="14-14 15-10 absent"),
        pytest.param(
            '<Result Success="true" CredentialsNeeded="true"><Message>log on</Message></Result>',
            False,
            "guest credentials are needed: log on",
            id="14-14 15-12",
        ),
    ],
)
def test_the_result_of_a_task_is_what_em_says_and_no_more(result, success, message):
    task = read_task(task_of(f"<State>Finished</State>{result}"))
    assert (task.success, task.message) == (success, message)


@pytest.mark.parametrize(
    ("links", "mounts"),
    [
        pytest.param(related(), (f"{MOUNTS}/1",), id="14-15 VM"),
        pytest.param(related("VmReplicaPointMount"), (f"{MOUNTS}/1",), id="14-15 15-34 replica"),
        pytest.param(related("AgentRestorePointMount"), (f"{MOUNTS}/1",), id="14-15 agent"),
        pytest.param(related("vmrestorepointmount"), (f"{MOUNTS}/1",), id="14-15 letter case"),
        pytest.param(related(""), (f"{MOUNTS}/1",), id="14-15 no type, but plainly a mount"),
        pytest.param(related("RestoreSession", f"{API}/restoreSessions/1"), (), id="14-15 another kind"),
        pytest.param("", (), id="14-15 15-11 missing"),
        pytest.param(
            related() + related(href=f"{API}/vmRestorePoints/{GUID}/mounts/2"),
            (f"{MOUNTS}/1",),
            id="14-15 one Links only",
        ),
        pytest.param(
            related().replace("</Links>", "")
            + related(href=f"{API}/vmRestorePoints/{GUID}/mounts/2")[len("<Links>") :],
            (f"{MOUNTS}/1", f"{MOUNTS}/2"),
            id="14-15 two",
        ),
    ],
)
def test_the_mounts_of_a_task_are_its_related_links_of_a_mount_type(links, mounts):
    assert read_task(task_of(links)).mounts == mounts


def test_a_task_without_an_href_is_named_by_its_id():
    task = records.task(document(task_of("<TaskId>task-5</TaskId>", "")), BASE)
    assert task.href == "/api/tasks/task-5"
    with pytest.raises(Unreadable, match="TaskId"):
        records.task(document(task_of("", "")), BASE)


# --- mounts ---------------------------------------------------------------------------------------------------------


def mount_xml(number=1, roots="", kind="VmRestorePointMount", namespace=""):
    return f'<{kind} {namespace} Type="{kind}" Href="{API}/vmRestorePoints/{GUID}/mounts/{number}">{roots}</{kind}>'


def roots_xml(*names):
    entries = [
        f'<DirectoryEntry Type="DirectoryEntry" Href="{API}/vmRestorePoints/{GUID}/mounts/1/{name}">'
        f"<Path>{name}</Path><Name>{name}</Name></DirectoryEntry>"
        for name in names
    ]
    return f"<FSRoots>{''.join(entries)}</FSRoots>"


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        pytest.param(
            f"<VmRestorePointMounts {NS}>{mount_xml(1)}{mount_xml(2)}</VmRestorePointMounts>", "12", id="14-18 15-33"
        ),
        pytest.param(f"<VmRestorePointMounts {NS}/>", "", id="14-18 15-31 empty"),
        pytest.param(mount_xml(1, namespace=NS), "1", id="14-18 single root"),
        pytest.param(
            f"<AgentRestorePointMounts {NS}>{mount_xml(3, kind='AgentRestorePointMount')}</AgentRestorePointMounts>",
            "3",
            id="14-18 agent",
        ),
        pytest.param(
            f'<VmReplicaPointMounts {NS}><Mount Type="VmReplicaPointMount"'
            f' Href="{API}/vmRestorePoints/{GUID}/mounts/4"/></VmReplicaPointMounts>',
            "4",
            id="14-18 child told by its type",
        ),
        pytest.param(
            json.dumps(
                {
                    "VmRestorePointMounts": [
                        {"Type": "VmRestorePointMount", "Href": f"{API}/vmRestorePoints/{GUID}/mounts/5"}
                    ]
                }
            ),
            "5",
            id="15-50 JSON",
        ),
    ],
)
def test_a_collection_of_mounts_is_a_set_of_hrefs(body, numbers):
    assert records.mount_hrefs(document(body.encode()), BASE) == {f"{MOUNTS}/{number}" for number in numbers}


def test_something_else_is_not_an_empty_collection_of_mounts():
    with pytest.raises(Unreadable):
        records.mount_hrefs(document(f"<Error {NS} Message='x'/>".encode()), BASE)
    with pytest.raises(Unreadable):
        records.mount_hrefs(document(b'{"status": "ok"}'), BASE)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("C:", "E:"), id="14-19 letters"),
        pytest.param(("Volume$0:",), id="14-19 15-36 volume without a letter"),
        pytest.param(("7c9e6679",), id="14-19 random id"),
        pytest.param((), id="14-19 15-35 none"),
    ],
)
def test_the_roots_of_a_mount_come_as_they_are_named(names):
    mount = records.mount(document(mount_xml(1, roots_xml(*names), namespace=NS).encode()), BASE, f"{MOUNTS}/1")
    assert mount.href == f"{MOUNTS}/1"
    assert mount.roots == tuple(MountRoot(name, f"{MOUNTS}/1/{name}") for name in names)


@rows("14-19")
def test_the_root_of_a_linux_mount_keeps_its_name():
    entry = f"<DirectoryEntry Href='{API}/vmRestorePoints/{GUID}/mounts/1/%2F'><Path>/</Path></DirectoryEntry>"
    roots = f"<FSRoots>{entry}</FSRoots>"
    mount = records.mount(document(mount_xml(1, roots, namespace=NS).encode()), BASE, f"{MOUNTS}/1")
    assert mount.roots == (MountRoot("/", f"{MOUNTS}/1/%2F"),)


def test_a_root_without_an_href_gets_the_documented_one():
    roots = "<FSRoots><DirectoryEntry><Name>Data 1:</Name></DirectoryEntry></FSRoots>"
    mount = records.mount(document(mount_xml(1, roots, namespace=NS).encode()), BASE, f"{MOUNTS}/1")
    assert mount.roots == (MountRoot("Data 1:", f"{MOUNTS}/1/Data%201:"),)


@rows("15-33")
def test_of_a_collection_only_the_asked_mount_is_read():
    body = f"<VmRestorePointMounts {NS}>{mount_xml(1, roots_xml('C:'))}{mount_xml(2)}</VmRestorePointMounts>"
    assert records.mount(document(body.encode()), BASE, f"{MOUNTS}/1").roots[0].name == "C:"
    with pytest.raises(Unreadable):
        records.mount(document(body.encode()), BASE, f"{MOUNTS}/3")


# --- listings -------------------------------------------------------------------------------------------------------

FILE = (
    "<FileEntry Type='FileEntry'><Path>D:/Projects A/plan.xlsx</Path><Name>plan.xlsx</Name><Size>18432</Size>"
    "<ModifiedDateUTC>2026-02-10T13:21:29Z</ModifiedDateUTC></FileEntry>"
)
FOLDER = "<DirectoryEntry Type='DirectoryEntry'><Path>D:/Projects A/2025</Path><Name>2025</Name></DirectoryEntry>"
PLAN = Listed(folder=False, size=18432, modified=1770729689)


def entries(inside):
    return records.listing(document(f"<FileSystemEntries {NS}>{inside}</FileSystemEntries>".encode()))


@pytest.mark.parametrize(
    ("inside", "listing"),
    [
        pytest.param(
            f"<Files>{FILE}</Files><Directories>{FOLDER}</Directories>",
            {"plan.xlsx": PLAN, "2025": Listed(folder=True)},
            id="14-20 one of each",
        ),
        pytest.param(f"<Files>{FILE}</Files>", {"plan.xlsx": PLAN}, id="14-20 no Directories"),
        pytest.param("<Files/>", {}, id="14-20 15-37 empty Files"),
        pytest.param("", {}, id="14-20 neither"),
        pytest.param(
            f"<Files>{FILE}{FILE.replace('plan', 'other')}</Files>",
            {"plan.xlsx": PLAN, "other.xlsx": PLAN},
            id="14-20 many",
        ),
        pytest.param(
            f"<Files>{FILE.replace('<Size>', '<Owner>x</Owner><Size>').replace('18432', '0')}</Files>",
            {"plan.xlsx": Listed(folder=False, size=0, modified=1770729689)},
            id="14-21 empty file with Owner",
        ),
        pytest.param(
            f"<Files>{FILE.replace('18432', '5368709120').replace('29Z', '29.123Z')}</Files>",
            {"plan.xlsx": Listed(folder=False, size=5368709120, modified=1770729689)},
            id="14-21 15-38 over 4 GiB, with a fraction",
        ),
        pytest.param(
            f"<Files>{FILE.replace('2026-02-10T13:21:29Z', '').replace('18432', 'many')}</Files>",
            {"plan.xlsx": Listed(folder=False)},
            id="14-21 neither size nor date readable",
        ),
        pytest.param(
            r"<Files><FileEntry><Path>C:\Shares\a b.txt</Path><Size>1</Size></FileEntry></Files>",
            {"a b.txt": Listed(folder=False, size=1)},
            id="15-39 backslashes",
        ),
        pytest.param(
            "<Files><FileEntry><Name> lead&amp;trail </Name><Size>1</Size></FileEntry></Files>",
            {" lead&trail ": Listed(folder=False, size=1)},
            id="a name keeps its spaces",
        ),
    ],
)
def test_a_listing_holds_the_children_by_name(inside, listing):
    assert entries(inside) == listing


@rows("14-20", "15-50")
def test_a_listing_in_json_is_the_same_listing():
    file = {"Type": "FileEntry", "Name": "plan.xlsx", "Size": 18432, "ModifiedDateUTC": "2026-02-10T13:21:29Z"}
    for files in ({"FileEntries": [file]}, [file]):
        body = {"Links": None, "Files": files, "Directories": None, "PagingInfo": None}
        assert records.listing(document(json.dumps(body).encode())) == {"plan.xlsx": PLAN}


@rows("14-20")
def test_links_instead_of_entries_lead_to_the_full_listing():
    down = "".join(
        f'<Link Rel="Down" Href="{API}/vmRestorePoints/{GUID}/mounts/1/D:?action={action}&amp;pageSize=10&amp;page=1"/>'
        for action in ("listDirs", "listAll", "listFiles")
    )
    body = (
        f"<FileSystemEntry {NS}><DirectoryEntry><Links>{down}</Links><Name>D:</Name></DirectoryEntry></FileSystemEntry>"
    )
    root = document(body.encode())
    assert records.listing(root) is None
    assert records.list_all_href(root, BASE) == f"{MOUNTS}/1/D:?action=listAll&pageSize=10&page=1"


# --- queries --------------------------------------------------------------------------------------------------------


def page_info(number, count, following="", order=0):
    attributes = [f'PageNum="{number}"', f'PagesCount="{count}"', 'PageSize="3"']
    attributes = attributes[order:] + attributes[:order]
    link = f'<Link Rel="Next" Href="{API}/query?type=VmRestorePoint&amp;page={following}"/>' if following else ""
    links = f"<Links><Link Rel='First' Href='{API}/query?page=1'/>{link}</Links>"
    return f"<PagingInfo {' '.join(attributes)}>{links}</PagingInfo>"


def walk(*infos):
    """The pages that are asked for when the answers carry these."""
    pages, asked = Pages("/api/query?type=VmRestorePoint&pageSize=3&page=1"), []
    for info in infos:
        if pages.target is None:
            break
        asked.append(pages.target)
        pages.advance(paging(document(query_result(entity(), paging_info=info)), BASE))
    return [dict(parse_qsl(target.partition("?")[2]))["page"] for target in asked], pages.target


@pytest.mark.parametrize(
    ("infos", "asked"),
    [
        pytest.param([""], ["1"], id="14-22 no PagingInfo"),
        pytest.param([page_info(1, 0)], ["1"], id="14-22 no pages"),
        pytest.param([page_info(1, 1)], ["1"], id="14-22 one page"),
        pytest.param(
            [page_info(1, 3, "2"), page_info(2, 3, "3", 1), page_info(3, 3, "", 2)], ["1", "2", "3"], id="14-22 15-23"
        ),
        pytest.param([page_info(1, 2), page_info(2, 2)], ["1", "2"], id="14-22 no Next, but more pages"),
    ],
)
def test_every_page_is_read_once(infos, asked):
    assert walk(*infos) == (asked, None)


@pytest.mark.parametrize("loop", ["1", "2"])
@rows("15-24")
def test_pages_that_lead_in_a_circle_are_an_error(loop):
    with pytest.raises(Unreadable, match="circle"):
        walk(page_info(1, 9, "2"), page_info(2, 9, loop), page_info(3, 9, loop))


@rows("14-22")
def test_two_spellings_of_a_page_are_one_page():
    pages = Pages("/api/query?type=X&filter=a%3D%3D%221%22&page=1")
    root = document(
        query_result(
            paging_info=next_link("Query?Page=1&amp;filter=a%3d%3d%221%22&amp;Type=X"),
        )
    )
    with pytest.raises(Unreadable, match="circle"):
        pages.advance(paging(root, BASE))


@rows("14-22")
def test_a_further_page_of_a_listing_is_asked_for_as_a_listing():
    pages = Pages(f"{MOUNTS}/1/C:")
    body = f'<FileSystemEntries {NS}><PagingInfo PageNum="1" PageSize="100" PagesCount="2"/></FileSystemEntries>'
    pages.advance(paging(document(body.encode()), BASE), listing=True)
    assert pages.target == f"{MOUNTS}/1/C:?action=listAll&pageSize=100&page=2"


JSON_POINT = {
    "Type": "VmRestorePoint",
    "Href": f"{API}/vmRestorePoints/{GUID}?format=Entity",
    "Name": "files07@2026-02-11 22:03:41",
    "VmDisplayName": "files07",
    "UID": f"urn:veeam:VmRestorePoint:{GUID}",
    "CreationTimeUTC": "2026-02-11T22:03:41.553Z",
    "Algorithm": "Incremental",
    "Links": [
        {"Rel": "Restore", "Href": f"{API}/vmRestorePoints/{GUID}?action=restore", "Name": None, "Type": None},
        {"Rel": "Up", "Href": f"{API}/b/1", "Name": "vbr01.corp.example", "Type": "BackupServerReference"},
        {"Rel": "Up", "Href": f"{API}/restorePoints/2", "Name": "Feb 11 2026 10:03PM", "Type": "RestorePointReference"},
        {
            "Rel": "Down",
            "Href": f"{API}/vmRestorePoints/{GUID}/mounts",
            "Name": None,
            "Type": "VmRestorePointMountList",
        },
        {"Rel": "Create", "Href": f"{API}/vmRestorePoints/{GUID}/mounts", "Name": None, "Type": "VmRestorePointMount"},
    ],
}


def lowered(value):
    if isinstance(value, dict):
        return {key.lower(): lowered(inner) for key, inner in value.items()}
    return [lowered(inner) for inner in value] if isinstance(value, list) else value


def json_query(entities):
    paging_info = {"Links": [], "PageNum": 1, "PageSize": 100, "PagesCount": 1}
    return {"Refs": None, "Entities": entities, "Resources": None, "Links": None, "PagingInfo": paging_info}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(query_result(entity()), id="14-23 XML"),
        pytest.param(json_query({"VmRestorePoints": {"VmRestorePoints": [JSON_POINT]}}), id="14-23 JSON, twice nested"),
        pytest.param(json_query({"Jobs": None, "VmRestorePoints": [JSON_POINT]}), id="15-50 JSON array"),
        pytest.param(lowered(json_query({"VmRestorePoints": {"VmRestorePoints": [JSON_POINT]}})), id="14-23 key case"),
    ],
)
def test_a_restore_point_is_the_same_in_every_form(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    when = datetime(2026, 2, 11, 22, 3, 41, 553000, tzinfo=UTC)
    assert found(body) == [point(backup_server="vbr01.corp.example", created=when, algorithm="Incremental", whole="2")]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(query_result(), id="14-23 15-22 no Entities"),
        pytest.param(f"<QueryResult {NS}><Entities/></QueryResult>".encode(), id="14-23 empty Entities"),
        pytest.param(json.dumps(json_query({"VmRestorePoints": None})).encode(), id="14-23 JSON null kind"),
        pytest.param(json.dumps({"Refs": None, "Entities": None, "PagingInfo": None}).encode(), id="14-23 JSON nulls"),
    ],
)
def test_an_empty_answer_is_no_restore_point(body):
    assert found(body) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            f"<QueryResult {NS}><Refs><Ref Type='VmRestorePointReference' UID='1'/></Refs></QueryResult>",
            id="14-23 Refs",
        ),
        pytest.param(f"<Error {NS} Message='x'/>", id="an error"),
        pytest.param('{"status": "ok"}', id="another service"),
        pytest.param(query_result(entity(created="")).decode(), id="a point without a time"),
        pytest.param(query_result(entity(created="yesterday")).decode(), id="a point without a readable time"),
    ],
)
def test_something_else_is_not_an_empty_answer(body):
    with pytest.raises(Unreadable):
        found(body.encode())


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        pytest.param("2026-02-11T22:03:07Z", 0, id="14-24 15-27 none"),
        pytest.param("2026-02-11T22:03:07.2Z", 200000, id="15-27 one digit"),
        pytest.param("2026-02-11T22:03:07.267Z", 267000, id="14-24 15-27 three"),
        pytest.param("2026-02-11T22:03:07.209913Z", 209913, id="14-24 15-27 six"),
        pytest.param("2026-02-11T22:03:07.2099137Z", 209913, id="14-24 seven"),
        pytest.param("2026-02-11T22:03:07", 0, id="no zone"),
        pytest.param("2026-02-12T00:03:07+02:00", 0, id="another zone"),
    ],
)
def test_an_instant_is_read_with_any_fraction(text, microsecond):
    assert instant(text) == datetime(2026, 2, 11, 22, 3, 7, microsecond, tzinfo=UTC)


@rows("14-24")
def test_an_instant_is_written_in_utc_for_filters():
    local = datetime(2026, 2, 12, 0, 3, 7, tzinfo=instant("2026-01-01T00:00:00Z").tzinfo)
    assert written(local) == "2026-02-12T00:03:07Z"
    assert written(local.replace(microsecond=5000)) == "2026-02-12T00:03:07.005000Z"
    assert epoch_seconds("2026-13-12T00:03:07Z") is None


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_what_is_written_is_read_back(moment):
    assert instant(written(moment)) == moment


@pytest.mark.parametrize(
    ("given_entity", "machine"),
    [
        pytest.param(entity(attributes='VmDisplayName="shown"'), "shown", id="14-25 attribute first"),
        pytest.param(entity(attributes=""), "files07", id="14-25 element next"),
        pytest.param(entity(attributes="", extra="", name="a@b@2026-02-11 22:03:41"), "a@b", id="14-25 14-26 15-29"),
        pytest.param(
            entity(attributes="", extra="", name="files07@2023-11-03 16:26:12.209913"), "files07", id="14-26 fraction"
        ),
        pytest.param(
            entity(attributes='VmDisplayName="x@y"', name="q@Jun 16 2025  4:00AM"), "x@y", id="14-26 two spaces"
        ),
    ],
)
def test_the_machine_is_named_by_the_best_that_there_is(given_entity, machine):
    read_point = found(query_result(given_entity))[0]
    assert read_point.vm == machine
    assert read_point.created == datetime(2026, 2, 11, 22, 3, 41, 553000, tzinfo=UTC)


@rows("15-30")
def test_a_point_without_a_create_link_offers_no_mount():
    read_point = found(query_result(entity(links=POINT_LINKS[:5])))[0]
    assert (read_point.create_href, read_point.mounts_href) == ("", MOUNTS)


def test_a_point_without_a_uid_is_named_by_its_href():
    body = query_result(entity()).replace(f' UID="urn:veeam:VmRestorePoint:{GUID}"'.encode(), b"")
    assert found(body)[0].uid == f"urn:veeam:VmRestorePoint:{GUID}"


@rows("15-26", "15-27")
def test_points_come_once_newest_first_and_equal_times_by_id():
    def at(uid, text):
        return point(uid=uid, created=instant(f"2026-02-11T22:03:{text}"))

    unsorted = [at("d", "07.2Z"), at("b", "07Z"), at("c", "07.267Z"), at("a", "07Z"), at("C", "07.267Z")]
    assert [each.uid for each in points.distinct(unsorted)] == ["c", "d", "a", "b"]
    assert points.distinct(unsorted[::-1])[2:] == points.distinct(unsorted)[2:]


@rows("15-25")
def test_points_of_another_backup_server_are_dropped_when_one_is_asked_for():
    here, there, unknown = (point(backup_server=name) for name in ("VBR01", "vbr02", ""))
    assert points.on_server([here, there, unknown], "vbr01") == [here, unknown]
    assert points.on_server([here, there], None) == [here, there]


NASTY = ["a b", 'a"b', "a;b", "a,b", "(a)", "a&b", "a+b", "a#b", "100%", "Übung", "a==b", "a%22b", '""', "a\\b", "a/b"]


def unquoted(target):
    """The filter as a server takes it apart: decode once, then comparisons of a field, an operator, a quoted value."""
    query = dict(pair.split("=", 1) for pair in target.partition("?")[2].split("&"))
    text, found_values, place = unquote(query["filter"]), {}, 0
    while place < len(text):
        begin = text.index('"', place)
        field, end = text[place:begin], begin + 1
        while text[end : end + 2] == '""' or text[end] != '"':
            end += 2 if text[end] == '"' else 1
        found_values[field] = text[begin + 1 : end].replace('""', '"')
        assert text[end + 1 : end + 2] in ("", ";")
        place = end + 2
    return found_values


@pytest.mark.parametrize("name", [pytest.param(name, id=f"14-27 15-28 {name}") for name in NASTY])
def test_a_name_survives_the_filter_whatever_it_holds(name):
    target = requests.question("/api/query", Question(vm=name, backup_server=name), 100).target
    assert unquoted(target) == {"VmDisplayName==": name, "BackupServerName==": name}
    assert "+" not in target
    assert " " not in target


@given(st.text(), st.text())
def test_any_text_survives_the_filter(vm, server):
    target = requests.question("/api/query", Question(vm=vm, backup_server=server), 100).target
    assert unquoted(target) == {"VmDisplayName==": vm, "BackupServerName==": server}
    assert target.isascii()


def test_a_question_is_one_documented_query():
    asked = Question("fs01", GUID, datetime(2026, 11, 20, 6, tzinfo=UTC), "vbr01")
    target = requests.question("/api/query", asked, 500).target
    assert target.startswith(
        "/api/query?type=VmRestorePoint&format=Entities&sortDesc=CreationTime&pageSize=500&page=1&"
    )
    assert unquoted(target) == {
        "VmDisplayName==": "fs01",
        "UID==": f"urn:veeam:VmRestorePoint:{GUID}",
        "CreationTime<=": "2026-11-20T06:00:01Z",
        "BackupServerName==": "vbr01",
    }


def test_a_question_without_restriction_has_no_filter():
    assert "filter" not in requests.question("/api/query", Question(), 5).target


@pytest.mark.parametrize(
    ("uid", "kind", "urn"),
    [
        (GUID, "VmRestorePoint", f"urn:veeam:VmRestorePoint:{GUID}"),
        (f"urn:veeam:VmRestorePoint:{GUID}", "VmRestorePoint", f"urn:veeam:VmRestorePoint:{GUID}"),
        (f"urn:veeam:VmReplicaPoint:{GUID}", "VmReplicaPoint", f"urn:veeam:VmReplicaPoint:{GUID}"),
        (f"urn:veeam:AgentRestorePoint:{GUID}", "AgentRestorePoint", f"urn:veeam:AgentRestorePoint:{GUID}"),
    ],
)
def test_an_id_is_asked_for_as_a_urn_of_its_own_kind(uid, kind, urn):
    target = requests.question("/api/query", Question(uid=uid), 5).target
    assert f"type={kind}&" in target
    assert unquoted(target) == {"UID==": urn}


@pytest.mark.parametrize(
    ("asked", "kind", "terms"),
    [
        (
            Question(vm="fs01", kind=PointKind.REPLICA),
            "VmReplicaPoint",
            {"VmDisplayName==": "fs01"},
        ),
        (Question(vm="fs01", kind=PointKind.AGENT), "AgentRestorePoint", {"ComputerName==": "fs01"}),
        (
            Question(uid=GUID, kind=PointKind.AGENT),
            "AgentRestorePoint",
            {"UID==": f"urn:veeam:AgentRestorePoint:{GUID}"},
        ),
        (
            Question(uid=f"urn:veeam:VmReplicaPoint:{GUID}", kind=PointKind.AGENT),
            "VmReplicaPoint",
            {"UID==": f"urn:veeam:VmReplicaPoint:{GUID}"},
        ),
    ],
)
def test_a_question_about_replicas_or_agents_goes_to_their_points(asked, kind, terms):
    target = requests.question("/api/query", asked, 5).target
    assert f"type={kind}&" in target
    assert unquoted(target) == terms


@rows("15-34")
def test_a_replica_point_has_links_of_its_own_types():
    links = [
        f'<Link Rel="Failover" Href="{API}/vmReplicaPoints/1?action=failover"/>',
        f'<Link Rel="Create" Type="VmReplicaPointMount" Href="{API}/vmReplicaPoints/1/mounts"/>',
        f'<Link Rel="Down" Type="VmReplicaPointMountList" Href="{API}/vmReplicaPoints/1/mounts"/>',
    ]
    replica = found(query_result(entity(links=links, kind="VmReplicaPoint"), kind="VmReplicaPoint"), PointKind.REPLICA)[
        0
    ]
    assert (replica.kind, replica.create_href) == (PointKind.REPLICA, "/api/vmReplicaPoints/1/mounts")


def flr(state, created="2026-02-11T22:10:00Z", vm="files07", kind="FileLevelRestore"):
    return (
        f'<RestoreSession Type="RestoreSession" VmDisplayName="{vm}"><JobType>{kind}</JobType>'
        f"<CreationTimeUTC>{created}</CreationTimeUTC><State>{state}</State></RestoreSession>"
    )


@pytest.mark.parametrize(
    ("sessions", "state"),
    [
        ([], FlrState.UNKNOWN),
        ([flr("Stopped")], FlrState.STOPPED),
        ([flr("Stopped"), flr("Working")], FlrState.WORKING),
        ([flr("Starting")], FlrState.WORKING),
        ([flr("Stopping")], FlrState.WORKING),
        ([flr("Paused")], FlrState.WORKING),
        ([flr("Stopped"), flr("Working", created="2026-02-11T21:00:00Z")], FlrState.STOPPED),
        ([flr("Working", vm="files070")], FlrState.UNKNOWN),
        ([flr("Working", kind="RestoreVm")], FlrState.UNKNOWN),
    ],
)
def test_a_machine_is_at_rest_only_when_every_restore_since_then_is_stopped(sessions, state):
    since = datetime(2026, 2, 11, 22, 0, tzinfo=UTC)
    root = document(query_result(*sessions, kind="RestoreSession"))
    assert points.flr_state(points.restore_states(root, "files07", since)) is state


def test_restore_sessions_are_asked_for_by_machine_kind_and_time():
    target = requests.restore_sessions("/api/query", point(), datetime(2026, 2, 11, tzinfo=UTC), 50).target
    assert unquoted(target) == {
        "VmDisplayName==": "files07",
        "Type==": "FileLevelRestore",
        "CreationTime>=": "2026-02-11T00:00:00Z",
    }


# --- the mount request ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "os", "inside"),
    [
        (PointKind.VM, None, None),
        (PointKind.VM, GuestOs.WINDOWS, "Windows"),
        (PointKind.VM, GuestOs.LINUX, "Linux"),
        (PointKind.AGENT, GuestOs.LINUX, None),
        (PointKind.REPLICA, GuestOs.LINUX, "Linux"),
        (PointKind.REPLICA, None, ""),
    ],
)
def test_a_mount_is_asked_for_with_the_body_that_its_kind_takes(kind, os, inside):
    request = requests.make_mount(point(kind=kind), os)
    assert not request.repeatable
    if inside is None:
        assert request.body == b""
        return
    root = document(request.body)
    assert root.tag == "{http://www.veeam.com/ent/v1.0}StartMountSpec"
    assert [child.tag.rpartition("}")[2] for child in root] == (["OsKind"] if inside else [])
    assert "".join(root.itertext()) == inside


# --- waiting and sealing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("7", 7.0, id="14-37 seconds"),
        pytest.param("Fri, 20 Nov 2026 06:01:30 GMT", 90.0, id="14-37 date"),
        pytest.param("Fri, 20 Nov 2026 05:00:00 GMT", 0.0, id="14-37 date gone by"),
        pytest.param("", 0.0, id="14-37 without"),
        pytest.param("soon", 0.0, id="14-37 unreadable"),
        pytest.param("-5", 0.0, id="14-37 negative"),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text, seconds):
    assert retry_after(text, datetime(2026, 11, 20, 6, tzinfo=UTC)) == seconds


COUNT = itertools.count()


def entropy(length):
    """Differs on every call, as randomness does."""
    return next(COUNT).to_bytes(length, "big")


def test_a_sealed_session_opens_under_the_same_password_in_another_process():
    mine, later = (Seal("pässword", "https://em:9398", "CORP\\svc", entropy) for _ in range(2))
    sealed = mine.seal("the-token", "/api/logonSessions/1")
    assert later.unseal(sealed) == mine.unseal(sealed) == ("the-token", "/api/logonSessions/1")
    assert b"the-token" not in sealed
    assert mine.seal("the-token", "/api/logonSessions/1") != sealed


@pytest.mark.parametrize(
    "other", [("other", "https://em:9398", "svc"), ("pw", "https://em2:9398", "svc"), ("pw", "https://em:9398", "root")]
)
def test_a_sealed_session_opens_for_nobody_else(other):
    sealed = Seal("pw", "https://em:9398", "svc", entropy).seal("the-token", "/api/logonSessions/1")
    with pytest.raises(SealBroken, match="another"):
        Seal(*other, entropy).unseal(sealed)


def test_a_damaged_seal_is_refused_and_takes_no_memory():
    seal = Seal("pw", "u", "n", entropy)
    sealed = seal.seal("the-token", "/api/logonSessions/1")
    greedy = sealed[:4] + bytes([40]) + sealed[5:]
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for damaged in (b"", sealed[:20], b"XXXX" + sealed[4:], greedy, changed, sealed[:7] + changed[7:]):
        with pytest.raises(SealBroken):
            seal.unseal(damaged)


def test_a_tampered_head_is_noticed():
    seal = Seal("pw", "u", "n", entropy)
    sealed = bytearray(seal.seal("the-token", "/x"))
    sealed[5] = 2
    with pytest.raises(SealBroken):
        seal.unseal(bytes(sealed))
