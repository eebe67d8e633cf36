"""The laws hold in the real tree, and each checker sees a violation that is planted in a copy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import checkers
from tests.architecture.checkers import Found, broken_contracts, copy_of, function_p90, plant

ROOT = Path(__file__).parents[2]
LAWS = [
    checkers.awaits_where_none_may,
    checkers.impurities,
    checkers.spawning_outside_the_engine,
    checkers.cookie_jars,
    checkers.too_long,
    checkers.empty_names,
    checkers.rooms_without_law,
]
Law = Callable[[Path], Found]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_tree_keeps_the_law(law: Law) -> None:
    found = law(ROOT)
    assert not found, "\n" + "\n".join(found)


def test_nine_of_ten_functions_are_short() -> None:
    assert function_p90(ROOT) <= checkers.FUNCTION_P90


def test_the_tree_keeps_the_import_contracts() -> None:
    assert broken_contracts(ROOT) == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(ROOT, tmp_path_factory.mktemp("planted"))


LONG = "def long():\n" + "    x = 1\n" * 60
WITHOUT_JAR = "session = aiohttp.ClientSession()"
WITH_JAR = "session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())"


@pytest.mark.parametrize(
    ("law", "module", "code"),
    [
        (checkers.awaits_where_none_may, "files/planted.py", "async def copy() -> None: ..."),
        (checkers.awaits_where_none_may, "core/planted.py", "async def decide() -> None:\n    await x"),
        (checkers.awaits_where_none_may, "journal/planted.py", "async def f():\n    async with x: ..."),
        (checkers.impurities, "core/planted.py", "data = open('x').read()"),
        (checkers.impurities, "views/planted.py", "data = where.read_text()"),
        (checkers.impurities, "views/planted.py", "from pathlib import Path"),
        (checkers.impurities, "core/planted.py", "import random"),
        (checkers.impurities, "core/planted.py", "from time import monotonic"),
        (checkers.impurities, "core/planted.py", "from datetime import datetime\nat = datetime.now()"),
        (checkers.spawning_outside_the_engine, "files/planted.py", "from anyio import to_thread"),
        (checkers.spawning_outside_the_engine, "enterprise_manager/planted.py", "task = asyncio.create_task(x)"),
        (checkers.spawning_outside_the_engine, "notify/planted.py", "from anyio import create_task_group"),
        (checkers.spawning_outside_the_engine, "web/planted.py", "from anyio import to_thread"),
        (checkers.spawning_outside_the_engine, "app.py", "import anyio\ngroup = anyio.create_task_group()"),
        (checkers.cookie_jars, "enterprise_manager/planted.py", "from aiohttp import CookieJar"),
        (checkers.cookie_jars, "enterprise_manager/planted.py", "jar = aiohttp.CookieJar()"),
        (checkers.cookie_jars, "enterprise_manager/planted.py", WITHOUT_JAR),
        (checkers.too_long, "engine/planted.py", LONG),
        (checkers.too_long, "engine/planted.py", "x = 1\n" * 401),
        (checkers.empty_names, "engine/run_utils.py", ""),
        (checkers.empty_names, "files/helpers.py", ""),
        (checkers.rooms_without_law, "engine/../planted/__init__.py", '"""A room."""'),
    ],
)
def test_a_planted_violation_is_found(law: Law, module: str, code: str, tmp_path: Path) -> None:
    for room in ("core", "views", "files", "journal", "engine", "enterprise_manager", "notify", "web", "planted"):
        (tmp_path / "orchestrator" / room).mkdir(parents=True)
    assert not law(tmp_path)
    plant(tmp_path, module, code)
    assert law(tmp_path)


@pytest.mark.parametrize(
    ("law", "module", "code"),
    [
        (checkers.impurities, "core/planted.py", "from pathlib import PurePosixPath\nfrom datetime import datetime"),
        (checkers.spawning_outside_the_engine, "engine/planted.py", "from anyio import create_task_group, to_thread"),
        (checkers.cookie_jars, "enterprise_manager/planted.py", WITH_JAR),
        (checkers.too_long, "engine/planted.py", "def short():\n" + "    x = 1\n" * 59),
        (checkers.empty_names, "engine/database.py", ""),
    ],
)
def test_what_the_law_allows_is_not_found(law: Law, module: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "orchestrator" / module).parent.mkdir(parents=True)
    plant(tmp_path, module, code)
    assert law(tmp_path) == []


@pytest.mark.parametrize(
    ("module", "code", "contract"),
    [
        ("engine/planted.py", "import orchestrator.enterprise_manager", "Roof over rooms over ground"),
        ("files/planted.py", "import orchestrator.app", "Roof over rooms over ground"),
        ("files/planted.py", "import sqlite3", "sqlite3 stays with the journal"),
        ("core/planted.py", "import os", "The ground floor is pure"),
        ("journal/planted.py", "import lxml", "lxml and tenacity stay with the EM client"),
        ("engine/planted.py", "import aiohttp", "The engine drives no library of another room"),
        ("cli/planted.py", "import prometheus_client", "prometheus_client stays with the metrics"),
        ("cli/planted.py", "from opentelemetry import trace", "OpenTelemetry stays with the traces"),
        ("cli/planted.py", "import apprise", "apprise stays with notifications"),
        ("notify/planted.py", "import orchestrator.engine", "Roof over rooms over ground"),
        (
            "audit/planted.py",
            "import threading",
            "The audit trail and syslog block, and do without the libraries of others",
        ),
        ("syslog/planted.py", "import orchestrator.audit", "Roof over rooms over ground"),
        ("web/planted.py", "import orchestrator.engine", "Roof over rooms over ground"),
        ("web/planted.py", "import orchestrator.journal", "Roof over rooms over ground"),
        ("web/planted.py", "import sqlite3", "sqlite3 stays with the journal"),
        (
            "engine/planted.py",
            "import smbprotocol",
            "smbprotocol stays with the part of the files that speaks to shares",
        ),
        ("simulator/planted.py", "import orchestrator.core", "The simulator shares nothing with what it tests"),
    ],
)
def test_a_planted_import_breaks_its_contract(tree: Path, module: str, code: str, contract: str) -> None:
    planted = tree / "orchestrator" / module
    assert not planted.exists()
    plant(tree, module, code)
    try:
        assert contract in broken_contracts(tree)
    finally:
        planted.unlink()
