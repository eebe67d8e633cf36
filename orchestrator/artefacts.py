"""What a run leaves beside the journal: its job, its reports, its checksums, and what is left to do as a job."""

from pathlib import Path

from orchestrator.config import Config
from orchestrator.core.errors import StateUnusable
from orchestrator.core.plan import plan_from_json
from orchestrator.core.report import Report, make_report
from orchestrator.core.residual import residual_job
from orchestrator.files import write_manifest, write_text_atomically
from orchestrator.journal import Journal
from orchestrator.views import report_html, report_json


def run_folder(config: Config, run: str) -> Path:
    """Where the artefacts of a run are."""
    return config.state.folder / "runs" / run


def keep_job(config: Config, run: str, content: bytes) -> None:
    """Keep the job file beside the report: an auditor asks for it."""
    try:
        folder = run_folder(config, run)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.toml").write_bytes(content)
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=cause.strerror or cause) from cause


def write_artefacts(journal: Journal, config: Config, run: str) -> Report:
    """Write report.json, report.html and the checksum manifest of a run; the report. StateUnusable on failure."""
    report = read_report(journal, config, run)
    files = report.files
    try:
        run_folder(config, run).mkdir(parents=True, exist_ok=True)
        rows = ((one.checksum, one.target_path) for one in journal.restored(run) if one.checksum)
        write_manifest(Path(files["manifest"]), rows, config.copying.checksum)
        write_text_atomically(Path(files["report"]), report_json(report) + "\n")
        write_text_atomically(Path(files["html"]), report_html(report))
        if "residual" in files:
            text = residual_job(plan_from_json(journal.run(run).plan), journal.problems(run))
            write_text_atomically(Path(files["residual"]), text or "")
    except OSError as cause:
        raise StateUnusable(folder=config.state.folder, cause=cause.strerror or cause) from cause
    return report


def read_report(journal: Journal, config: Config, run: str) -> Report:
    """The report of a run as the journal knows it now."""
    row = journal.run(run)
    folder = run_folder(config, run)
    files = {
        "report": str(folder / "report.json"),
        "html": str(folder / "report.html"),
        "manifest": str(folder / f"manifest.{config.copying.checksum}"),
        "job": str(folder / "job.toml"),
    }
    planned, problems = plan_from_json(row.plan), journal.problems(run)
    if residual_job(planned, problems) is not None:
        files["residual"] = str(folder / "residual.toml")
    return make_report(planned, row, journal.groups(run), journal.leases(run), journal.totals(run), problems, files)
