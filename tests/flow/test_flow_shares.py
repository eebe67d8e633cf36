"""Mount shares that are named by UNC path and served by a real Samba."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.flow import Flow, files_of, flow, seeded, small
from tests.support.samba import PASSWORD, Samba, samba, wire

pytestmark = pytest.mark.flow
ENV = {"SHARE_PASSWORD": PASSWORD}


@asynccontextmanager
async def served(folder: Path, *build: Any, **options: str) -> AsyncIterator[tuple[Flow, Samba]]:
    """A flow whose shares are a Samba's; the config names them by UNC path."""
    async with flow(folder, *build) as em:
        with samba(dict(em.estate.shares), **options) as server:
            configure(em, server)
            yield em, server


def configure(em: Flow, server: Samba, **account: Any) -> None:
    table = {
        "path": "\\\\127.0.0.1", "username": server.user, "password_env": "SHARE_PASSWORD", "port": server.port,
    }  # fmt: skip
    em.configure(
        backup_servers=[{"name": name, "shares": [server.unc(name)]} for name in em.estate.shares],
        shares=[{**table, **account}],
    )


def in_hundreds_of_ns(found: dict[str, Any]) -> dict[str, Any]:
    """Files with their times as a share keeps them."""
    return {name: (digest, mtime_ns // 100) for name, (digest, mtime_ns) in files_of(found).items()}


async def test_what_comes_by_unc_path_is_what_is_in_the_backup(tmp_path: Path) -> None:
    async with served(tmp_path, seeded(machines=4, files=200), mangled_names="no") as (em, _):
        done = await em.run("run", em.job(), env=ENV)
        assert done.code == 0, done.everything
        assert in_hundreds_of_ns(em.restored()) == in_hundreds_of_ns(em.expected())
        em.assert_nothing_left()
        again = await em.run("run", em.job(), env=ENV)
        assert again.code == 0
        assert em.report()["totals"]["restored"] == 0
        assert PASSWORD not in done.everything + again.everything


@pytest.mark.parametrize("encrypt", ["if-asked", "always"])
async def test_a_server_that_asks_for_encryption_gets_it(tmp_path: Path, encrypt: str) -> None:
    async with served(tmp_path, small, server_smb_encrypt="required") as (em, server):
        configure(em, server, encrypt=encrypt)
        assert (await em.run("run", em.job(), env=ENV)).code == 0
        assert in_hundreds_of_ns(em.restored()) == in_hundreds_of_ns(em.expected())


async def test_a_wrong_password_is_said_with_its_account_and_its_reference(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        done = await em.run("run", em.job(), env={"SHARE_PASSWORD": "wrong"})
        assert done.code == 4
        assert f"refuses the logon of {server.user} (password from $SHARE_PASSWORD)" in done.err
        em.assert_untouched()


async def test_a_server_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        with wire(server.port) as dead:
            dead.close()
            configure(em, server, port=dead.port)
        done = await em.run("run", em.job(), env=ENV)
        assert done.code == 4
        assert f"127.0.0.1 cannot be reached on port {dead.port}" in done.err
        em.assert_untouched()


async def test_a_unc_path_without_an_account_names_the_table_to_add(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(backup_servers=[{"name": "*", "shares": ["\\\\vbr01\\VeeamFLR"]}])
        done = await em.run("run", em.job())
        assert done.code == 2
        assert "add a table [[shares]] with path = '\\\\vbr01\\VeeamFLR'" in done.err


async def test_a_connection_that_is_cut_again_and_again_loses_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, seeded(machines=2, files=300), mangled_names="no") as (em, server):
        with wire(server.port) as line:
            configure(em, server, port=line.port)
            line.cut_after, line.cuts = 400_000, 3
            done = await em.run("run", em.job(), env=ENV)
            assert line.cuts == 0
            assert done.code == 0, done.everything
        assert in_hundreds_of_ns(em.restored()) == in_hundreds_of_ns(em.expected())
        em.assert_nothing_left()
