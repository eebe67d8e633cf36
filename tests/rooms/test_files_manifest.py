"""Manifests that other tools check, re-reading of files, and files that are replaced as a whole."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.errors import FileError, StateUnusable, WordsError
from orchestrator.core.reasons import Reason
from orchestrator.files import read_manifest, verify_file, write_manifest, write_text_atomically
from tests.support.disk import put

NAMES = [
    "plain.txt",
    "with space ",
    " leading",
    "back\\slash",
    "new\nline",
    "carriage\rreturn",
    "both\\n\n",
    "ünïcode",
    "bytes\udcff",
    "\\",
    "*star",
]


def rows(folder: Path, algorithm: str) -> list[tuple[str, str]]:
    found = []
    for name in NAMES:
        path = put(folder / name, name.encode("utf-8", "surrogateescape") * 3)
        found.append((verify_file(str(path), algorithm, lambda _: None)[1], str(path)))  # type: ignore[arg-type]
    return found


def check(command: list[str], manifest: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*command, "--check", "--strict", str(manifest)], capture_output=True)


def test_sha256sum_checks_what_was_written(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.sha256"
    assert write_manifest(manifest, iter(rows(tmp_path / "files", "sha256")), "sha256") == len(NAMES)
    done = check(["sha256sum"], manifest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(b": OK") == len(NAMES)
    put(tmp_path / "files" / "new\nline", b"changed")
    assert check(["sha256sum"], manifest).returncode == 1


@pytest.mark.skipif(shutil.which("b3sum") is None, reason="b3sum is not installed")
def test_b3sum_checks_what_was_written(tmp_path: Path) -> None:
    # b3sum takes no names that are no UTF-8.
    manifest = tmp_path / "manifest.b3"
    good = [row for row in rows(tmp_path / "files", "blake3") if "\udcff" not in row[1]]
    write_manifest(manifest, good, "blake3")
    assert subprocess.run(["b3sum", "--check", manifest]).returncode == 0


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = rows(tmp_path / "files", "blake3")
    write_manifest(tmp_path / "manifest", written, "blake3")
    assert list(read_manifest(tmp_path / "manifest")) == written


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.binary(min_size=1).map(os.fsdecode)))
def test_any_name_survives_a_manifest(tmp_path: Path, names: list[str]) -> None:
    written = [("ab" * 32, name) for name in names]
    assert write_manifest(tmp_path / "manifest", written, "blake3") == len(names)
    assert list(read_manifest(tmp_path / "manifest")) == written


@pytest.mark.parametrize("line", ["", "short  name", "ab" * 32 + " name", "AB" * 32 + "  name", "ab" * 32 + "  "])
def test_a_line_that_is_none_of_a_manifest_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "manifest"
    path.write_text("ab" * 32 + "  good\n" + line + "\n")
    with pytest.raises(WordsError, match="line 2 is not"):
        list(read_manifest(path))


def test_a_manifest_whose_rows_fail_leaves_the_old_one(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest", [("ab" * 32, "old")], "blake3")

    def failing() -> Iterator[tuple[str, str]]:
        yield "cd" * 32, "new"
        raise RuntimeError("the journal is gone")

    with pytest.raises(RuntimeError):
        write_manifest(tmp_path / "manifest", failing(), "blake3")
    assert list(read_manifest(tmp_path / "manifest")) == [("ab" * 32, "old")]
    assert os.listdir(tmp_path) == ["manifest"]


def test_an_unknown_algorithm_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_manifest(tmp_path / "manifest", [], "md5")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_a_file_is_read_again_to_its_size_and_checksum(tmp_path: Path) -> None:
    data = b"0123456789" * 250_000
    told: list[int] = []
    path = put(tmp_path / "large", data)
    assert verify_file(str(path), "blake3", told.append) == (len(data), blake3(data).hexdigest())
    assert sum(told) == len(data)
    assert verify_file(str(put(tmp_path / "empty", b"")), "blake3", told.append) == (0, blake3(b"").hexdigest())


def test_a_file_that_is_gone_or_is_none_cannot_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(put(tmp_path / "file"))
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        ("gone", Reason.VANISHED),
        ("link", Reason.LINK_SKIPPED),
        ("pipe", Reason.VANISHED),
        ("", Reason.VANISHED),
    ):
        with pytest.raises(FileError) as caught:
            verify_file(str(tmp_path / name), "blake3", lambda _: None)
        assert caught.value.reason is reason


def test_what_the_checkpoint_raises_passes_while_reading_again(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise TimeoutError("stopped")

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(TimeoutError):
        verify_file(str(put(tmp_path / "file")), "blake3", stop)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_text_takes_the_place_of_the_old_one_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for text in ('{"a": "ü"}', '{"b": "\udcff"}'):
        write_text_atomically(path, text)
        assert path.read_bytes() == text.encode("utf-8", "surrogateescape")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write_text_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StateUnusable, match=r"report\.json cannot be written: No space left"):
            write_text_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]
    with pytest.raises(StateUnusable, match="No such file"):
        write_text_atomically(tmp_path / "gone" / "report.json", "new")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "\ud800")
    assert os.listdir(tmp_path) == ["report.json"]
