"""Exit codes 2, 3 and 4: each by a real cause, with a message that says what, where, and what to do."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate, FailTask, Fault, Garbage
from tests.support.flow import PASSWORD, Flow, copies, entry_of, flow, small, tree

pytestmark = pytest.mark.flow


def two_servers(folder: Path) -> Estate:
    """A machine name that stands for two machines."""
    estate = Estate.empty(folder, ["vbr01", "vbr02"])
    for server in ("vbr01", "vbr02"):
        estate.add_machine("twin", backup_server=server, points=[{"C:": {"a.txt": server.encode()}}])
    return estate


def unknown_key(em: Flow) -> None:
    em.job({"vm": "fs01", "paths": ["C:\\"], "exlude": ["*.tmp"]})


def unknown_machine(em: Flow) -> None:
    em.job({"vm": "fs99", "paths": ["C:\\"]})


def ambiguous_machine(em: Flow) -> None:
    em.job({"vm": "twin", "paths": ["C:\\"]})


def destination_outside(em: Flow) -> None:
    em.job(entry_of(em.machine("fs01")), to="/elsewhere/{vm}")


def destination_is_a_file(em: Flow) -> None:
    (em.target / "fs01").write_text("in the way")
    em.job(entry_of(em.machine("fs01")))


def no_point_so_early(em: Flow) -> None:
    em.job(entry_of(em.machine("fs01"), as_of=datetime(2001, 2, 3, tzinfo=UTC)))


def empty_job(em: Flow) -> None:
    (em.folder / "job.toml").write_bytes(b"")


def job_in_utf16(em: Flow) -> None:
    text = (em.folder / em.job()).read_text()
    (em.folder / "job.toml").write_bytes(text.encode("utf-16"))


def wrong_type(em: Flow) -> None:
    em.job({"vm": "fs01", "paths": "C:\\Shares"})


def empty_paths(em: Flow) -> None:
    em.job({"vm": "fs01", "paths": []})


def time_without_zone(em: Flow) -> None:
    file = em.folder / em.job({"vm": "fs01", "paths": ["C:\\"], "as_of": 77})
    file.write_text(file.read_text().replace("77", "2026-11-20T06:00:00"))


def unknown_backup_server(em: Flow) -> None:
    em.configure(backup_servers=[{"name": "other", "shares": [str(em.folder)]}])
    em.job(entry_of(em.machine("fs01")))


def misspelt_config(em: Flow) -> None:
    em.configure(limits={"mount": 3})
    em.job(entry_of(em.machine("fs01")))


def password_not_set(em: Flow) -> None:
    em.configure(enterprise_manager={"password_env": "NOT_THERE"})
    em.job(entry_of(em.machine("fs01")))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (unknown_key, ["job.toml", "restore[1].exlude", "unknown key", "did you mean exclude?"]),
        (unknown_machine, ["job.toml", "restore[1].vm", "'fs99'", "check the spelling"]),
        (ambiguous_machine, ["restore[1].vm", "'twin'", "vbr01, vbr02", "set backup_server"]),
        (destination_outside, ["restore[1].to", "'/elsewhere/fs01'", "targets.allow", "change one of the two"]),
        (destination_is_a_file, ["restore[1].to", "restored/fs01"]),
        (no_point_so_early, ["restore[1].vm", "'fs01'", "at or before 2001-02-03", "check the spelling and the time"]),
        (empty_job, ["job.toml", "the file is empty"]),
        (job_in_utf16, ["job.toml", "UTF-8", "save the file"]),
        (wrong_type, ["job.toml", "restore[1].paths", "list", "'C:\\\\Shares'"]),
        (empty_paths, ["job.toml", "restore[1].paths", "must not be empty"]),
        (time_without_zone, ["restore[1].as_of", "2026-11-20", "no time zone", "add Z"]),
        (unknown_backup_server, ["'vbr01'", "[[backup_servers]]"]),
        (misspelt_config, ["config.toml", "limits.mount", "did you mean mounts?"]),
        (password_not_set, ["NOT_THERE", "export it"]),
    ],
)  # fmt: skip
async def test_bad_words_end_with_2_before_anything_is_mounted_or_written(
    tmp_path: Path, spoil: Callable[[Flow], None], words: list[str]
) -> None:
    build = two_servers if spoil is ambiguous_machine else small
    async with flow(tmp_path, build) as em:
        spoil(em)
        before = em.restored()
        done = await em.run("run", "job.toml")
        assert done.code == 2, done.everything
        assert [word for word in words if word not in done.err] == [], done.err
        assert done.out == ""
        assert em.restored() == before
        assert em.simulator.mounts_made == 0
        em.assert_nothing_left()


async def test_every_problem_of_a_job_is_told_at_once(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        fine = entry_of(em.machine("fs01"))
        em.job(fine, {**fine, "vm": "fs98"}, {**fine, "vm": "fs99"}, {**fine, "to": "/elsewhere"})
        done = await em.run("run", "job.toml")
        assert done.code == 2
        assert all(f"restore[{number}]" in done.err for number in (2, 3, 4))
        em.assert_untouched()


@pytest.mark.parametrize(
    ("entry", "reason", "words"),
    [
        ({"paths": ["C:\\Shares", "C:\\No such folder"]}, "not-found", "C:\\No such folder"),
        ({"paths": ["C:\\Shares", "X:\\"]}, "not-found", "it has C:, D:"),
        ({"paths": ["C:\\Shares"], "include": ["*.txt", "*.pst"]}, "nothing-matched", "'*.pst' matched no file"),
    ],
)
async def test_what_cannot_be_found_ends_with_3_and_the_rest_is_restored(
    tmp_path: Path, entry: dict[str, Any], reason: str, words: str
) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job({"vm": "fs01", **entry}))
        assert done.code == 3, done.everything
        assert words in done.out
        problems = em.report()["problems"]
        assert [(one["vm"], one["reason"]) for one in problems] == [("fs01", reason)]
        expected = copies(em.estate, em.machine("fs01"), "C:/Shares/plan.txt" if "include" in entry else "C:/Shares")
        assert em.restored() == expected
        em.assert_nothing_left()


async def test_keep_going_leaves_out_the_bad_entry_and_restores_the_good_one(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.job(entry_of(em.machine("fs01")), {"vm": "fs99", "paths": ["C:\\"]})
        done = await em.run("run", "--keep-going", "job.toml")
        assert done.code == 3, done.everything
        assert "'fs99'" in done.out
        assert em.restored() == em.expected(em.machine("fs01"))
        em.assert_nothing_left()


async def test_a_wrong_password_ends_with_4_after_one_attempt(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job(), env={"EM_PASSWORD": "Reiher9-im-Schilf"})
        assert done.code == 4, done.everything
        assert "CORP\\restore" in done.err
        assert "$EM_PASSWORD" in done.err
        assert "Reiher9" not in done.everything
        assert em.count("logon") == 1
        em.assert_untouched()


async def test_an_untrusted_certificate_ends_with_4_and_its_fingerprint_can_be_pinned(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(enterprise_manager={"ca_file": None})
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        shown = done.err.replace(":", "").lower()
        assert em.server.fingerprint_sha256 in shown
        assert "enterprise_manager.fingerprint_sha256" in done.err
        assert em.requests() == []
        em.configure(enterprise_manager={"ca_file": None, "fingerprint_sha256": em.server.fingerprint_sha256})
        assert (await em.run("run", "job.toml")).code == 0
        em.configure(enterprise_manager={"ca_file": None, "fingerprint_sha256": "ab" * 32})
        other = await em.run("plan", "job.toml")
        assert other.code == 4
        assert em.server.fingerprint_sha256 in other.err.replace(":", "").lower()
        em.assert_nothing_left()


async def test_an_enterprise_manager_that_is_not_there_ends_with_4(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"https://127.0.0.1:{taken.getsockname()[1]}"
            em.configure(enterprise_manager={"url": url, "retry_for": 0.2})
            done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert url in done.err
        assert "cannot be reached" in done.err
        em.assert_untouched()


@pytest.mark.parametrize(
    ("route", "kind"), [("logon", "html"), ("query", "half_xml"), ("query", "html"), ("query", "wrong_namespace")]
)
async def test_answers_that_enterprise_manager_never_gives_end_with_4(tmp_path: Path, route: str, kind: Any) -> None:
    async with flow(tmp_path, small, Fault(route, action=Garbage(kind), times=9)) as em:
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert "is not what Enterprise Manager sends" in done.err
        assert "enterprise_manager.url" in done.err
        assert em.simulator.mounts_made == 0
        assert em.restored() == {}
        # A logon whose answer cannot be read leaves a session that nobody knows the link of.
        assert len(em.simulator.open_sessions()) == (1 if route == "logon" else 0)


async def test_an_unreadable_answer_about_one_mount_spares_the_other_and_leaves_none(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        uid = em.machine("lx01").points[-1].uid
        em.simulator.inject(Fault("mount_get", action=Garbage("half_xml"), times=9, match=uid))
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert "is not what Enterprise Manager sends" in done.out
        assert em.restored() == em.expected(em.machine("fs01"))
        em.assert_nothing_left()


async def test_a_mount_that_fails_once_gets_a_second_turn(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_post", action=FailTask("The host is busy."))) as em:
        running = await em.start("run", em.job())
        put_off = await running.event("group_put_off")
        assert "The host is busy" in put_off["message"]
        done = await running.done()
        assert done.code == 0, done.everything
        assert em.count("mount_post") == 3
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_the_residual_job_restores_what_a_failed_mount_left_out(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        uid = em.machine("lx01").points[-1].uid
        em.simulator.inject(Fault("mount_post", action=FailTask("The host is busy."), times=2, match=uid))
        assert (await em.run("run", em.job())).code == 4
        residual = em.report()["files"]["residual"]
        done = await em.run("run", residual)
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert em.report()["totals"]["skipped"] == 0
        em.assert_nothing_left()


async def test_a_failed_mount_ends_with_4_and_the_other_machine_is_restored(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        uid = em.machine("lx01").points[-1].uid
        em.simulator.inject(
            Fault("mount_post", action=FailTask("Disk 7 is locked by job Nightly."), match=uid, times=9)
        )
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert "Disk 7 is locked by job Nightly." in done.out
        assert em.restored() == em.expected(em.machine("fs01"))
        assert [(one["vm"], one["reason"]) for one in em.report()["problems"]] == [("lx01", "mount-failed")]
        em.assert_nothing_left()


async def test_a_share_that_is_not_there_ends_with_4_before_anything_is_mounted(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(backup_servers=[{"name": "*", "shares": [str(tmp_path / "not mounted")]}])
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert str(tmp_path / "not mounted") in done.err
        assert "vbr01" in done.err
        em.assert_untouched()


async def test_a_folder_that_never_appears_ends_with_4_and_its_mount_is_deleted(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        wrong = tmp_path / "wrong share"
        wrong.mkdir()
        em.configure(
            backup_servers=[{"name": "*", "shares": [str(wrong)]}],
            limits={"folder_timeout": 0.3},
        )
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert "No new folder for fs01 appeared" in done.out
        assert str(wrong) in done.out
        assert em.simulator.mounts_made == 2
        assert tree(em.target) == {}
        em.assert_nothing_left()


async def test_the_password_may_come_from_a_file(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "em-password").write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")
        em.configure(enterprise_manager={"password_env": None, "password_file": "em-password"})
        done = await em.run("run", em.job(), env={"EM_PASSWORD": ""})
        assert done.code == 0, done.everything


async def test_a_linux_machine_without_os_is_told_what_to_write(tmp_path: Path) -> None:
    async with flow(tmp_path, small, os_mismatch="empty") as em:
        done = await em.run("run", em.job({"vm": "lx01", "paths": ["/"]}))
        assert done.code == 3, done.everything
        assert 'For a Linux guest say os = "linux".' in done.out
        em.assert_nothing_left()


async def test_an_events_file_that_cannot_be_written_ends_with_2(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job(), "--events", str(tmp_path / "no folder" / "events.jsonl"))
        assert done.code == 2, done.everything
        assert str(tmp_path / "no folder" / "events.jsonl") in done.err
        em.assert_untouched()
