"""Copying processes, real ones: what they do is what a thread here would have done, however they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import MountLost
from orchestrator.engine import crew as crew_module
from orchestrator.engine.crew import LANES, Crew
from orchestrator.engine.hiring import Hiring
from orchestrator.engine.pulse import Abandoned
from orchestrator.engine.walking import Batch
from orchestrator.engine.worker import ABANDON
from orchestrator.files import LocalTarget
from orchestrator.working import PROGRAM, Recipe
from tests.support.batches import batch_of, begun, copier_to
from tests.support.disk import put, tree

pytestmark = pytest.mark.timeout(90)
"""On a busy machine a process takes its time to start."""

NAMES = [f"file {number:03d}" for number in range(60)]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        put(tmp_path / "share" / name, name.encode() * (number * 7))
    return tmp_path / "share"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def hire(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Crew]]:
    """Makes crews that begin with the first file, and lets them go at the end."""
    monkeypatch.setattr(crew_module, "AFTER_FILES", 0)
    made: list[Crew] = []

    def hired(processes: int = 1, module: str = PROGRAM) -> Crew:
        made.append(Crew(Hiring(module, Recipe((str(root),), "blake3", False)), threading.Semaphore(processes)))
        return made[-1]

    yield hired
    for crew in made:
        crew.close()


def ready(crew: Crew, share: Path, root: Path) -> int:
    """Wait until the crew has a process; its number. What is copied meanwhile is removed again."""
    put(share / "early", b"")
    until = time.monotonic() + 45
    while not crew.processes and time.monotonic() < until:
        perform(crew, batch_of(share, root, ["early"], Conflict.SKIP))
        (root / "early").unlink()
        time.sleep(0.01)
    return crew.processes[0]


def perform(crew: Crew, batch: Batch, stopping: bool = False) -> list[Outcome]:
    done: list[Outcome] = []
    pulse = begun()
    crew.perform(copier_to(LocalTarget([batch.selection.destination]), stopping=stopping), batch, done, pulse)
    assert pulse.over
    return done


def children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def gone(process: int, within: float = 5) -> bool:
    """Whether a process ends, as one that nobody waits for or that is a zombie."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_a_process_does_what_a_thread_would_have_done(share: Path, root: Path, hire: Callable[..., Crew]) -> None:
    put(root / "file 003", b"somebody else's")
    (root / "file 004").mkdir()
    os.mkfifo(share / "pipe")
    batch = batch_of(share, root, [*NAMES, "pipe"], Conflict.SKIP)
    batch = Batch(batch.selection, batch.volume, batch.works[:-1])
    crew = hire()
    process = ready(crew, share, root)
    here: list[Outcome] = []
    elsewhere = root.parent / "elsewhere"
    put(elsewhere / "file 003", b"somebody else's")
    (elsewhere / "file 004").mkdir()
    copier_to(LocalTarget([str(elsewhere)])).perform(batch_of(share, elsewhere, NAMES, Conflict.SKIP), here, begun())
    there = perform(crew, batch)
    assert crew.processes == [process]
    assert [(one.guest_path, one.verdict, one.reason, one.checksum, one.message) for one in there] == [
        (one.guest_path, one.verdict, one.reason, one.checksum, one.message) for one in here
    ]
    assert tree(root) == tree(elsewhere)
    assert all((root / name).stat().st_mtime_ns == (share / name).stat().st_mtime_ns for name in NAMES[5:])


def test_what_a_process_that_dies_has_left_is_done_here_and_another_takes_its_place(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    crew = hire()
    first = ready(crew, share, root)
    os.kill(first, signal.SIGKILL)
    outcomes = perform(crew, batch_of(share, root, NAMES, Conflict.SKIP))
    assert [one.guest_path for one in outcomes] == [f"C:\\{name}" for name in NAMES]
    assert tree(root) == {name: (share / name).read_bytes() for name in NAMES}
    assert ready(crew, share, root) != first
    assert gone(first)


def test_a_process_that_is_killed_in_the_middle_leaves_nothing_half(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    put(share / "more", b"x" * 900_000)
    names = [*NAMES, *(put(share / f"more {number:03d}", b"y" * 900_000).name for number in range(40))]
    crew = hire()
    process = ready(crew, share, root)
    killer = threading.Timer(0.02, os.kill, (process, signal.SIGKILL))
    killer.start()
    outcomes = perform(crew, batch_of(share, root, names, Conflict.SKIP))
    killer.join()
    assert {one.guest_path for one in outcomes} == {f"C:\\{name}" for name in names}
    assert tree(root) == {name: (share / name).read_bytes() for name in names}


def test_a_process_that_hangs_is_killed_when_its_batch_is_given_up(
    share: Path, root: Path, hire: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "ANSWER_WITHIN", 0.2)
    crew = hire()
    process = ready(crew, share, root)
    os.kill(process, signal.SIGSTOP)
    pulse, done = begun(), list[Outcome]()
    threading.Timer(0.1, setattr, (pulse, "abandoned", True)).start()
    with pytest.raises(Abandoned):
        crew.perform(copier_to(LocalTarget([str(root)])), batch_of(share, root, NAMES, Conflict.SKIP), done, pulse)
    assert pulse.over
    assert gone(process)


def test_a_batch_that_nobody_waits_for_ends_and_leaves_its_process_alive(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    crew = hire()
    process = ready(crew, share, root)
    pulse = begun()
    pulse.abandoned = True
    with pytest.raises(Abandoned):
        crew.perform(copier_to(LocalTarget([str(root)])), batch_of(share, root, NAMES, Conflict.SKIP), [], pulse)
    assert not [name for name in tree(root) if name.startswith(".")]
    assert len(perform(crew, batch_of(share, root, NAMES, Conflict.SKIP))) == len(NAMES)
    assert crew.processes == [process]


def test_a_word_for_an_earlier_batch_that_comes_late_costs_the_next_one_nothing(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    names = [put(share / "many" / f"file {number:04d}", b"x").name for number in range(1000)]
    crew = hire()
    ready(crew, share, root)
    over, worker = threading.Event(), crew._workers[0]

    def give_up() -> None:
        while not over.is_set():
            for lane in range(LANES):
                worker.tell(ABANDON + bytes([lane]))

    late = threading.Thread(target=give_up)
    late.start()
    try:
        outcomes = perform(crew, batch_of(share / "many", root, names, Conflict.SKIP))
    finally:
        over.set()
        late.join()
    assert sorted(Path(one.target_path).name for one in outcomes) == names
    assert {one.verdict for one in outcomes} == {Verdict.RESTORED}
    assert len(list(root.iterdir())) == len(names)


def test_a_process_tells_that_the_mount_is_gone(share: Path, root: Path, hire: Callable[..., Crew]) -> None:
    crew = hire()
    batch = batch_of(share, root, NAMES, Conflict.SKIP)
    ready(crew, share, root)
    share.rename(share.parent / "unmounted")
    with pytest.raises(MountLost, match="no longer on the share"):
        perform(crew, batch)


def test_without_processes_to_be_had_the_files_are_copied_here(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    for crew in (hire(0), hire(module="no.such.program")):
        for _ in range(9):
            outcomes = perform(crew, batch_of(share, root, NAMES, Conflict.OVERWRITE))
            time.sleep(0.05)
        assert len(outcomes) == len(NAMES)
        assert not crew.processes


@pytest.mark.parametrize(
    "make",
    [
        lambda share, root: batch_of(share, root, [put(share / "large", b"l" * (1 << 20)).name], Conflict.SKIP),
        lambda share, root: batch_of(share, root, NAMES, Conflict.RENAME),
    ],
    ids=["large files", "renamed files"],
)
def test_what_is_more_than_a_small_file_is_copied_here(
    make: Callable[[Path, Path], Batch], share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    crew, before = hire(), children(os.getpid())
    perform(crew, make(share, root))
    assert children(os.getpid()) == before


def test_places_are_shared_and_given_back(share: Path, root: Path, hire: Callable[..., Crew]) -> None:
    places = threading.Semaphore(1)
    one, other = hire(), hire()
    one._places = other._places = places
    first = ready(one, share, root)
    perform(other, batch_of(share, root, NAMES, Conflict.SKIP))
    assert not other.processes
    one.close()
    assert gone(first)
    assert ready(other, share, root)


def test_secrets_stand_neither_in_the_words_nor_in_the_environment_of_a_process(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    crew = hire()
    crew._hiring = Hiring(PROGRAM, Recipe((str(root), "/secret-of-the-recipe"), "blake3", False))
    process = ready(crew, share, root)
    for name in ("cmdline", "environ"):
        assert b"secret-of-the-recipe" not in Path(f"/proc/{process}/{name}").read_bytes()
    assert "secret-of-the-recipe" not in repr(crew._hiring)


PARENT = """
import sys, threading, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from orchestrator.core.job import Conflict
from orchestrator.engine import crew as crew_module
from orchestrator.engine.crew import Crew
from orchestrator.engine.hiring import Hiring
from orchestrator.files import LocalTarget
from orchestrator.working import PROGRAM, Recipe
from tests.support.batches import batch_of, begun, copier_to

crew_module.AFTER_FILES = 0
share, root = Path(sys.argv[1]), Path(sys.argv[2])
crew = Crew(Hiring(PROGRAM, Recipe((str(root),), "blake3", False)), threading.Semaphore(1))
names = sorted(one.name for one in share.iterdir())
while True:
    crew.perform(copier_to(LocalTarget([str(root)])), batch_of(share, root, names, Conflict.OVERWRITE), [], begun())
    for name in names:
        (root / name).unlink(missing_ok=True)
    if crew.processes:
        print(crew.processes[0], flush=True)
"""


def test_a_process_ends_when_the_one_that_started_it_is_killed(share: Path, root: Path) -> None:
    home = str(Path(__file__).parents[2])
    words = [sys.executable, "-c", PARENT, str(share), str(root), home]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        assert gone(worker)
        before = tree(root)
        time.sleep(0.2)
        assert tree(root) == before


def test_a_process_takes_no_signal_that_is_for_the_one_that_started_it(
    share: Path, root: Path, hire: Callable[..., Crew]
) -> None:
    crew = hire()
    process = ready(crew, share, root)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process, number)
    assert len(perform(crew, batch_of(share, root, NAMES, Conflict.SKIP))) == len(NAMES)
    assert crew.processes == [process]
