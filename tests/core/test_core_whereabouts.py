"""What is learned of where mounts appear, and what it is good for."""

from dataclasses import replace

import pytest

from orchestrator.core.catalog import GuestOs, PointKind
from orchestrator.core.plan import MountGroup
from orchestrator.core.whereabouts import Answer, Whereabouts, chain_of
from tests.core.values import group

SHARES = {"/mnt/a": "A", "/mnt/b": "B", "/mnt/c": "C"}


def of_file(file: str, vm: str = "fs01", kind: PointKind = PointKind.VM, os: GuestOs | None = None) -> MountGroup:
    made = group(vm)
    return replace(made, point=replace(made.point, backup_file=file, kind=kind), os=os)


@pytest.mark.parametrize(
    ("file", "chain"),
    [
        ("Files D2026-02-11T230012_1A2B.vib", "files"),
        ("Files D2026-02-12T230009_33FF.vbk", "files"),
        ("Backup Job 1D2026-02-11T230012_1A2B.vbk", "backup job 1"),
        ("fs01.vm-1042D2026-02-11T230012_1A2B.vib", "fs01.vm-1042"),
        ("something else.vbk", "something else.vbk"),
        ("", "machine fs01"),
    ],
)
def test_files_of_one_chain_have_a_name_in_common(file: str, chain: str) -> None:
    assert chain_of(of_file(file, "FS01").point) == chain


def test_a_chain_is_expected_where_it_was_seen_last() -> None:
    known, one = Whereabouts(), of_file("Files D2026-02-11T230012_1A2B.vib")
    assert known.expected(one, SHARES) == ()
    assert known.learn(one, "/mnt/b") == Answer("vbr01", PointKind.VM, GuestOs.WINDOWS, "files", "/mnt/b")
    assert known.learn(one, "/mnt/b") is None, "nothing new"
    assert known.expected(of_file("files D2026-02-12T230012_1A2B.vib", "fs02"), SHARES) == ("/mnt/b",)
    assert known.learn(one, "/mnt/c") is not None
    assert known.expected(one, SHARES) == ("/mnt/c",)


def test_another_chain_is_expected_where_such_points_were_seen_most() -> None:
    known = Whereabouts()
    for chain, share in (("1", "/mnt/b"), ("2", "/mnt/c"), ("3", "/mnt/c")):
        known.learn(of_file(chain), share)
    assert known.expected(of_file("4"), SHARES) == ("/mnt/c", "/mnt/b")
    assert known.hosts(of_file("4"), SHARES) == {"b", "c"}
    assert known.expected(of_file("4", os=GuestOs.LINUX), SHARES) == ()
    assert known.expected(of_file("4", kind=PointKind.REPLICA), SHARES) == ()


def test_what_the_config_no_longer_names_is_not_expected() -> None:
    known = Whereabouts()
    known.remember([Answer("vbr01", PointKind.VM, GuestOs.WINDOWS, "files", "/mnt/gone")])
    assert known.expected(of_file("Files D2026-02-11T230012_1.vib"), SHARES) == ()
    assert known.hosts(of_file("Files D2026-02-11T230012_1.vib"), SHARES) == {"a", "b", "c"}


def test_what_was_remembered_twice_counts_once() -> None:
    known = Whereabouts()
    answer = Answer("vbr01", PointKind.VM, GuestOs.WINDOWS, "files", "/mnt/a")
    known.remember([answer, answer])
    known.learn(of_file("1"), "/mnt/b")
    known.learn(of_file("2"), "/mnt/b")
    assert known.expected(of_file("3"), SHARES) == ("/mnt/b", "/mnt/a")
