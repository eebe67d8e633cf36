"""Files that come through Enterprise Manager itself, where there is no share or it fails: all of them, proved, or told
by name."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import CutFile, Drop, EndSession, Estate, FailTask, Fault, ShortFile, Status
from tests.support.flow import Tree, copies, entry_of, flow, seeded, small

pytestmark = pytest.mark.flow

DOWNLOAD: dict[str, Any] = {"name": "vbr01", "shares": [], "road": "download"}
QUICKLY: dict[str, Any] = {"requests_per_second": 1000}
"""A download takes four requests."""


def seconds(found: Tree) -> Tree:
    """The same files with whole seconds, which is all that Enterprise Manager tells."""
    return {path: file and (file[0], file[1] // 10**9) for path, file in found.items()}


def of_files(found: Tree) -> Tree:
    return {path: file for path, file in seconds(found).items() if file}


async def test_a_server_without_a_share_is_restored_by_download(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())
        assert "keeps it there for 24 hours" in done.err
        assert em.count("browse_action") == len([one for one in em.restored().values() if one])
        again = await em.run("run", em.job())
        assert again.code == 0, again.everything
        assert em.count("browse_action") == len([one for one in em.restored().values() if one])
        em.assert_nothing_left()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"browse_form": "entry", "bom": True, "attribute_order": "new", "owner": False},
        {"download_verb": "POST", "linux_root_href": "single", "task_wrapped": True},
    ],
    ids=["as documented", "other spellings", "POST"],
)
async def test_odd_names_deep_paths_and_long_listings_come_whole_by_download(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with flow(tmp_path, seeded(machines=2, files=260, backup_servers=1), **settings) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert of_files(em.restored()) == of_files(em.expected())
        assert set(em.restored()) == set(em.expected())
        em.assert_nothing_left()


@pytest.mark.parametrize("gone", ["before", "after the mount"])
async def test_a_share_that_cannot_be_reached_is_replaced_by_downloads_where_the_config_allows_it(
    tmp_path: Path, gone: str
) -> None:
    async with flow(tmp_path, small) as em:
        share = str(tmp_path / "not mounted") if gone == "before" else str(em.estate.shares["vbr01"])
        server = {"name": "vbr01", "shares": [share], "road": "share-then-download"}
        em.configure(enterprise_manager=QUICKLY, backup_servers=[server], limits={"folder_timeout": 0.3})
        if gone == "after the mount":  # the folder never appears on the share
            object.__setattr__(em.simulator.settings, "folder_delay", 1000.0)
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())
        assert "are downloaded through Enterprise Manager instead" in " ".join(done.err.split())
        em.assert_nothing_left()


async def test_a_share_that_works_is_read_and_nothing_downloaded(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        shares = [str(em.estate.shares["vbr01"])]
        em.configure(
            enterprise_manager=QUICKLY,
            backup_servers=[{"name": "vbr01", "shares": shares, "road": "share-then-download"}],
        )
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert em.count("browse_action") == 0


async def test_an_entry_chooses_its_road_itself(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        machine = em.machine("fs01")
        entries = [
            entry_of(machine, road="download", paths=["C:\\"], to=str(em.target / "a")),
            entry_of(machine, paths=["C:\\"], to=str(em.target / "b")),
        ]
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        assert {name for name in em.restored() if name.startswith("a/")} == set(
            copies(em.estate, machine, "C:", to="a")
        ) - {"a"}
        assert em.simulator.mounts_made == 2
        assert em.count("browse_action") == len([one for name, one in em.restored().items() if one and name[0] == "a"])
        em.assert_nothing_left()


BROKEN: dict[str, tuple[Any, str]] = {
    "cut": (CutFile(5), "broke the connection"),
    "short": (ShortFile(5), "announced 5 bytes of a file listed with 12"),
    "empty": (ShortFile(0), "gave no bytes of a file of 12"),
    "a page instead": (Status(200, b"<html><body>Sign in</body></html>"), "it is no file"),
    "404": (Status(404), "does not have it"),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_download_that_is_not_whole_is_told_when_it_stays_so(tmp_path: Path, how: str) -> None:
    fault, said = BROKEN[how]
    async with flow(tmp_path, small, Fault("browse", 1, fault, times=2, match="plan.txt?action=download")) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("--json", "run", em.job({"vm": "fs01", "paths": ["C:\\Shares"]}))
        assert done.code == 3, done.everything
        [problem] = done.json["problems"]
        assert problem["guest_path"] == "C:\\Shares\\plan.txt"
        assert said in problem["message"]
        wanted = copies(em.estate, em.machine("fs01"), "C:/Shares")
        assert set(em.restored()) == {name for name in wanted if not name.endswith("plan.txt")}
        em.assert_nothing_left()


async def test_a_download_that_is_not_whole_once_is_tried_again(tmp_path: Path) -> None:
    faults = [
        Fault("browse", number, fault, match="action=download") for number, (fault, _) in enumerate(BROKEN.values(), 1)
    ]
    async with flow(tmp_path, small, *faults) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())
        em.assert_nothing_left()


async def test_a_file_that_em_cannot_make_ready_is_told_with_what_em_says(tmp_path: Path) -> None:
    fault = Fault("browse_action", 1, FailTask("The disk is full."), times=2, match="top.txt")
    async with flow(tmp_path, small, fault) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("--json", "run", em.job())
        assert done.code == 3, done.everything
        [problem] = done.json["problems"]
        assert "could not make it ready for a download: The disk is full" in problem["message"]
        em.assert_nothing_left()


async def test_an_account_that_may_not_download_is_told_so_for_every_file(tmp_path: Path) -> None:
    async with flow(tmp_path, small, in_place_only=True) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("--json", "run", em.job({"vm": "fs01", "paths": ["D:\\"]}))
        assert done.code == 3, done.everything
        [problem] = done.json["problems"]
        assert problem["reason"] == "access-denied"
        assert "restore restrictions may forbid downloads" in problem["message"]
        em.assert_nothing_left()


async def test_a_lost_answer_between_downloads_costs_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", 2, Drop(after=True))) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())
        em.assert_nothing_left()


async def test_a_lost_session_between_downloads_costs_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", 4, EndSession())) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())
        em.assert_nothing_left()


def wide(folder: Path, count: int = 250) -> Estate:
    """A folder of several pages."""
    estate = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"Wide/{number:04d}.txt": str(number).encode() for number in range(count)}
    estate.add_machine("fs01", points=[{"C:": files}])
    return estate


async def test_a_folder_that_changes_while_it_is_paged_is_listed_again(tmp_path: Path) -> None:
    async with flow(tmp_path, wide, listing_shifts=1) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert seconds(em.restored()) == seconds(em.expected())


async def test_a_folder_that_does_not_come_to_rest_is_told_and_what_was_found_is_restored(tmp_path: Path) -> None:
    async with flow(tmp_path, wide, listing_shifts=1000) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("--json", "run", em.job())
        assert done.code == 3, done.everything
        [problem] = done.json["problems"]
        assert problem["guest_path"] == "C:\\Wide"
        assert "does not come to rest" in problem["message"]
        assert len(em.restored()) > 240


async def test_after_a_kill_between_downloads_the_mount_is_swept_and_the_rest_downloaded(tmp_path: Path) -> None:
    async with flow(tmp_path, partial(wide, count=110), restore_seconds=0.05) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        running = await em.start("run", em.job())
        await running.until(lambda: em.count("browse_action") > 30)
        running.signal(signal.SIGKILL)
        await running.process.wait()
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        assert seconds(em.restored()) == seconds(em.expected())
        em.assert_nothing_left()


async def test_more_than_content_and_times_cannot_be_had_by_download(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(enterprise_manager=QUICKLY, backup_servers=[DOWNLOAD])
        done = await em.run("run", em.job(metadata="full"))
        assert done.code == 4, done.everything
        assert 'set metadata = "basic"' in " ".join(done.out.split())
        assert em.simulator.mounts_made == 0
        refused = await em.run("validate", em.job(entry_of(em.machine("fs01"), road="download"), metadata="full"))
        assert refused.code == 2, refused.everything
        assert "a download gives content and times only" in refused.err


async def test_a_server_with_neither_share_nor_download_is_refused_by_the_config(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(
            enterprise_manager=QUICKLY, backup_servers=[{"name": "vbr01", "shares": [], "road": "share-then-download"}]
        )
        done = await em.run("run", em.job())
        assert done.code == 2, done.everything
        assert 'or road = "download"' in done.err
        em.assert_untouched()
