"""Routes label metrics and traces: one of a fixed few, and nothing of what a request is about gets into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.enterprise_manager.wire.exchange import Request
from orchestrator.enterprise_manager.wire.routes import OTHER, route_of

ROUTES = {
    "/",
    "/sessionMngr",
    "/logonSessions/{id}",
    "/query",
    "/tasks",
    "/tasks/{id}",
    "/catalog/vms",
    "/catalog/vms/{id}/vmRestorePoints/{id}",
    "/catalog/vms/{id}/vmRestorePoints/{id}/guestfs/{path}",
    *(
        f"/{points}/{{id}}/mounts{below}"
        for points in ("vmRestorePoints", "vmReplicaPoints", "agents/agentRestorePoints")
        for below in ("", "/{id}", "/{id}/{path}")
    ),
    *(f"/{points}/{{id}}" for points in ("vmRestorePoints", "vmReplicaPoints", "agents/agentRestorePoints")),
    OTHER,
}


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/api/sessionMngr/?v=latest", "/sessionMngr"),
        ("/api/logonSessions/3d0c5f52-8f0b", "/logonSessions/{id}"),
        ("/api/logonsessions/3d0c5f52-8f0b", "/logonSessions/{id}"),
        ("/api/query?type=VmRestorePoint&filter=VmDisplayName%3D%3D%22fs01%22", "/query"),
        ("/api/tasks", "/tasks"),
        ("/api/catalog/vms/fs01/vmRestorePoints/0b7f", "/catalog/vms/{id}/vmRestorePoints/{id}"),
        (
            "/api/catalog/vms/fs01/vmRestorePoints/0b7f/guestfs/C:/a?action=listAll",
            "/catalog/vms/{id}/vmRestorePoints/{id}/guestfs/{path}",
        ),
        ("/api/tasks/task-17", "/tasks/{id}"),
        ("/api/vmRestorePoints/0b7f7d0e/mounts", "/vmRestorePoints/{id}/mounts"),
        ("/api/vmrestorepoints/0b7f7d0e/mounts?action=create", "/vmRestorePoints/{id}/mounts"),
        ("/api/vmRestorePoints/0b7f7d0e/mounts/1", "/vmRestorePoints/{id}/mounts/{id}"),
        ("/api/vmRestorePoints/0b7f7d0e/mounts/1/C:/Shares?action=listAll", "/vmRestorePoints/{id}/mounts/{id}/{path}"),
        ("/api/vmReplicaPoints/0b7f7d0e/mounts/2", "/vmReplicaPoints/{id}/mounts/{id}"),
        ("/api/agents/agentRestorePoints/0b7f7d0e/mounts", "/agents/agentRestorePoints/{id}/mounts"),
        ("/api/agents/agentRestorePoints/0b7f7d0e?format=Entity", "/agents/agentRestorePoints/{id}"),
        ("/api/somethingNew/0b7f7d0e", OTHER),
        ("/api/", "/"),
    ],
)
def test_a_request_has_the_route_of_its_resource(target: str, route: str) -> None:
    assert Request("GET", target, "it").route == route


@given(st.lists(st.sampled_from(["api", "tasks", "mounts", "query", "vmRestorePoints", "{id}", "", "C:", "x\n"])))
def test_whatever_an_address_says_its_route_is_one_of_a_fixed_few(segments: list[str]) -> None:
    assert route_of("/api/" + "/".join(segments)) in ROUTES
