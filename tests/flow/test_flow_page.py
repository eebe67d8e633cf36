"""The status page of a watcher that is a process of its own, by TCP and by the local socket."""

import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.core.errors import ExitCode
from tests.flow.test_flow_watch import WATCH, job_text, stopped, watching
from tests.support.flow import Command, flow, seeded, small

pytestmark = pytest.mark.flow


async def address(watcher: Command) -> str:
    """Where the page is, as the watcher tells it."""
    await watcher.until(lambda: notices(watcher, "status page at http"))
    return notices(watcher, "status page at http")[0].rpartition(" ")[2]


def notices(watcher: Command, beginning: str) -> list[str]:
    told = [one["message"] for one in watcher.events() if one["event"] == "notice"]
    return [message for message in told if message.startswith(beginning)]


async def status(client: aiohttp.ClientSession) -> Any:
    async with client.get("/api/status.json") as answer:
        return await answer.json()


async def asked(client: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with client.post(path) as answer:
        return answer.status, await answer.json()


def page_client(base: str, path: Path | None = None) -> aiohttp.ClientSession:
    connector = aiohttp.UnixConnector(str(path)) if path else aiohttp.TCPConnector()
    return aiohttp.ClientSession(base, connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def test_the_page_shows_the_jobs_of_the_watcher_from_their_drop_to_their_history(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH, web={"listen": "127.0.0.1:0"})
        watcher = await watching(em)
        async with page_client(await address(watcher)) as client:
            async with client.get("/readyz") as answer:
                assert answer.status == 200
            assert (await status(client))["history"] == []
            em.drop(job_text(em, "fs01", "night"), "night.toml")
            await watcher.event("job_ended", job="night")
            seen = await status(client)
            assert [(one["job"], one["exit_code"], one["totals"]["failed"]) for one in seen["history"]] == [
                ("night", 0, 0)
            ]
            assert seen["history"][0]["line"].startswith("exit 0: everything is restored")
            assert [one["event"] for one in seen["recent"]][:2] == ["run_ended", "run_started"]
            assert (seen["runs"], seen["mounts_left"], seen["mounts"]) == ([], [], [])
            async with client.post("/api/pause") as answer:
                assert answer.status == 403
            async with client.get("/metrics") as answer:
                assert 'orchestrator_last_run_exit_code{job_name="night"} 0.0' in await answer.text()
            em.drop(job_text(em, "fs01", "weekly", schedule="0 4 * * 7"), "weekly.toml")
            outlook = (await status(client))["outlook"]
            while not outlook["upcoming"]:
                outlook = (await status(client))["outlook"]
            assert ([one["job"] for one in outlook["upcoming"]], outlook["queue"]) == (["weekly"], [])
        await stopped(watcher)
        em.assert_nothing_left()


async def test_after_a_restart_the_page_knows_what_was_before(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH, web={"listen": "127.0.0.1:0"})
        assert (await em.run("run", em.job())).code == 0
        watcher = await watching(em)
        async with page_client(await address(watcher)) as client:
            assert [(one["job"], one["exit_code"]) for one in (await status(client))["history"]] == [("job", 0)]
        await stopped(watcher)


async def test_by_the_local_socket_the_account_of_the_watcher_pauses_and_stops_and_it_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=6, files=300, backup_servers=1), task_seconds=0.3) as em:
        em.configure(watch=WATCH, web={"socket": "web.sock"}, limits={"mounts": 1})
        watcher = await watching(em)
        async with page_client("http://localhost", tmp_path / "web.sock") as client:
            assert (await asked(client, "/api/pause"))[0] == 200
            em.drop((tmp_path / em.job(name="slow")).read_text(), "slow.toml")
            await watcher.event("job_held", job="slow", cause="the queue is paused")
            outlook = (await status(client))["outlook"]
            assert (outlook["paused"], [one["job"] for one in outlook["queue"]]) == (True, ["slow"])
            assert (await asked(client, "/api/resume"))[0] == 200
            run = (await watcher.event("run_started"))["run"]
            await watcher.event("mount_opened")
            assert [one["run"] for one in (await status(client))["mounts"]] in ([run], [])
            assert (await asked(client, "/api/runs/another/drain"))[0] == 404
            assert (await asked(client, f"/api/runs/{run}/drain"))[0] == 200
            await watcher.event("run_ended", run=run, exit_code=int(ExitCode.STOPPED))
            assert "no job runs" in (await asked(client, "/api/sweep"))[1]["message"]
        await stopped(watcher)
        acted = [(one["what"], one["run"]) for one in watcher.events() if one["event"] == "operator_acted"]
        assert acted == [("pause", ""), ("resume", ""), ("drain", run), ("sweep", "")]
        assert not (tmp_path / "web.sock").exists()
        em.assert_nothing_left()


async def test_a_page_that_cannot_be_ends_the_start_with_plain_words(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            em.configure(watch=WATCH, web={"listen": listen})
            done = await em.run("watch")
        assert done.code == ExitCode.WORDS
        assert f"error: web.listen: {listen.replace(':', ' port ')} is in use by another program; " in done.err
        em.assert_untouched()


async def test_open_pages_do_not_hold_up_the_end_of_the_watcher(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH, web={"listen": "127.0.0.1:0"})
        watcher = await watching(em)
        async with page_client(await address(watcher)) as client, client.get("/events") as stream:
            assert await stream.content.readline()
            watcher.signal(signal.SIGTERM)
            assert (await watcher.done()).code == 0
            assert b"event: status" in await stream.content.read()
