"""The audit trail on a disk: what is written stays, what is cut off is told of, and several may write it."""

import errno
import fcntl
import hashlib
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.audit import Trail, lines_of, this_process, trail_files
from orchestrator.core.audit import AuditEntry, What
from orchestrator.core.chain import GENESIS, Writer
from orchestrator.core.checking import Checked, check
from orchestrator.core.errors import AuditUnreadable, AuditUnusable, ExitCode
from tests.views.samples import START

WRITER = Writer("restore", "bk01", 4711)
KEY = b"0123456789abcdef"
LIMIT = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "state" / "audit"


def opened(folder: Path, key: bytes | None = None, limit: int = LIMIT, wait: float = 10.0) -> Trail:
    return Trail(folder, WRITER, key, limit, wait)


def entry(number: int, at: datetime = START) -> AuditEntry:
    return AuditEntry(at, What.MOUNT_OPENED, {"number": number})


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line.content) for line in lines_of(trail_files(folder))]


def proved(folder: Path, key: bytes | None = None, **more: Any) -> Checked:
    return check(lines_of(trail_files(folder)), key, **{"whole": True, **more})


def numbers(folder: Path) -> list[int]:
    return [one["facts"]["number"] for one in records(folder) if "number" in one["facts"]]


def names(folder: Path) -> list[str]:
    return [file.name for file in trail_files(folder)]


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "keyed"])
def test_what_several_processes_write_one_after_the_other_is_one_chain(folder: Path, key: bytes | None) -> None:
    for number in range(3):
        end = opened(folder, key).append([entry(2 * number), entry(2 * number + 1)])
    found = proved(folder, key)
    assert found.holds
    assert (found.entries, found.anchor) == (7, end.hash)  # the first line of the file is one too
    assert numbers(folder) == [0, 1, 2, 3, 4, 5]
    head = records(folder)[0]
    kind = "sha256" if key is None else "hmac-sha256"
    assert (head["what"], head["prev"]) == ("file_begun", GENESIS)
    assert head["facts"] == {"format": 1, "chain": kind, "after": ""}


def test_files_are_for_owner_and_group_whatever_the_umask_says(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        opened(folder).append([entry(1)])
    finally:
        os.umask(before)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in [*folder.iterdir(), folder.parent]}
    assert modes == {"audit-202611.jsonl": 0o640, "lock": 0o640, "state": 0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_what_root_adds_to_the_trail_of_another_account_belongs_to_that_account(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 23456)
    opened(folder).append([entry(1)])
    assert {(one.stat().st_uid, one.stat().st_gid) for one in folder.iterdir()} == {(12345, 23456)}


def test_a_new_month_begins_a_new_file_that_goes_on_from_the_last(folder: Path) -> None:
    trail = opened(folder)
    end = trail.append([entry(1)])
    trail.append([entry(2, START + timedelta(days=30))])
    trail.append([entry(3)])  # the clock was set back
    assert names(folder) == ["audit-202611.jsonl", "audit-202612.jsonl"]
    head = next(one for one in records(folder) if one["facts"].get("after"))
    assert (head["what"], head["facts"]["after"], head["prev"]) == ("file_begun", "audit-202611.jsonl", end.hash)
    assert proved(folder).holds
    assert numbers(folder) == [1, 2, 3]


def test_a_full_file_is_followed_by_another_of_the_same_month_in_order_beyond_nine(folder: Path) -> None:
    trail = opened(folder, limit=1)
    for number in range(12):
        trail.append([entry(number)])
    assert names(folder) == ["audit-202611.jsonl", *(f"audit-202611-{number}.jsonl" for number in range(2, 13))]
    assert proved(folder).holds
    assert numbers(folder) == list(range(12))
    (folder / "audit-202611-7.jsonl").unlink()
    broken = proved(folder).broken
    assert broken is not None
    assert (Path(broken.file).name, broken.line) == ("audit-202611-8.jsonl", 1)
    assert broken.what == "entries 13 to 14 are missing before it"


def test_files_that_are_given_in_any_order_are_read_in_the_order_of_the_trail(folder: Path) -> None:
    trail = opened(folder, limit=1)
    for number in range(3):
        trail.append([entry(number)])
    assert check(lines_of(list(reversed(trail_files(folder)))), None, whole=True).holds


@pytest.mark.parametrize("zeros", [b"", b"\0\0\0"], ids=["cut", "lengthened by zeros"])
def test_wherever_a_crash_cuts_off_a_write_the_next_start_goes_on_and_drops_nothing(folder: Path, zeros: bytes) -> None:
    opened(folder).append([entry(1)])
    [file] = trail_files(folder)
    first = file.read_bytes()
    opened(folder).append([entry(2), entry(3)])
    content = file.read_bytes()
    for cut in range(len(first), len(content)):
        left = content[:cut] + zeros
        file.write_bytes(left)
        opened(folder).append([entry(4)])
        found, torn = proved(folder), torn_in(file)
        assert found.holds, (cut, found)
        assert file.read_bytes().startswith(left), cut
        fragment = left.rpartition(b"\n")[2]
        only_its_end = fragment != b"" and fragment + b"\n" in content
        if fragment == b"" or only_its_end:
            assert torn == []
        else:
            assert torn == [{"bytes": len(fragment), "sha256": hashlib.sha256(fragment).hexdigest()}]
        assert found.entries == content[:cut].count(b"\n") + only_its_end + len(torn) + 1


def torn_in(file: Path) -> list[dict[str, Any]]:
    """What a file tells of torn lines."""
    lines = [line for line in file.read_bytes().split(b"\n") if b'"what":"torn"' in line]
    return [json.loads(line)["facts"] for line in lines]


def test_a_crash_while_a_torn_line_is_being_closed_is_told_of_as_well(folder: Path) -> None:
    opened(folder).append([entry(1)])
    [file] = trail_files(folder)
    torn = b'{"account":"rest\n{"account":"restore","at":"2026'  # the second fragment is of the line about the first
    with file.open("ab") as stream:
        stream.write(torn)
    opened(folder).append([entry(2)])
    assert proved(folder).holds
    assert torn_in(file) == [{"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}]


def test_a_crash_while_a_file_is_begun_loses_no_link(folder: Path) -> None:
    opened(folder).append([entry(1)])
    december = START + timedelta(days=30)
    for content in (b"", b'{"acc'):
        (folder / "audit-202612.jsonl").write_bytes(content)
        opened(folder).append([entry(2, december)])
        found = proved(folder)
        assert found.holds, found
        assert found.torn == bool(content)
        (folder / "audit-202612.jsonl").unlink()


def test_a_torn_end_of_the_last_month_is_closed_before_a_new_month_begins(folder: Path) -> None:
    opened(folder).append([entry(1)])
    with trail_files(folder)[0].open("ab") as stream:
        stream.write(b"{")
    opened(folder).append([entry(2, START + timedelta(days=30))])
    assert proved(folder).torn == 1
    assert proved(folder).holds
    assert names(folder) == ["audit-202611.jsonl", "audit-202612.jsonl"]


def test_a_trail_whose_last_line_was_changed_is_not_written_on(folder: Path) -> None:
    opened(folder).append([entry(1)])
    [file] = trail_files(folder)
    file.write_bytes(file.read_bytes().replace(b'"number":1', b'"number":7'))
    before = file.read_bytes()
    with pytest.raises(
        AuditUnusable, match=r"the last line of audit-202611\.jsonl was changed, or written with another"
    ):
        opened(folder).append([entry(2)])
    assert file.read_bytes() == before


def test_a_trail_is_not_written_on_with_another_key(folder: Path) -> None:
    opened(folder, KEY).append([entry(1)])
    for key in (None, b"another key 1234"):
        with pytest.raises(AuditUnusable, match="key"):
            opened(folder, key).append([entry(2)])
    assert proved(folder, KEY).holds


def test_files_that_vanish_under_a_process_are_seen_to_be_missing(folder: Path) -> None:
    trail = opened(folder)
    trail.append([entry(1), entry(2)])
    trail_files(folder)[0].unlink()
    trail.append([entry(3)])
    broken = proved(folder).broken
    assert broken is not None
    assert broken.what.startswith("the trail begins with entry 4: those before it are in no file here")


def test_lines_that_vanish_under_a_process_are_seen_to_be_missing(folder: Path) -> None:
    trail = opened(folder)
    trail.append([entry(1), entry(2)])
    [file] = trail_files(folder)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    trail.append([entry(3)])
    broken = proved(folder).broken
    assert broken is not None
    assert broken.what == "entry 3 is missing before it"


WRITES = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from orchestrator.audit import Trail, this_process
from orchestrator.core.audit import AuditEntry, What
trail = Trail(Path(sys.argv[1]), this_process(), None, int(sys.argv[2]))
for number in range(int(sys.argv[3])):
    trail.append([AuditEntry(datetime(2026, 11, 20, tzinfo=UTC), What.MOUNT_OPENED, {"number": number})])
"""


def writing(folder: Path, limit: int, count: int, before: str = "") -> subprocess.Popen[str]:
    code = before + WRITES
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(limit), str(count)], stderr=subprocess.PIPE, text=True
    )


def test_processes_that_write_at_the_same_time_make_one_chain(folder: Path) -> None:
    writers = [writing(folder, 4096, 40) for _ in range(3)]
    assert [one.communicate()[1] for one in writers] == [""] * 3
    found = proved(folder)
    assert found.holds, found
    assert sorted(numbers(folder)) == sorted([*range(40)] * 3)
    assert len({one["process"] for one in records(folder)}) == 3
    assert len(names(folder)) > 3


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
"""


def test_a_disk_that_takes_half_a_line_is_an_error_and_the_half_is_told_of_later(folder: Path) -> None:
    writer = writing(folder, LIMIT, 100, LIMITED)
    _, err = writer.communicate()
    assert writer.returncode == 1
    assert re.search(r"AuditUnusable: The audit trail in .* cannot be written: only \d+ of \d+ bytes", err)
    [file] = trail_files(folder)
    assert file.stat().st_size == 5000
    broken = proved(folder).broken
    assert broken is not None
    assert broken.what.startswith("the line is not ended")
    opened(folder).append([entry(1)])
    found = proved(folder)
    assert (found.holds, found.torn) == (True, 1)


def test_what_cannot_be_flushed_does_not_count_as_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = opened(folder)
    before = trail.append([entry(1)])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fail)
        with pytest.raises(AuditUnusable, match="Input/output error"):
            trail.append([entry(2)])
        assert trail.append([]) == before
    trail.append([entry(2)])  # as whoever calls tries again: twice is better than not at all
    assert proved(folder).holds
    assert numbers(folder) == [1, 2, 2]


def test_another_process_that_never_ends_its_line_is_not_waited_for_for_ever(folder: Path) -> None:
    opened(folder).append([entry(1)])
    with (folder / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AuditUnusable, match=r"another process has been writing to it for 0\.05 s") as caught:
            opened(folder, wait=0.05).append([entry(2)])
        assert caught.value.exit_code is ExitCode.STATE
    opened(folder, wait=0.05).append([entry(2)])
    assert numbers(folder) == [1, 2]


def test_who_has_been_waited_for_in_vain_is_only_looked_at_from_then_on_until_it_has_ended(folder: Path) -> None:
    trail = opened(folder, wait=0.5)
    trail.append([entry(1)])
    with (folder / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for waited in ("0.5", "0.2", "0.2"):
            with pytest.raises(AuditUnusable, match=f"has been writing to it for {waited} s"):
                trail.append([entry(2)])
    trail.append([entry(2)])
    with (folder / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AuditUnusable, match=r"has been writing to it for 0\.5 s"):
            trail.append([entry(3)])


def test_a_folder_that_cannot_be_made_is_an_error_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "audit"):
        with pytest.raises(
            AuditUnusable, match=r"cannot be written: \w+: a file stands where a folder is needed; move"
        ):
            opened(folder).append([entry(1)])


def test_a_link_in_the_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "audit-202611.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnusable):
        opened(folder).append([entry(1)])
    assert not (tmp_path / "elsewhere").exists()


def test_there_is_nothing_to_read_where_no_trail_is(tmp_path: Path) -> None:
    with pytest.raises(AuditUnreadable, match="there is no audit trail yet"):
        trail_files(tmp_path)
    with pytest.raises(AuditUnreadable, match="No such file"):
        trail_files(tmp_path / "no such")
    with pytest.raises(AuditUnreadable, match="No such file"):
        list(lines_of([tmp_path / "audit-202611.jsonl"]))


def test_a_reader_sees_whole_lines_while_another_process_writes(folder: Path) -> None:
    opened(folder).append([entry(1)])
    writer = writing(folder, LIMIT, 60)
    while writer.poll() is None:
        assert proved(folder).holds
    assert writer.communicate()[1] == ""
    assert proved(folder).entries == 62


def test_this_process_is_known_by_the_account_of_the_system_and_not_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    me = this_process()
    assert me.account == pwd.getpwuid(os.geteuid()).pw_name
    assert me.process == os.getpid()
    assert me.login != "somebody-else"
    assert me.host
