# ruff: noqa: T201 - prints what it finds
"""Planted faults in the product, one at a time, and how many tests notice each.

    python -m tests.chaos.mutations              # all of them: what `make mutations` does
    python -m tests.chaos.mutations cookie       # those whose name holds this word; `make mutations ONLY=cookie`
    python -m tests.chaos.mutations --cases      # one fault for each trouble that is met
    python -m tests.chaos.mutations --laws       # those against the laws, which take the whole suite

Each is applied to a copy of the package in a temporary folder, and tests run against the copy: for one against a law
the chaos suite with every fourth event and call, for a case the tests of its part. A mutation that no test notices is a
hole in the suite: then the exit code is 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.planted import CASES, LAWS, Mutation

HOME = Path(__file__).resolve().parents[2]
FAILED = re.compile(r"^(?:FAILED|ERROR) tests/\w+/(\w+)\.py", re.MULTILINE)
PASSED = re.compile(r"(\d+) passed")
ENOUGH = 60
"""After so many failures a mutation has been noticed well enough."""


def main() -> int:
    kinds, words = {"--cases": CASES, "--laws": LAWS}, sys.argv[1:]
    chosen = [one for kind in words if kind in kinds for one in kinds[kind]] or (*LAWS, *CASES)
    wanted = [one for one in chosen if all(word in one.name for word in words if word not in kinds)]
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder, "copy")
        for part in ("orchestrator", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HOME / part, copy / part, ignore=ignored)
        shutil.copy(HOME / "pyproject.toml", copy)
        failures, passed = _tested(copy, tuple(sorted({tests for one in wanted for tests in one.tests})))
        _tell("nothing changed", failures, passed, "")
        if failures:
            return 1
        for one in wanted:
            unnoticed += not _noticed(copy, one)
    return int(unnoticed > 0)


def _noticed(copy: Path, one: Mutation) -> bool:
    """Whether any test fails with `one` planted."""
    file = copy / "orchestrator" / one.file
    sound = file.read_text("utf-8")
    if sound.count(one.old) != 1:
        print(f"{one.name:56} does not fit {one.file} any more: bring tests/chaos/planted.py up to date", flush=True)
        return False
    file.write_text(sound.replace(one.old, one.new), "utf-8")
    try:
        failures, passed = _tested(copy, one.tests)
    finally:
        file.write_text(sound, "utf-8")
    _tell(one.name, failures, passed, "NOBODY NOTICED")
    return bool(failures)


def _tell(name: str, failures: dict[str, int], passed: int, otherwise: str) -> None:
    shown = ", ".join(f"{file} {count}" for file, count in sorted(failures.items())) or otherwise
    print(f"{name:56} {sum(failures.values()):4} failed, {passed} passed: {shown}", flush=True)


def _tested(copy: Path, tests: tuple[str, ...]) -> tuple[dict[str, int], int]:
    """(failures by test file, how many of `tests` passed)."""
    words = [sys.executable, "-m", "pytest", "-q", "-n", os.environ.get("TEST_JOBS", "2"), "--dist", "worksteal"]
    words += ["-p", "no:cacheprovider", "--timeout", "30", "--maxfail", str(ENOUGH), "--tb", "no", "-rfE"]
    words += [f"--basetemp={copy.parent}/pytest", *tests]
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
