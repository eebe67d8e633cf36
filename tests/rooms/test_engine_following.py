"""Links that are followed, over the real files: what they lead to is restored under their names, and never from
elsewhere."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.fidelity import LinkPolicy, Wishes
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath, parse_guest_path
from orchestrator.core.plan import Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.select import Selector
from orchestrator.engine.copying import Copier
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.walking import Terms, Walk
from orchestrator.files import LocalSource, LocalTarget
from tests.support.disk import put, tree


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[LocalTarget]:
    (tmp_path / "target").mkdir()
    target = LocalTarget([str(tmp_path / "target")])
    yield target
    target.close()


def restored(
    share: Path, target: LocalTarget, below: str = "", exclude: tuple[str, ...] = ()
) -> tuple[dict[str, bytes | None], dict[str, Outcome]]:
    """What is at the target after everything below `below` is restored from a Linux guest, and the outcomes."""
    to = share.parent / "target"
    wishes = Wishes(links=LinkPolicy.FOLLOW)
    selection = Selection((parse_guest_path("/"),), (), exclude, str(to), Conflict.SKIP, 1, wishes=wishes)
    volume = Volume("/", "/", (), SourcePath(str(share), ""))
    selector = Selector((), exclude, ignore_case=False)
    names = tuple(name for name in below.split("/") if name)
    walk = Walk(LocalSource(), SimpleNamespace(id="g1", vm="web01"), selection, selector, volume, (names,))  # type: ignore[arg-type]
    terms = Terms("g1", "web01", datetime(2026, 11, 20, tzinfo=UTC), "r1")
    copier = Copier(LocalSource(), target, terms, lambda _: None, lambda: False, lambda _: None)
    done: list[Outcome] = []
    while (batch := walk.next_batch(lambda: None)) is not None:
        copier.perform(batch, done, anyio.run(begun))
    return tree(to), {outcome.guest_path: outcome for outcome in done}


async def begun() -> Pulse:
    return Pulse()


def link(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(text)


def test_what_a_link_leads_to_is_restored_under_the_name_of_the_link(share: Path, target: LocalTarget) -> None:
    put(share / "data" / "a" / "file", b"1")
    put(share / "data" / "b" / "other", b"2")
    link(share / "data" / "b" / "to-folder", "../a")
    link(share / "data" / "b" / "to-file", "/data/a/file")
    link(share / "data" / "b" / "to-link", "to-folder")
    found, outcomes = restored(share, target)
    assert found == {
        "data": None,
        "data/a": None, "data/a/file": b"1",
        "data/b": None, "data/b/other": b"2",
        "data/b/to-folder": None, "data/b/to-folder/file": b"1",
        "data/b/to-file": b"1",
        "data/b/to-link": None, "data/b/to-link/file": b"1",
    }  # fmt: skip
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.RESTORED}
    assert "/data/b/to-folder/file" in outcomes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("../../../etc", "leads out of its volume, to ../../../etc"),
        ("missing", "where nothing is"),
        ("loop", "from link to link without end"),
        ("through/x", "through another link"),
        (".", "contains itself"),
        ("/", "contains itself"),
        ("/data", "contains itself"),
    ],
)
def test_a_link_that_leads_nowhere_or_out_or_round_stays_a_link_with_the_reason(
    share: Path, target: LocalTarget, text: str, told: str
) -> None:
    put(share.parent / "etc" / "secret", b"not of the backup")
    put(share / "data" / "here" / "x", b"1")
    link(share / "data" / "loop", "loop")
    link(share / "data" / "through", "here")
    link(share / "data" / "link", text)
    found, outcomes = restored(share, target)
    outcome = outcomes["/data/link"]
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.LINK_SKIPPED)
    assert told in outcome.message
    assert "data/link" not in found
    assert b"not of the backup" not in found.values()
    assert found["data/through/x"] == b"1"


def test_links_that_lead_to_each_other_end(share: Path, target: LocalTarget) -> None:
    put(share / "a" / "file", b"1")
    put(share / "b" / "file", b"2")
    link(share / "a" / "to-b", "../b")
    link(share / "b" / "to-a", "../a")
    found, outcomes = restored(share, target)
    assert {name: data for name, data in found.items() if data is not None} == {
        "a/file": b"1", "a/to-b/file": b"2", "b/file": b"2", "b/to-a/file": b"1",
    }  # fmt: skip
    assert {name for name, one in outcomes.items() if one.verdict is Verdict.REFUSED} == {
        "/a/to-b/to-a", "/b/to-a/to-b",
    }  # fmt: skip


def test_folders_within_followed_folders_are_entered_three_times(share: Path, target: LocalTarget) -> None:
    for number in range(6):
        put(share / f"{number}" / "file", b"%d" % number)
        link(share / f"{number}" / "next", f"../{number + 1}")
    found, outcomes = restored(share, target, "0")
    assert found["0/next/next/next/file"] == b"3"
    assert "reached over 3 links already" in outcomes["/0/next/next/next/next"].message


def test_a_requested_path_that_is_a_link_is_followed_and_patterns_count_from_it(
    share: Path, target: LocalTarget
) -> None:
    put(share / "real" / "keep", b"1")
    put(share / "real" / "cache" / "x", b"2")
    link(share / "link", "real")
    found, _ = restored(share, target, "link", exclude=("/cache/",))
    assert found == {"link": None, "link/keep": b"1"}


def test_a_folder_that_is_not_wanted_is_not_followed_into(share: Path, target: LocalTarget) -> None:
    put(share / "real" / "x", b"1")
    link(share / "Temp", "real")
    found, _ = restored(share, target, exclude=("Temp/",))
    assert found == {"real": None, "real/x": b"1"}


def test_a_pipe_behind_a_link_is_a_pipe(share: Path, target: LocalTarget) -> None:
    os.mkfifo(share / "pipe")
    link(share / "link", "pipe")
    _, outcomes = restored(share, target)
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.SPECIAL}
