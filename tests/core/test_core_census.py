"""A tree in a few numbers: the order of a walk does not count, every change does, and a million files stay few."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.census import EMPTY, FOLDERS_AT_MOST, Census, Tree, difference
from orchestrator.core.entries import Entry, EntryKind

names = st.lists(st.sampled_from(["a", "b", "é", "x\udc80"]), min_size=1, max_size=6).map("/".join)
files = st.lists(st.tuples(names, st.integers(0, 9), st.integers(0, 9)), max_size=20, unique_by=lambda one: one[0])


def tree(found: Sequence[tuple[str, int, int]]) -> Tree:
    census = Census()
    for name, size, time in found:
        census.add(name, Entry(name, EntryKind.FILE, size, time))
    return census.tree()


@given(files, st.randoms())
def test_the_order_of_a_walk_does_not_count(found: list[tuple[str, int, int]], order: random.Random) -> None:
    shuffled = list(found)
    order.shuffle(shuffled)
    assert tree(shuffled) == tree(found)
    assert difference(tree(found), tree(shuffled)) == ""


@given(files, st.integers(0, 19), st.sampled_from(["name", "size", "time", "gone"]))
def test_every_change_of_one_file_is_seen(found: list[tuple[str, int, int]], at: int, what: str) -> None:
    if not found:
        return
    at %= len(found)
    name, size, time = found[at]
    changed = {"name": [(f"{name}!", size, time)], "size": [(name, size + 1, time)], "time": [(name, size, time + 1)]}
    other = [*found[:at], *changed.get(what, []), *found[at + 1 :]]
    assert difference(tree(found), tree(other)) != ""


def test_a_kind_counts_and_the_time_of_a_folder_does_not() -> None:
    trees = []
    for kind, time in ((EntryKind.FILE, 1), (EntryKind.FOLDER, 1), (EntryKind.FOLDER, 2)):
        census = Census()
        census.add("a", Entry("a", kind, 0, time))
        trees.append(census.tree())
    assert difference(trees[0], trees[1])
    assert not difference(trees[1], trees[2])


def test_a_large_tree_keeps_few_sums_and_is_compared_with_a_small_one() -> None:
    many = [(f"{one % 90}/{one % 70}/{one % 11}/{one}", 1, 1) for one in range(30_000)]
    large, larger = tree(many), tree([*many, ("5/5/new", 1, 1)])
    assert len(large.folders) <= FOLDERS_AT_MOST
    assert (large.files, large.bytes) == (30_000, 30_000)
    assert difference(large, larger).endswith("changed in 5")
    assert difference(large, tree(many[:1])).startswith("30,000 files of 30,000 bytes when it was planned, 1 file of")
    assert "and 85 more folders" in difference(EMPTY, large)


def test_so_many_folders_that_no_level_can_keep_them_count_as_one() -> None:
    wide = tree([(f"{one}/file", 1, 1) for one in range(FOLDERS_AT_MOST + 1)])
    assert wide.depth == 0
    assert len(wide.folders) == 1
