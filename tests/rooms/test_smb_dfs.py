"""DFS namespaces, served by a real Samba."""

import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import FileError
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.files.smb.packets import BadAnswer
from orchestrator.files.smb.referrals import Referral, referral
from tests.rooms.test_smb_source import content, everything
from tests.support.disk import MTIME_NS, entry_of, put, source_of, tree
from tests.support.samba import Samba, samba, smb_source, smb_target

DEAD = "127.0.0.9"
"""A host on which nothing listens."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """A namespace `dfs` and a share `data`, to which its links lead, one of them by way of a host that is dead."""
    dfs, data = tmp_path_factory.mktemp("dfs"), tmp_path_factory.mktemp("data")
    links = {
        "files": r"msdfs:127.0.0.1\data",
        "deep": r"msdfs:127.0.0.1\data\deep\down",
        "second": rf"msdfs:{DEAD}\data,127.0.0.1\data",
        "none": rf"msdfs:{DEAD}\data,127.0.0.1\nowhere",
        "chain": r"msdfs:127.0.0.1\dfs\files",
        "ring": r"msdfs:127.0.0.1\dfs\gnir",
        "gnir": r"msdfs:127.0.0.1\dfs\ring",
    }
    for name, to in links.items():
        (dfs / name).symlink_to(to)
    put(dfs / "plain" / "own.txt", b"of the namespace itself")
    put(data / "Reports" / "a.txt", b"report")
    put(data / "deep" / "down" / "b.txt", b"deep down")
    with samba({"dfs": dfs, "data": data}, namespaces=["dfs"]) as running:
        yield running


@pytest.mark.parametrize(
    ("below", "name", "expected"),
    [
        (("files",), "Reports/a.txt", b"report"),
        (("FILES", "reports"), "a.txt", b"report"),
        (("deep",), "b.txt", b"deep down"),
        (("second", "Reports"), "a.txt", b"report"),
        (("chain", "Reports"), "a.txt", b"report"),
        (("plain",), "own.txt", b"of the namespace itself"),
    ],
)
def test_a_path_through_a_namespace_is_read_where_it_leads(
    server: Samba, below: tuple[str, ...], name: str, expected: bytes
) -> None:
    with closing(smb_source(server)) as source:
        root = server.unc("dfs", *below)
        found = everything(source, root)
        assert found[name].size == len(expected)
        assert content(source, root, found[name]) == expected
        assert source.look(SourcePath(root, name)) is not None
        assert source.folders(root).folders is not None


def test_links_of_one_namespace_are_asked_for_once(server: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = smb_source(server)._shares.__class__._asked

    def counted(shares: object, unc: object, share: object) -> object:
        asked.append(unc)
        return original(shares, unc, share)  # type: ignore[arg-type]

    monkeypatch.setattr("orchestrator.files.smb.shares.Shares._asked", counted)
    with closing(smb_source(server)) as source:
        for _ in range(3):
            everything(source, server.unc("dfs", "files"))
            everything(source, server.unc("dfs", "files", "Reports"))
        assert len(asked) == 1


def test_when_no_target_of_a_link_can_be_used_each_is_named(server: Samba) -> None:
    with closing(smb_source(server)) as source, pytest.raises(OSError, match="no target of its DFS link") as told:
        source.folders(server.unc("dfs", "none"))
    assert f"{DEAD} cannot be reached on port {server.port}" in str(told.value)
    assert "the server has no such share" in str(told.value)


def test_links_that_lead_in_a_circle_are_an_error(server: Samba) -> None:
    with closing(smb_source(server)) as source:
        with pytest.raises(OSError, match="lead in a circle"):
            source.folders(server.unc("dfs", "ring"))
        found = source.look(SourcePath(server.unc("dfs", "ring"), ""))
        assert found is not None
        assert found.kind is EntryKind.UNREADABLE


def test_a_destination_through_a_namespace_lands_where_it_leads(server: Samba, tmp_path: Path) -> None:
    path = put(tmp_path / "one", b"restored")
    for below in ("files", "second", "chain"):
        root = server.unc("dfs", below, "vm")
        with closing(smb_target(server, [server.unc("dfs")])) as target:
            target.check_root(root)
            assert target.free_space(root) > 0
            target.place(source_of(path), entry_of(path), TargetPath(root, f"C/{below}"), False, lambda _: None)
            target.finish_folder(TargetPath(root, "C"), Entry("C", EntryKind.FOLDER, mtime_ns=MTIME_NS))
            target.flush()
            size, _ = target.verify_file(f"{root}\\C\\{below}", "blake3", lambda _: None)
            assert size == 8
    landed = tree(server.shares["data"] / "vm")
    assert {name for name, one in landed.items() if one} == {"C/files", "C/second", "C/chain"}
    assert not (server.shares["dfs"] / "vm").exists()


def test_a_link_of_a_namespace_below_the_destination_is_not_followed(server: Samba, tmp_path: Path) -> None:
    path = put(tmp_path / "one", b"restored")
    with closing(smb_target(server, [server.unc("dfs")])) as target, pytest.raises(FileError) as told:
        target.place(source_of(path), entry_of(path), TargetPath(server.unc("dfs"), "files/x"), False, lambda _: None)
    assert told.value.reason in (Reason.OUTSIDE_TARGET, Reason.TARGET_KIND, Reason.WRITE_ERROR, Reason.TARGET_DENIED)
    assert not (server.shares["data"] / "x").exists()


# A server that lies


def answer(*targets: str, consumed: int = 20, version: int = 3, seconds: int = 300) -> bytes:
    """A referral as a server sends it."""
    head, texts = struct.pack("<HHI", consumed, len(targets), 2), b""
    entries = b""
    for number, target in enumerate(targets):
        where = (len(targets) - number) * 34 + len(texts)
        entries += struct.pack("<HHHHIHHH16s", version, 34, 0, 0, seconds, 0, 0, where, bytes(16))
        texts += target.encode("utf-16-le") + b"\0\0"
    return head + entries + texts


def test_a_referral_is_its_targets_in_order() -> None:
    told = referral(memoryview(answer(r"\a\b", r"\c\d\e")))
    assert told == Referral(10, (r"\a\b", r"\c\d\e"), 300)
    assert referral(memoryview(answer())) == Referral(10, (), 0)


@pytest.mark.parametrize(
    "lie",
    [b"", answer(r"\a\b")[:20], answer(r"\a\b")[:-2], answer(r"\a\b", version=1), answer(r"\a", consumed=3)],
)
def test_a_referral_that_lies_is_a_bad_answer(lie: bytes) -> None:
    with pytest.raises(BadAnswer):
        referral(memoryview(lie))


@given(st.binary(max_size=200))
def test_noise_is_a_referral_or_a_bad_answer(noise: bytes) -> None:
    try:
        assert len(referral(memoryview(noise)).targets) <= len(noise)
    except BadAnswer:
        return
