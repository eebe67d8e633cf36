"""A job file with a mistake gives a message that names the key, the value and the remedy."""

from pathlib import Path

import pytest

from orchestrator.core.catalog import GuestOs
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import ConfigInvalid, JobInvalid
from orchestrator.core.job import read_job
from orchestrator.core.paths import GuestPath
from orchestrator.core.words import parse_toml

GOOD = r"""
name = "incident-4711"
[defaults]
to = "/restore/{vm}"
on_conflict = "newer"
[[restore]]
vm = "fs01"
as_of = 2026-11-20T06:00:00+02:00
paths = ['C:\Shares', 'D:\']
include = ["*.docx"]
exclude = ["~$*", "**/Temp/"]
[[restore]]
restore_point = "uid"
paths = ["/srv/data"]
to = "/restore/other"
on_conflict = "rename"
os = "linux"
"""


def said(job: str | bytes) -> str:
    content = job if isinstance(job, bytes) else job.encode()
    with pytest.raises(JobInvalid) as refused:
        read_job(content, "bad.toml")
    assert str(refused.value).startswith("bad.toml: ")
    return str(refused.value).removeprefix("bad.toml: ")


def with_entry(line: str, head: str = "") -> str:
    return f'name = "j"\n{head}\n[[restore]]\nvm = "fs01"\npaths = [\'C:\\a\']\nto = "/r"\n{line}\n'


def test_a_good_job_is_read_with_its_defaults() -> None:
    job = read_job(GOOD.encode(), "job.toml")
    first, second = job.restore
    assert first.guest_paths == (GuestPath("C:", ("Shares",)), GuestPath("D:"))
    assert (job.destination(first), job.conflict(first)) == ("/restore/{vm}", Conflict.NEWER)
    assert (job.destination(second), job.conflict(second)) == ("/restore/other", Conflict.RENAME)
    assert second.os is GuestOs.LINUX
    assert first.names == ("fs01",)


def test_a_byte_order_mark_is_not_part_of_the_job() -> None:
    assert read_job(b"\xef\xbb\xbf" + GOOD.encode(), "job.toml").name == "incident-4711"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\t", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        ("name = 'jör'".encode("latin-1"), "not UTF-8 text (byte 9); save the file as UTF-8"),
        (GOOD.encode("utf-16"), "not UTF-8 text (byte 0); save the file as UTF-8"),
        (b"name = ", "not valid TOML: Invalid value (at end of document)"),
        (b"a = 2026-02-30", "not valid TOML: Invalid date or datetime (at line 1, column 5)"),
    ],
)
def test_a_file_that_is_no_toml_says_where_and_why(content: bytes, message: str) -> None:
    assert said(content) == message


@pytest.mark.parametrize("path", ["C:\\Shares", "C:\\Users", "C:\\xyz"])
def test_a_windows_path_in_double_quotes_is_told_about_single_quotes(path: str) -> None:
    assert "a Windows path needs single quotes" in said(f'name = "{path}"')


@pytest.mark.parametrize("content", [b"a = " + b"[" * 20_000, b"a = " + b"1" * 5_000])
def test_a_toml_file_made_to_break_the_reader_is_a_plain_refusal(content: bytes) -> None:
    assert said(content).startswith("not valid TOML: ")


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (with_entry('inclde = ["*"]'), "restore[1].inclde: unknown key; did you mean include?"),
        (with_entry("", head="nmae = 1"), "nmae: unknown key; did you mean name?"),
        (with_entry("zzzzzz = 1"), "restore[1].zzzzzz: unknown key"),
        (with_entry("include = 5"), "restore[1].include: input should be a valid list (got 5)"),
        (with_entry("backup_server = 7"), "restore[1].backup_server: input should be a valid string (got 7)"),
        (with_entry('on_conflict = "ask"'), "restore[1].on_conflict: input should be 'skip', 'overwrite'"),
        (with_entry('os = "beos"'), "(got 'beos')"),
        (with_entry("as_of = 2026-11-20T06:00:00"), "restore[1].as_of: 2026-11-20 06:00:00 has no time zone; add Z"),
        (with_entry("as_of = 2026-11-20"), "restore[1].as_of: 2026-11-20 is a day without a time; add one, such as"),
        (with_entry("as_of = 06:00:00"), "restore[1].as_of: '06:00:00' is no date and time"),
        (with_entry('vms = ["fs02"]'), "restore[1]: vm and vms exclude each other; keep one"),
        (with_entry("restore_point = 'u'\nfall_back = ['older']"), "fall_back and restore_point exclude each other"),
        (with_entry("restore_point = 'u'\npoint = 'latest'"), "point and restore_point exclude each other"),
        (with_entry("max_age = '3 days'"), "restore[1].max_age: '3 days' is no length of time; write it as"),
        (with_entry("max_age = '0d'"), "restore[1].max_age: '0d' allows no restore point at all"),
        (with_entry("max_age = '3d'\npoint = 'oldest'"), 'max_age does not go with point = "oldest"; say not_before'),
        (with_entry("point = 'all'\nfall_back = ['older']"), "takes every older restore point anyway"),
        (with_entry("fall_back = ['older', 'older']"), "restore[1].fall_back: names a step twice"),
        (with_entry("source = 'agent'\nfall_back = ['agent']"), 'source is "agent" already; remove it from fall_back'),
        (with_entry("hierarchy = 'vm-17'"), "restore[1].hierarchy: string should match pattern"),
        (
            with_entry("as_of = 2026-11-20T06:00:00Z\nnot_before = 2026-11-20T06:00:01Z"),
            "not_before is later than as_of; no restore point lies between",
        ),
        (
            with_entry("fall_back = ['older']").replace("/r", "/r/{point}"),
            "fall_back, which goes with no {point} or {date} in to",
        ),
        (with_entry("as_of = 2026-11-20"), "restore[1].as_of: "),
        (with_entry('as_of = "yesterday"'), "restore[1].as_of: "),
        (with_entry('include = [" "]'), "restore[1].include: the pattern ' ' is empty or a comment"),
        (with_entry('exclude = ["# no"]'), "restore[1].exclude: the pattern '# no' is empty or a comment"),
        (with_entry("exclude = ['a\\b']"), "holds a backslash; write / between folders"),
        (with_entry('exclude = ["!"]'), "restore[1].exclude: "),
        (with_entry("restore_point = 'u'\nas_of = 2026-11-20T06:00:00Z"), "exclude each other; keep one"),
        (with_entry('source = "tape"'), "restore[1].source: input should be 'vm', 'replica' or 'agent' (got 'tape')"),
        (
            with_entry("restore_point = 'urn:veeam:VmReplicaPoint:1'\nsource = \"agent\""),
            'restore_point is of source = "replica", not "agent"; remove source',
        ),
        ('name = "j"', "restore: missing"),
        ('name = "j"\nrestore = []', "restore: must not be empty"),
        ('name = "j"\nrestore = "x"', "restore: input should be a valid list (got 'x')"),
        ('name = "a b"\n[[restore]]\nvm="x"\npaths=["/a"]\nto="/r"', "name: "),
        ('name = "j"\n[[restore]]\nvm="x"\npaths=[]\nto="/r"', "restore[1].paths: must not be empty"),
        (
            'name = "j"\n[[restore]]\nvm="x"\npaths=["a"]\nto="/r"',
            "restore[1].paths: 'a' is not an absolute guest path",
        ),
        ('name = "j"\n[[restore]]\nvm="x"\npaths=["/a"]', "entry 1 has no destination; set defaults.to or its own to"),
        ('name = "j"\n[[restore]]\npaths=["/a"]\nto="/r"', "restore[1]: say which machine"),
        ('name = "j"\n[[restore]]\nvm=""\npaths=["/a"]\nto="/r"', "restore[1].vm: "),
    ],
)
def test_each_bad_value_is_named_with_its_key_and_what_to_do(job: str, message: str) -> None:
    assert message in said(job)


def test_every_mistake_of_a_job_is_in_one_message() -> None:
    message = said('nam = "j"\n[[restore]]\nvm = 3\npaths = ["x"]\nto = "/r"')
    for part in ("nam: unknown key; did you mean name?", "name: missing", "restore[1].vm: ", "restore[1].paths: "):
        assert part in message


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(said(with_entry(f'on_conflict = "{"x" * 500}"'))) < 200


def test_the_same_reader_gives_the_error_of_its_caller() -> None:
    with pytest.raises(ConfigInvalid, match=r"config\.toml: the file is empty"):
        parse_toml(b"", "config.toml", ConfigInvalid)


@pytest.mark.parametrize("file", sorted(Path("jobs/examples").glob("*.toml")), ids=lambda file: file.name)
def test_every_shipped_example_is_a_good_job(file: Path) -> None:
    assert read_job(file.read_bytes(), str(file)).restore
