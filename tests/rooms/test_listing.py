"""List files are read beside their job; a dropped job reads none but those that are meant for it."""

import os
from pathlib import Path

import pytest

from orchestrator.core.errors import JobInvalid
from orchestrator.listing import SIZE_LIMIT, NamedJob, with_lists
from tests.core.values import job


def named(folder: Path, name: str = "list.txt", *, confined: bool = False) -> NamedJob:
    return NamedJob(job({"vms_from": name}, {"vm": "db01"}), "job.toml", b"", folder, confined)


def refused(one: NamedJob) -> str:
    with pytest.raises(JobInvalid) as caught:
        with_lists(one)
    return str(caught.value)


def test_a_list_beside_the_job_or_anywhere_fills_its_entry_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("fs01\r\nfs*\r\n")
    for name in ("list.txt", str(tmp_path / "list.txt"), "../list.txt"):
        folder = tmp_path if not name.startswith("..") else tmp_path / "jobs"
        folder.mkdir(exist_ok=True)
        entries = with_lists(named(folder, name)).restore
        assert [entry.names for entry in entries] == [("fs01", "fs*"), ("db01",)]


def test_the_paths_of_a_list_come_after_those_of_the_entry(tmp_path: Path) -> None:
    (tmp_path / "found.txt").write_bytes("C:\\b\r\nD:\\c\r\n".encode("utf-16"))
    one = NamedJob(job({"vm": "fs01", "paths_from": "found.txt"}), "job.toml", b"", tmp_path)
    entry = with_lists(one).restore[0]
    assert (entry.paths, entry.paths_from) == (["C:\\a", "C:\\b", "D:\\c"], None)
    (tmp_path / "found.txt").write_text("C:\\b\nShares\n")
    assert refused(one).startswith("found.txt: line 2: 'Shares' is not an absolute guest path")


@pytest.mark.parametrize("name", ["../secret", "{tmp}/secret", "link", "sub/../../secret"])
def test_a_dropped_job_reads_no_list_outside_its_folder(tmp_path: Path, name: str) -> None:
    lists = tmp_path / "lists"
    (lists / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("root:x:0:0\n")
    os.symlink(tmp_path / "secret", lists / "link")
    said = refused(named(lists, name.format(tmp=tmp_path), confined=True))
    assert f"lies outside {lists}, where the lists of dropped jobs must be; put it there" in said
    assert "root:x" not in said
    (lists / "sub" / "list.txt").write_text("fs01")
    assert with_lists(named(lists, "sub/list.txt", confined=True)).restore[0].names == ("fs01",)


def test_a_list_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path) -> None:
    assert f"job.toml: the list {tmp_path}/list.txt is not there; put it there, or change" in refused(named(tmp_path))
    assert "is no file" in refused(named(tmp_path, "."))
    assert "the list 'a\\x00b' is no name of a file" in refused(named(tmp_path, "a\0b"))
    with open(tmp_path / "list.txt", "wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    assert "is larger than 64 MiB; is it a list of names?" in refused(named(tmp_path))
    (tmp_path / "list.txt").write_bytes(b"B\xfcro")
    assert "list.txt: line 1 is not UTF-8 text (byte 1)" in refused(named(tmp_path))
