"""The copier of one batch, over the real files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.reasons import Reason
from orchestrator.engine.pulse import Abandoned, Pulse
from orchestrator.engine.walking import Batch
from orchestrator.files import LocalTarget
from tests.support.batches import batch_of, begun, copier_to
from tests.support.disk import put, tree


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "share"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def target(root: Path) -> Iterator[LocalTarget]:
    target = LocalTarget([str(root)])
    yield target
    target.close()


def perform(target: LocalTarget, batch: Batch, pulse: Pulse | None = None) -> list[Outcome]:
    done: list[Outcome] = []
    copier_to(target).perform(batch, done, pulse or begun())
    return done


@pytest.mark.parametrize("size", [7, 3 << 20])
@pytest.mark.parametrize(
    ("policy", "verdict", "reason"),
    [
        (Conflict.SKIP, Verdict.SKIPPED, Reason.EXISTS),
        (Conflict.OVERWRITE, Verdict.RESTORED, None),
        (Conflict.RENAME, Verdict.RESTORED, None),
    ],
)
def test_a_file_that_somebody_puts_there_after_the_first_of_its_folder_is_decided_by_what_it_is(
    share: Path, root: Path, target: LocalTarget, policy: Conflict, verdict: Verdict, reason: Reason | None, size: int
) -> None:
    put(share / "first", b"1")
    put(share / "second", b"s" * size)
    perform(target, batch_of(share, root, ["first"], policy))
    (root / "second").write_bytes(b"somebody else's")
    (outcome,) = perform(target, batch_of(share, root, ["second"], policy))
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    found = tree(root)
    assert found["second"] == (b"s" * size if policy is Conflict.OVERWRITE else b"somebody else's")
    assert len(found) == (3 if policy is Conflict.RENAME else 2)


def test_every_file_is_skipped_that_another_run_has_restored_meanwhile(
    share: Path, root: Path, target: LocalTarget
) -> None:
    names = [put(share / f"file {number}", b"content").name for number in range(9)]
    perform(target, batch_of(share, root, names[:1], Conflict.SKIP))
    perform(LocalTarget([str(root)]), batch_of(share, root, names, Conflict.SKIP))
    outcomes = perform(target, batch_of(share, root, names, Conflict.SKIP))
    assert {(one.verdict, one.reason) for one in outcomes} == {(Verdict.SKIPPED, Reason.UNCHANGED)}


def test_a_thread_that_nobody_waits_for_ends_at_the_next_file_and_leaves_nothing_half(
    share: Path, root: Path, target: LocalTarget
) -> None:
    put(share / "first", b"1")
    pulse = begun()
    pulse.abandoned = True
    with pytest.raises(Abandoned):
        perform(target, batch_of(share, root, ["first"], Conflict.SKIP), pulse)
    assert tree(root) == {}
    assert pulse.over
