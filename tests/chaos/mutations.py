# ruff: noqa: T201 - prints what it finds
"""Planted faults in the product, one at a time, and how many tests notice each.

    python -m tests.chaos.mutations              # all of them: what `make mutations` does
    python -m tests.chaos.mutations cookie       # those whose name holds this word

Each is applied to a copy of the package in a temporary folder, and the chaos suite runs against the copy with every
fourth event and call, and with it the tests of the client. A mutation that no test notices is a hole in the suite: then
the exit code is 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/chaos/test_every_event.py",
    "tests/chaos/test_every_call.py",
    "tests/chaos/test_session_killer.py",
    "tests/chaos/test_lease_machine.py",
    "tests/chaos/test_events_add_up.py",
    "tests/chaos/test_nothing_moves.py",
    "tests/chaos/test_proof_of_absence.py",
    "tests/rooms/test_em_client.py",
)
FAILED = re.compile(r"^(?:FAILED|ERROR) tests/\w+/(\w+)\.py", re.MULTILINE)
PASSED = re.compile(r"(\d+) passed")
ENOUGH = 60
"""After so many failures a mutation has been noticed well enough."""


@dataclass(frozen=True)
class Mutation:
    """`old` stands once in `file` and becomes `new`."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation(
        "no shield on release",
        "engine/leases.py",
        "with CancelScope(shield=True):\n            with move_on_after(self._rooms.settings.unmount_timeout):",
        "with CancelScope(shield=False):\n            with move_on_after(self._rooms.settings.unmount_timeout):",
    ),
    Mutation(
        "no intended row",
        "engine/leases.py",
        "        await self._books.write_lease(row)\n        return Lease(row, generation, self._rooms.mounts)",
        "        return Lease(row, generation, self._rooms.mounts)",
    ),
    Mutation(
        "final name written directly",
        "files/staging.py",
        '    return f".{short}{PARTIAL_SUFFIX}"',
        "    return name",
    ),
    Mutation(
        "times forgotten",
        "files/staging.py",
        "                folder.set_file_times(partial, writing, entry.mtime_ns)\n",
        "",
    ),
    Mutation(
        "cookie jar on",
        "enterprise_manager/transport.py",
        "cookie_jar=aiohttp.DummyCookieJar(),",
        "cookie_jar=aiohttp.CookieJar(unsafe=True),",
    ),
    Mutation(
        "no single flight",
        "enterprise_manager/session.py",
        "            if self._live is not refused:\n                return self.live()\n",
        "",
    ),
    Mutation(
        "generation not checked",
        "enterprise_manager/client.py",
        "        if live.generation != generation:\n",
        "        if False:\n",
    ),
    Mutation(
        "no shield on handing over what is done",
        "engine/scribe.py",
        "with move_on_after(HANDOVER_WITHIN, shield=True), suppress",
        "with move_on_after(HANDOVER_WITHIN), suppress",
    ),
    Mutation(
        "sessions without mounts are not swept",
        "engine/sweeping.py",
        "held: dict[str, list[LeaseRow]] = {session: [] for session in kept",
        "held: dict[str, list[LeaseRow]] = {session: [] for session in ()",
    ),
    Mutation(
        "an empty share proves a mount gone",
        "core/locate.py",
        "        return listing.identity == identity\n",
        "        return True\n",
    ),
    Mutation(
        "waiting for a thread is a stall",
        "engine/pulse.py",
        "    last: float | None = None\n",
        "    last: float | None = field(default_factory=time.monotonic)\n",
    ),
    Mutation(
        "what follows a file that stalled is left out",
        "engine/stages.py",
        "        left = batch.works[reached:]\n",
        "        left = ()\n",
    ),
    Mutation(
        "a file that is told of twice counts twice",
        "engine/scribe.py",
        "totals = change([one for one, _ in pairs], [was for _, was in pairs])",
        "totals = change([one for one, _ in pairs], [None for _ in pairs])",
    ),
    Mutation(
        "restored before it is flushed",
        "engine/scribe.py",
        "self._silent = not await self._flushed(self._flush)",
        "await self._flushed(self._flush)",
    ),
)


def main() -> int:
    wanted = [one for one in MUTATIONS if all(word in one.name for word in sys.argv[1:])]
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder, "copy")
        for part in ("orchestrator", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HOME / part, copy / part, ignore=ignored)
        shutil.copy(HOME / "pyproject.toml", copy)
        failures, passed = _tested(copy)
        print(f"{'nothing changed':44} {sum(failures.values()):4} failed, {passed} passed", flush=True)
        if failures:
            return 1
        for one in wanted:
            file = copy / "orchestrator" / one.file
            sound = file.read_text("utf-8")
            if sound.count(one.old) != 1:
                print(f"{one.name:44} does not fit {one.file} any more: bring tests/chaos/mutations.py up to date")
                unnoticed += 1
                continue
            file.write_text(sound.replace(one.old, one.new), "utf-8")
            failures, passed = _tested(copy)
            file.write_text(sound, "utf-8")
            unnoticed += not failures
            shown = ", ".join(f"{name} {count}" for name, count in sorted(failures.items())) or "NOBODY NOTICED"
            print(f"{one.name:44} {sum(failures.values()):4} failed, {passed} passed: {shown}", flush=True)
    return int(unnoticed > 0)


def _tested(copy: Path) -> tuple[dict[str, int], int]:
    """(failures by test file, how many passed)."""
    words = [sys.executable, "-m", "pytest", "-q", "-n", os.environ.get("TEST_JOBS", "2"), "--dist", "worksteal"]
    words += ["-p", "no:cacheprovider", "--timeout", "30", "--maxfail", str(ENOUGH), "--tb", "no", "-rfE"]
    words += [f"--basetemp={copy.parent}/pytest", *TESTS]
    environment = {**os.environ, "PYTHONPATH": str(copy), "CHAOS_EVERY": "4", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    failures: dict[str, int] = {}
    for name in FAILED.findall(done.stdout):
        failures[name] = failures.get(name, 0) + 1
    passed = PASSED.search(done.stdout)
    if not failures and passed is None:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return failures, int(passed[1]) if passed else 0


if __name__ == "__main__":
    sys.exit(main())
