"""`apply-metadata`: what a destination could not hold goes where it can be held, and nowhere else."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.applying import apply_metadata
from orchestrator.config import Config
from orchestrator.core.applying import Applied, moved, prefixes_of
from orchestrator.core.entries import EntryKind
from orchestrator.core.fidelity import Properties, Property
from orchestrator.core.sidecar import Left
from orchestrator.files import Sidecar
from tests.support.disk import MTIME_NS, put
from tests.support.filesystems import ACCESS, GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, acl, ramfs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "restore").mkdir()
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "a", "password_env": "NOT_READ"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "targets": {"allow": [str(tmp_path / "restore")]},
            "state": {"folder": str(tmp_path / "state")},
        }
    )


@pytest.fixture
def sidecar(tmp_path: Path) -> Sidecar:
    return Sidecar(tmp_path / "state" / "runs" / "r1")


def apply(config: Config, dry: bool = False, **prefixes: str) -> Applied:
    return apply_metadata(config, "r1", prefixes, dry=dry, tell=lambda files, size: None)


def left(target: Path, properties: Properties, kind: EntryKind = EntryKind.FILE, size: int = 7) -> Left:
    return Left(str(target), kind, size, MTIME_NS, properties)


@needs_root
def test_what_waits_is_put_on_and_can_be_put_on_again(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    copy = put(tmp_path / "restore" / "fs01" / "file", b"content", mode=0o600)
    properties = Properties(
        mode=0o640, uid=1234, gid=2345, xattrs={"user.colour": b"blue", "system.posix_acl_access": ACCESS}
    )
    sidecar.keep(left(copy, properties))
    sidecar.keep(left(copy.parent, Properties(mode=0o2750, uid=1234, gid=2345), EntryKind.FOLDER, 0))
    for _ in range(2):
        assert apply(config) == Applied("r1", False, applied=2)
    status = copy.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 1234, 2345)
    assert (status.st_mtime_ns, copy.read_bytes()) == (MTIME_NS, b"content")
    assert os.getxattr(copy, "user.colour") == b"blue"
    assert os.getxattr(copy, "system.posix_acl_access") == ACCESS
    assert copy.parent.stat().st_mode & 0o7777 == 0o2750


@needs_root
def test_nothing_that_was_not_written_just_now_gets_the_rights_of_its_owner(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    """Size and time are all that is known of it, and whoever may write there can give it both."""
    program = put(tmp_path / "restore" / "program", b"#!/evil", mode=0o755)
    os.chown(program, 1000, 1000)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    can_anything = put(tmp_path / "restore" / "can anything", b"#!/evil", mode=0o755)
    sidecar.keep(left(program, Properties(mode=0o6755, uid=0, gid=0)))
    sidecar.keep(left(can_anything, Properties(xattrs={"security.capability": capability, "user.a": b"b"})))
    applied = apply(config)
    assert (applied.applied, applied.left_over) == (0, {Property.MODE: 1, Property.XATTRS: 1})
    status = program.stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o755, 0)
    assert os.listxattr(can_anything) == ["user.a"]


@needs_root
def test_an_acl_that_the_restore_has_put_on_stays_when_only_the_mode_waits(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    copy = put(tmp_path / "restore" / "file", b"content", mode=0o600)
    os.setxattr(copy, "system.posix_acl_access", ACCESS)
    sidecar.keep(left(copy, Properties(mode=0o640, uid=1234, gid=2345)))
    assert apply(config).applied == 1
    assert os.getxattr(copy, "system.posix_acl_access") == ACCESS
    assert copy.stat().st_mode & 0o7777 == 0o640


def test_a_mode_gives_those_whom_another_acl_names_no_more_than_they_had(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    """The bits of the group are the most that an ACL gives to anybody (acl(5)): the backup's are of its own ACL."""
    wide = acl((USER_OBJ, 6, -1), (USER, 7, 1234), (GROUP_OBJ, 4, -1), (MASK, 0, -1), (OTHER, 0, -1))
    copy, open_to_all = (put(tmp_path / "restore" / name, b"content", mode=0o600) for name in ("file", "narrowed"))
    for path in (copy, open_to_all):
        os.setxattr(path, "system.posix_acl_access", wide)
    open_to_all.chmod(0o670)
    for path in (copy, open_to_all):
        sidecar.keep(left(path, Properties(mode=0o664)))
    assert apply(config).left_over == {Property.MODE: 1}
    assert copy.stat().st_mode & 0o7777 == 0o604
    assert open_to_all.stat().st_mode & 0o7777 == 0o664


def test_a_trial_changes_nothing(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    copy = put(tmp_path / "restore" / "file", mode=0o600)
    sidecar.keep(left(copy, Properties(mode=0o640)))
    assert apply(config, dry=True).applied == 1
    assert copy.stat().st_mode & 0o7777 == 0o600


def test_a_file_that_has_changed_or_gone_is_named_and_left(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    root = tmp_path / "restore"
    longer, later = put(root / "longer", b"longer than", mode=0o600), put(root / "later", mtime_ns=MTIME_NS + 5 * 10**9)
    for name in ("longer", "later", "gone", "folder"):
        sidecar.keep(left(root / name, Properties(mode=0o640)))
    (root / "folder").mkdir()
    applied = apply(config)
    assert (applied.applied, applied.changed, applied.missing, applied.whole) == (0, 3, 1, False)
    assert set(applied.unapplied) == {str(root / name) for name in ("longer", "later", "gone", "folder")}
    assert longer.stat().st_mode & 0o7777 == 0o600
    assert later.stat().st_mode & 0o7777 == 0o644


def test_a_file_system_that_holds_whole_seconds_has_not_changed_a_file(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    copy = put(tmp_path / "restore" / "file", mtime_ns=MTIME_NS // 10**9 * 10**9)
    sidecar.keep(left(copy, Properties(modified_ns=MTIME_NS, accessed_ns=MTIME_NS)))
    assert apply(config).applied == 1
    assert copy.stat().st_mtime_ns == MTIME_NS


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "{root}/../outside", "{root}/a/../../outside", "outside", "{root}\x00x", "", "{root}x/a"]
)
def test_a_name_that_leads_out_is_refused(config: Config, sidecar: Sidecar, tmp_path: Path, place: str) -> None:
    outside = put(tmp_path / "outside", mode=0o600)
    name = place.replace("{root}", str(tmp_path / "restore"))
    sidecar.keep(Left(name, EntryKind.FILE, 7, MTIME_NS, Properties(mode=0o666)))
    applied = apply(config)
    assert (applied.applied, applied.refused) == (0, 1)
    assert outside.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("where", ["link", "link/outside"])
def test_no_link_is_followed(config: Config, sidecar: Sidecar, tmp_path: Path, where: str) -> None:
    outside = put(tmp_path / "outside", mode=0o600)
    os.symlink(outside if where == "link" else tmp_path, tmp_path / "restore" / "link")
    sidecar.keep(left(tmp_path / "restore" / where, Properties(mode=0o666)))
    assert apply(config).applied == 0
    assert outside.stat().st_mode & 0o7777 == 0o600


def test_files_that_were_moved_are_found_by_their_new_prefix(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    copy = put(tmp_path / "restore" / "new" / "file", mode=0o600)
    sidecar.keep(Left("/old/fs01/file", EntryKind.FILE, 7, MTIME_NS, Properties(mode=0o640)))
    assert apply(config, **{"/old/fs01": str(tmp_path / "restore" / "new")}).applied == 1
    assert copy.stat().st_mode & 0o7777 == 0o640


def test_what_cannot_be_held_here_either_is_told_by_property(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    with ramfs(tmp_path / "restore" / "small") as small:
        copy = put(small / "file")
        sidecar.keep(left(copy, Properties(xattrs={"user.a": b"b"}, attributes=0x2)))
        applied = apply(config)
    assert applied.left_over == {Property.XATTRS: 1, Property.ATTRIBUTES: 1}
    assert not applied.whole


def test_half_a_line_is_counted_and_a_run_without_a_sidecar_has_nothing_to_do(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    assert apply(config) == Applied("r1", False)
    copy = put(tmp_path / "restore" / "file", mode=0o600)
    sidecar.keep(left(copy, Properties(mode=0o640)))
    with (tmp_path / "state" / "runs" / "r1" / "metadata.jsonl").open("ab") as file:
        file.write(b'{"target": ')
    assert apply(config) == Applied("r1", False, applied=1, unreadable=1)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("file", {"uid": 2**40, "gid": 0}),
        ("file", {"uid": 0, "gid": -1}),
        ("file", {"uid": 2**32 - 1, "gid": 0}),
        ("file", {"modified_ns": 10**40}),
        ("file", {"accessed_ns": -(2**63) - 1, "modified_ns": 5}),
        ("file", {"xattrs": {"user.a\x00b": ""}}),
        ("file", {"xattrs": {"user.\ud800": ""}}),
        ("file", {"size": 2**63}),
        ("link", {"link_to": "a\x00b"}),
        ("link", {"link_to": "a\ud800b"}),
    ],
)
def test_a_line_that_no_system_could_take_is_counted_and_the_next_is_put_on(
    config: Config, sidecar: Sidecar, tmp_path: Path, kind: str, more: dict[str, object]
) -> None:
    root = tmp_path / "restore"
    copy = put(root / "file", mode=0o600)
    table = {"target": str(root / ("link" if kind == "link" else "file")), "kind": kind, "size": 7}
    line = json.dumps(table | {"mtime_ns": MTIME_NS} | more)
    sidecar.keep(left(copy, Properties(mode=0o640)))
    waiting = tmp_path / "state" / "runs" / "r1" / "metadata.jsonl"
    waiting.write_text(line + "\n" + waiting.read_text())
    assert apply(config) == Applied("r1", False, applied=1, unreadable=1)


def test_a_link_that_could_not_be_made_is_made(config: Config, sidecar: Sidecar, tmp_path: Path) -> None:
    link = tmp_path / "restore" / "link"
    sidecar.keep(left(link, Properties(link_to="../x", modified_ns=MTIME_NS), EntryKind.LINK, 0))
    for _ in range(2):
        assert apply(config).applied == 1
    assert os.readlink(link) == "../x"


@needs_root
def test_a_link_that_is_there_gets_its_owner_and_keeps_its_times(
    config: Config, sidecar: Sidecar, tmp_path: Path
) -> None:
    link = tmp_path / "restore" / "link"
    os.symlink("../x", link)
    os.utime(link, ns=(7, MTIME_NS), follow_symlinks=False)
    sidecar.keep(left(link, Properties(uid=1234, gid=2345), EntryKind.LINK, 0))
    assert apply(config).applied == 1
    status = link.lstat()
    assert (status.st_uid, status.st_gid, status.st_mtime_ns) == (1234, 2345, MTIME_NS)


def test_a_prefix_holds_whole_names_and_the_longest_counts() -> None:
    prefixes = prefixes_of(["/a=/x", "/a/b=/y"])
    assert moved("/a/b/c", prefixes) == "/y/c"
    assert moved("/a/bc", prefixes) == "/x/bc"
    assert moved("/a", prefixes) == "/x"
    assert moved("/other", prefixes) == "/other"
    with pytest.raises(ValueError, match="not OLD=NEW"):
        prefixes_of(["/a"])
