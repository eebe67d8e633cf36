"""What a run leaves beside the journal: its job, its reports, its checksums, and what is left to do as a job."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from orchestrator.config import Config
from orchestrator.core.applying import Lines, PutOn, settled
from orchestrator.core.causes import plain_cause
from orchestrator.core.errors import StateError, StateUnusable
from orchestrator.core.events import LimitChanged, ReportWritten, RunPaused
from orchestrator.core.falling_back import plan_as_taken
from orchestrator.core.fidelity import Property
from orchestrator.core.ledger import RunRow
from orchestrator.core.plan import plan_from_json
from orchestrator.core.replaced import Stood
from orchestrator.core.report import Change, Replacements, Report, make_report, original_reports
from orchestrator.core.residual import residual_job
from orchestrator.files import SIDECAR, Algorithm, algorithm_named, sha256_of, write_manifest, write_text_atomically
from orchestrator.journal import Journal
from orchestrator.views import change_words, report_html, report_json

CHANGES = "changes.jsonl"
"""Name of the file with what was changed while a run went on."""
PUT_ON = "applied.json"
"""Name of the file with what `apply-metadata` has put on, counted."""


def run_folder(config: Config, run: str) -> Path:
    """Where the artefacts of a run are."""
    return config.state.folder / "runs" / run


def checksum_of(config: Config, run: RunRow) -> Algorithm:
    """The algorithm that a run takes its checksums with; the config's for a run that is older than the note of it."""
    if not run.checksum:
        return config.copying.checksum
    known = algorithm_named(run.checksum)
    if known is None:
        cause = f"run {run.id} has checksums of the kind {run.checksum}, which this version does not know"
        raise StateError(folder=config.state.folder, cause=cause)
    return known


PLAN = "plan.json"
"""The plan document of a run that was of one."""


def keep_job(config: Config, run: str, content: bytes, plan: bytes = b"") -> dict[str, str]:
    """Keep the job file beside the report, and the plan if it was one that was run: an auditor asks for them. Kind and
    path of what was written."""
    folder = run_folder(config, run)
    kept = {"job": (folder / "job.toml", content)} | ({"plan": (folder / PLAN, plan)} if plan else {})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, what in kept.values():
            file.write_bytes(what)
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=plain_cause(cause)) from cause
    return {kind: str(file) for kind, (file, _) in kept.items()}


def keep_changes(config: Config, run: str, events: Sequence[LimitChanged | RunPaused]) -> None:
    """Keep what was changed while a run went on, for its reports. StateUnusable."""
    if not events:
        return
    lines = [{"at": one.at.isoformat(), "change": change_words(one), "who": one.who} for one in events]
    try:
        with (run_folder(config, run) / CHANGES).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=cause.strerror or cause) from cause


def _changes(folder: Path) -> tuple[Change, ...]:
    """What was kept. A line that a crash has cut off, or somebody has changed, is left out."""
    found = []
    with suppress(OSError):
        for line in (folder / CHANGES).read_text("utf-8", "replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                one = json.loads(line)
                found.append(Change(datetime.fromisoformat(one["at"]), str(one["change"]), str(one["who"])))
    return tuple(found)


def keep_put_on(config: Config, run: str, done: PutOn) -> None:
    """Keep what of the sidecar is put on now: how many files, by destination, and which lines. StateUnusable."""
    table = {
        "counts": {root: {one.value: number for one, number in row.items()} for root, row in done.counts.items()},
        "lines": {one.value: stretches for one, stretches in done.lines.items()},
    }
    try:
        write_text_atomically(run_folder(config, run) / PUT_ON, json.dumps(table) + "\n")
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=plain_cause(cause)) from cause


def put_on_so_far(config: Config, run: str, destinations: Sequence[str] = ()) -> PutOn:
    """What was put on before, to be gone on with."""
    return PutOn(destinations, _put_on(run_folder(config, run))[1])


def _put_on(folder: Path) -> tuple[dict[str, dict[Property, int]], dict[Property, Lines]]:
    """(how many files, which lines) of what was kept; nothing when somebody has changed it."""
    try:
        table = json.loads((folder / PUT_ON).read_text("utf-8"))
        counts = {
            str(root): {Property(one): int(number) for one, number in row.items()}
            for root, row in table["counts"].items()
        }
        lines = {
            Property(one): [(int(first), int(last)) for first, last in stretches]
            for one, stretches in table["lines"].items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}, {}
    return counts, lines


def remove_artefacts(config: Config, run: str) -> None:
    """Remove the folder of a run, if it is there. StateError when it stays."""
    folder = run_folder(config, run)
    if run in ("", "..") or Path(run).name != run:
        raise StateError(folder=config.state.folder, cause=f"{run!r} is no name of a run")
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as cause:
        raise StateError(folder=config.state.folder, cause=f"{folder} cannot be removed: {cause.strerror}") from cause


def written(run: str, files: Mapping[str, str], clock: Callable[[], datetime]) -> list[ReportWritten]:
    """What is to be told of files (kind and path) that were just written, with their digests as they are on the disk.
    StateUnusable when one cannot be read back."""
    return [ReportWritten(clock(), run, kind, path, sha256_of(Path(path))) for kind, path in files.items()]


def files_anew(report: Report) -> dict[str, str]:
    """Kind and path of what `write_artefacts` writes: all but what is kept when a run begins."""
    return {kind: path for kind, path in report.files.items() if kind not in ("job", "plan")}


def write_artefacts(journal: Journal, config: Config, run: str) -> Report:
    """Write report.json, report.html and the checksum manifest of a run; the report. StateUnusable on failure."""
    report = read_report(journal, config, run)
    files = report.files
    try:
        run_folder(config, run).mkdir(parents=True, exist_ok=True)
        if "manifest" in files:
            rows = ((one.checksum, one.target_path) for one in journal.restored(run) if one.checksum)
            write_manifest(Path(files["manifest"]), rows, checksum_of(config, journal.run(run)))
        write_text_atomically(Path(files["report"]), report_json(report) + "\n")
        write_text_atomically(Path(files["html"]), report_html(report))
        if "residual" in files:
            planned = plan_as_taken(plan_from_json(journal.run(run).plan), journal.leases(run))
            text = residual_job(planned, journal.problems(run))
            write_text_atomically(Path(files["residual"]), text or "")
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=plain_cause(cause)) from cause
    return report


def read_report(journal: Journal, config: Config, run: str) -> Report:
    """The report of a run as the journal knows it now."""
    row = journal.run(run)
    folder = run_folder(config, run)
    files = {
        "report": str(folder / "report.json"),
        "html": str(folder / "report.html"),
        "job": str(folder / "job.toml"),
    }
    if (folder / PLAN).exists():
        files["plan"] = str(folder / PLAN)
    checksum = checksum_of(config, row)
    if checksum != "none":
        files["manifest"] = str(folder / f"manifest.{checksum}")
    planned, problems = plan_as_taken(plan_from_json(row.plan), journal.leases(run)), journal.problems(run)
    if residual_job(planned, problems) is not None:
        files["residual"] = str(folder / "residual.toml")
    if (folder / SIDECAR).exists():
        files["metadata"] = str(folder / SIDECAR)
    replacements = Replacements(journal.stood(run).get(Stood.REPLACED, 0), journal.held(run), journal.undos(run))
    groups, leases, totals, cards = journal.groups(run), journal.leases(run), journal.totals(run), journal.fidelity(run)
    cards = settled(cards, planned.groups, _put_on(folder)[0])
    report = make_report(planned, row, groups, leases, totals, problems, files, replacements, cards)
    return replace(report, changes=_changes(folder), originals=original_reports(journal.originals(run)))
