"""The example config and the example jobs are true: they load, and they show every key with its default."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.config import (
    Config,
    CopySettings,
    DrillSettings,
    EnterpriseManagerSettings,
    MetricsSettings,
    StateSettings,
    TargetSettings,
    TracingSettings,
    WatchSettings,
    load_config,
)
from orchestrator.config_fleet import FleetSettings
from orchestrator.config_limits import BackupWindowSettings, LimitSettings
from orchestrator.config_mount_hosts import BackupServerSettings, MountHostSettings
from orchestrator.config_notifications import NotificationSettings, PingSettings
from orchestrator.config_shares import GuestCredentialsSettings, ShareSettings
from orchestrator.config_web import WebSettings
from orchestrator.core.catalog import Question, RestorePoint
from orchestrator.core.choosing import questions
from orchestrator.core.entry import Conflict, Restore
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import read_job
from orchestrator.core.resolve import plan
from orchestrator.listing import NamedJob, with_lists
from orchestrator.records import AuditSettings, LogSettings, SyslogSettings
from tests.docs.reading import ROOT, keys_of

NOW = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
HIERARCHY = "urn:VMware:Vm:5b0a4c0e-6c58-4a0f-93aa-2d9b9f0f2d10.vm-4711"
EXAMPLE = ROOT / "config.example.toml"
JOBS = sorted((ROOT / "jobs" / "examples").glob("*.toml"))
SECTIONS: dict[str, type[BaseModel]] = {
    "enterprise_manager": EnterpriseManagerSettings,
    "backup_servers": BackupServerSettings,
    "shares": ShareSettings,
    "guest_credentials": GuestCredentialsSettings,
    "limits": LimitSettings,
    "backup_windows": BackupWindowSettings,
    "targets": TargetSettings,
    "copy": CopySettings,
    "state": StateSettings,
    "metrics": MetricsSettings,
    "tracing": TracingSettings,
    "web": WebSettings,
    "watch": WatchSettings,
    "drill": DrillSettings,
    "notifications": NotificationSettings,
    "ping": PingSettings,
    "audit": AuditSettings,
    "log": LogSettings,
    "syslog": SyslogSettings,
    "fleet": FleetSettings,
}
INNER: dict[str, type[BaseModel]] = {"backup_servers.mount_hosts": MountHostSettings}
"""Tables within tables."""

EITHER = {("backup_servers", "shares"), ("backup_servers", "mount_hosts")}
"""Without a default that is enough: one of the two says something, and the example shows both."""

VALUES: dict[str, Any] = tomllib.loads(EXAMPLE.read_text("utf-8"))


def _text_of(section: str) -> str:
    found = re.search(rf"^\[+{section}\]+$(.*?)(?=^\[|\Z)", EXAMPLE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, section
    return found[1]


def _values_of(section: str) -> dict[str, Any]:
    values: Any = VALUES
    for name in section.split("."):
        values = values[name]
        values = values[0] if isinstance(values, list) else values
    found: dict[str, Any] = values
    return found


def test_the_example_config_loads() -> None:
    assert load_config(EXAMPLE).backup_server("vbr01") is not None


def test_the_example_config_has_every_section_of_the_config() -> None:
    assert set(SECTIONS) == keys_of(Config) == set(VALUES)


@pytest.mark.parametrize("section", SECTIONS | INNER)
def test_a_section_of_the_example_config_has_every_key_set_or_commented_out(section: str) -> None:
    text = _text_of(section)
    shown = set(re.findall(r"^(?:# )?([a-z0-9_]+) = ", text, re.MULTILINE))
    shown |= {one.partition(".")[2] for one in INNER if one.startswith(f"{section}.")}
    assert shown == keys_of((SECTIONS | INNER)[section])


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_config_shows_the_defaults(section: str) -> None:
    values = _values_of(section)
    for name, field in SECTIONS[section].model_fields.items():
        if field.is_required() or (default := field.get_default(call_default_factory=True)) is None:
            continue
        key = field.alias or name
        if (section, key) in EITHER:
            continue
        shown = type(default)(values[key]) if isinstance(default, Path | Enum) else values[key]
        assert shown == default, f"[{section}] {key}"


def test_every_key_of_the_example_config_is_explained_by_a_comment_above_it() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    for above, line in pairwise(lines):
        if re.match(r"[a-z0-9_]+ = ", line):
            assert above.startswith("#"), line


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.stem)
def test_an_example_job_loads(file: Path) -> None:
    assert read_job(file.read_bytes(), file.name).restore


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.stem)
def test_an_example_job_begins_with_a_comment(file: Path) -> None:
    assert file.read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.stem)
def test_an_example_job_can_be_planned_below_the_destinations_of_the_example_config(file: Path) -> None:
    job = with_lists(NamedJob(read_job(file.read_bytes(), file.name), file.name, b"", file.parent))
    machines = {name.replace("*", "01").replace("?", "1") for entry in job.restore for name in entry.names} or {"fs01"}
    points = [_point(question, vm) for question in questions(job) for vm in machines]
    allow = load_config(EXAMPLE).targets.allow
    planned = plan(job, Inventory(points), run="run", allow=allow, guests=["fs*"], now=NOW)
    assert planned.groups
    assert not planned.problems


def _point(question: Question, vm: str) -> RestorePoint:
    """A restore point that answers `question`, for one machine."""
    created = question.until or NOW - timedelta(hours=1)
    uid = question.uid or f"{question.kind.name} {vm} {created:%Y%m%d}"
    found = RestorePoint(uid, vm, created, "vbr01", "/api/mounts", "/api/mounts?action=create", question.kind)
    return replace(found, backup_job=question.backup_job or "", hierarchy=HIERARCHY)


def test_the_example_jobs_together_use_every_key_and_every_conflict_policy() -> None:
    text = "\n".join(file.read_text("utf-8") for file in JOBS)
    for key in keys_of(Restore):
        assert re.search(rf"^{key} = ", text, re.MULTILINE), key
    for policy in Conflict:
        assert f'on_conflict = "{policy.value}"' in text, policy
