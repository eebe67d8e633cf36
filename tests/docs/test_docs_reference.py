"""The reference says what the code does: keys, reasons, exit codes, events, commands, options."""

import re
import subprocess
import sys
from dataclasses import fields
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import get_args

import pytest
from pydantic import BaseModel

from orchestrator.audit import Trail, this_process, trail_files
from orchestrator.cli.schemas import SchemaOf
from orchestrator.config import (
    CopySettings,
    DrillSettings,
    EnterpriseManagerSettings,
    MetricsSettings,
    StateSettings,
    TargetSettings,
    TracingSettings,
    WatchSettings,
)
from orchestrator.config_fleet import FleetSettings
from orchestrator.config_limits import BackupWindowSettings, LimitSettings
from orchestrator.config_mount_hosts import BackupServerSettings, MountHostSettings
from orchestrator.config_notifications import NotificationSettings, PingSettings
from orchestrator.config_shares import GuestCredentialsSettings, ShareSettings
from orchestrator.config_web import WebSettings
from orchestrator.core import events
from orchestrator.core.audit import AUDITED, AuditEntry, What
from orchestrator.core.chain import KEYS
from orchestrator.core.entries import Verdict
from orchestrator.core.entry import Conflict, Defaults, Restore
from orchestrator.core.errors import ExitCode, worst
from orchestrator.core.ledger import GroupState, RunState, Totals
from orchestrator.core.reasons import Reason
from orchestrator.core.report import Change, GroupReport, LeftMount, OriginalReport, Problem, Report
from orchestrator.core.snapshot import (
    Ended,
    Example,
    GroupNow,
    LeftBehind,
    OpenMount,
    Outlook,
    ProblemsNow,
    RunNow,
    Snapshot,
    Upcoming,
    Waiting,
)
from orchestrator.records import AuditSettings, LogSettings, SyslogSettings
from orchestrator.web.acting import action_of
from orchestrator.web.routes import ANSWERS
from tests.docs.reading import COMMANDS, REFERENCE, ROOT, codes, global_options, keys_of, options_of, section, table
from tests.views.samples import START

MODELS: dict[str, type[BaseModel]] = {
    "[enterprise_manager]": EnterpriseManagerSettings,
    "[[backup_servers]]": BackupServerSettings,
    "[[backup_servers.mount_hosts]]": MountHostSettings,
    "[[shares]]": ShareSettings,
    "[[guest_credentials]]": GuestCredentialsSettings,
    "[limits]": LimitSettings,
    "[backup_windows]": BackupWindowSettings,
    "[targets]": TargetSettings,
    "[copy]": CopySettings,
    "[state]": StateSettings,
    "[web]": WebSettings,
    "[watch]": WatchSettings,
    "[drill]": DrillSettings,
    "[metrics]": MetricsSettings,
    "[tracing]": TracingSettings,
    "[[notifications]]": NotificationSettings,
    "[ping]": PingSettings,
    "[audit]": AuditSettings,
    "[log]": LogSettings,
    "[syslog]": SyslogSettings,
    "[fleet]": FleetSettings,
    "[defaults]": Defaults,
    "[[restore]]": Restore,
}


@pytest.mark.parametrize("heading", MODELS)
def test_a_table_of_keys_has_exactly_the_keys_of_its_model(heading: str) -> None:
    assert {codes(row[0])[0] for row in table(section(REFERENCE, heading))} == keys_of(MODELS[heading])


@pytest.mark.parametrize("heading", MODELS)
def test_a_table_of_keys_shows_the_defaults_of_its_model(heading: str) -> None:
    rows = {codes(row[0])[0]: row[2] for row in table(section(REFERENCE, heading))}
    for name, field in MODELS[heading].model_fields.items():
        shown = rows[field.alias or name].strip("`")
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if field.is_required():
            assert shown == "required", name
        elif isinstance(default, bool):
            assert shown == str(default).lower(), name
        elif isinstance(default, int | float):
            assert float(shown) == default, name
        elif isinstance(default, list) and default:
            assert codes(rows[name]) == default, name
        elif isinstance(default, Enum):
            assert shown == default.value, name
        elif default:
            assert shown == str(default), name


def test_the_table_of_reasons_equals_the_code() -> None:
    expected = [(f"`{one.slug}`", one.cause, one.owner, one.action) for one in Reason]
    assert table(section(REFERENCE, "Reasons")) == expected


@pytest.mark.parametrize("page", ["docs/reference.md", "README.md", "docs/runbook.md", "docs/card.md"])
def test_a_table_of_exit_codes_has_every_exit_code_in_order(page: str) -> None:
    rows = table(section(ROOT / page, "Exit codes"))
    assert [int(row[0]) for row in rows] == [int(code) for code in ExitCode]


def test_the_reference_names_the_exit_codes_as_the_code_does() -> None:
    rows = table(section(REFERENCE, "Exit codes"))
    assert {int(row[0]): row[1] for row in rows} == {int(code): code.name for code in ExitCode}


def test_the_reference_says_which_exit_code_wins() -> None:
    told = re.search(r"(\d) beats (\d), then ([\d, ]+)", section(REFERENCE, "Exit codes"))
    assert told
    order = [ExitCode(int(code)) for code in re.findall(r"\d", told[0])]
    assert sorted(order) == list(ExitCode)
    for place, code in enumerate(order):
        assert worst(*order[place:]) is code


def test_the_tables_of_verdicts_and_policies_are_complete() -> None:
    assert {codes(row[0])[0] for row in table(section(REFERENCE, "Conflict policies"))} == {
        one.value for one in Conflict
    }
    told = set(codes(section(REFERENCE, "Report")))
    for value in [*Verdict, *RunState, *GroupState]:
        assert value.value in told, value


@pytest.mark.parametrize("kind", [Report, Change, GroupReport, OriginalReport, Problem, LeftMount])
def test_every_field_of_a_report_is_in_the_reference(kind: type) -> None:
    told = set(codes(section(REFERENCE, "Report")))
    assert {field.name for field in fields(kind)} <= told


@pytest.mark.parametrize(
    "kind",
    [Snapshot, RunNow, GroupNow, ProblemsNow, Example, OpenMount, LeftBehind, Outlook, Waiting, Upcoming, Ended],
)
def test_every_key_of_the_status_page_is_in_the_reference(kind: type) -> None:
    told = set(codes(section(REFERENCE, "status.json")))
    assert {field.name for field in fields(kind)} <= told


def test_every_path_of_the_status_page_is_in_the_reference() -> None:
    read, acted = (
        {codes(row[0])[0] for row in table(section(REFERENCE, heading))} for heading in ("Status page", "Acting")
    )
    assert set(ANSWERS) == read - acted - {row for row in read if not row.startswith("/")}
    assert {(action_of(path) or ("",))[0] for path in acted} == {"pause", "resume", "drain", "cancel", "sweep"}


def test_the_table_of_events_has_every_event_with_its_keys() -> None:
    kinds = get_args(events.Event)
    assert isinstance(events.Event, UnionType)
    expected = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): [one.name for one in fields(kind) if one.name != "at"]
        for kind in kinds
    }
    rows = table(section(REFERENCE, "Events and logs"))
    told = {codes(row[0])[0]: codes(row[1])[: len(expected.get(codes(row[0])[0], ()))] for row in rows}
    assert told == expected


def test_the_tables_of_the_audit_trail_have_every_key_and_every_word_with_its_facts() -> None:
    rows = table(section(REFERENCE, "Lines"))
    words = {one.value for one in What}
    assert {code for row in rows for code in codes(row[0])} == KEYS | words
    told = {codes(row[0])[0]: codes(row[1]) for row in rows}
    for event, (what, names) in AUDITED.items():
        totals = {one.name for one in fields(Totals)} if "totals" in names else set()
        assert {*names} - {"totals"} | totals <= set(told[what.value]), event


def test_the_program_in_the_reference_proves_a_trail_and_finds_what_is_wrong_with_it(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", section(REFERENCE, "Canonical form"), re.DOTALL)
    for key in (None, b"0123456789abcdef"):
        folder = tmp_path / str(key)
        program = tmp_path / "prove.py"
        program.write_text(code.replace("= None,", f"= {key!r},", 1))
        anchor = ""
        for number in range(12):  # a file for each, more than nine
            trail = Trail(folder, this_process(), key, 1)
            anchor = trail.append([AuditEntry(START, What.STOPPING, {"how": "é\u2028\x00", "number": number})]).hash
        files = trail_files(folder)
        assert prove(program, files) == f"24 entries hold; anchor {anchor}\n"
        with files[-1].open("ab") as file:
            file.write(b'{"account":')
        Trail(folder, this_process(), key, 1 << 20).append([AuditEntry(START, What.STOPPING, {})])
        files = trail_files(folder)
        assert prove(program, files).startswith("26 entries hold")
        for file in (files[0], files[-1]):
            content = file.read_bytes()
            file.write_bytes(content.replace(b'"stopping"', b'"st0pping"'))
            assert "AssertionError" in prove(program, files)
            file.write_bytes(content)
        assert "AssertionError" in prove(program, files[:3] + files[4:])
        with files[-1].open("ab") as file:
            file.write(b"{")
        assert prove(program, files[::-1]) == "the end is cut off\n"


def prove(program: Path, files: list[Path]) -> str:
    done = subprocess.run([sys.executable, str(program), *map(str, files)], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_every_command_has_a_section_in_the_order_of_the_help() -> None:
    headings = re.findall(r"^### ([\w-]+)$", section(REFERENCE, "Commands"), re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_section_of_a_command_has_exactly_its_options(command: str) -> None:
    rows = table(section(REFERENCE, command))
    told = {word for row in rows for code in codes(row[0]) for word in code.split() if word.startswith("-")}
    assert told == options_of(command) - {"--help", "-h"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_section_of_a_command_has_an_example(command: str) -> None:
    assert re.search(rf"^orchestrator .*\b{command}\b", section(REFERENCE, command), re.MULTILINE)


def test_the_global_options_are_in_the_reference() -> None:
    before = section(REFERENCE, "Commands").split("### ", 1)[0]
    told = {word for row in table(before) for code in codes(row[0]) for word in code.split() if word.startswith("-")}
    assert told == global_options()


def test_the_schemas_that_can_be_printed_are_in_the_reference() -> None:
    for one in SchemaOf:
        assert f"orchestrator schema {one.value}" in section(REFERENCE, "schema")
