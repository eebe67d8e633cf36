"""What an undo did, for people and for programs."""

from orchestrator.core.replaced import UndoReport
from orchestrator.views.json import dump
from orchestrator.views.units import count, size, visible

EXAMPLES = 20
"""Files that were left which a text names; JSON names more of them."""


def undo_text(report: UndoReport) -> str:
    """What came back, what went, and every file that was left with its reason."""
    head = "An undo would do this to" if report.dry else "Undo of"
    lines = [f"{head} run {visible(report.run)}:", ""]
    rows = [
        ("put back", f"{count(report.returned, 'file')}, proved by checksum"),
        ("removed", f"{count(report.removed, 'file')} that the run had added"),
        ("gone", f"{count(report.gone, 'file')} that nobody had to remove"),
        ("left", f"{count(report.left_count, 'file')} that cannot be proved"),
        ("folders", f"{count(report.folders, 'folder')} removed"),
    ]
    if report.discarded:
        rows = [
            ("discarded", f"{count(report.discarded, 'file')}, {size(report.bytes)}, that had been set aside"),
            rows[3],
        ]
    lines += [f"  {name:<9} {value}" for name, value in rows]
    if report.left:
        lines += ["", *(f"left: {visible(one.target_path)}: {visible(one.message)}" for one in report.left[:EXAMPLES])]
    if report.left_count > EXAMPLES:
        lines.append(f"and {report.left_count - EXAMPLES:,} more; --json names them")
    if not report.complete:
        lines += ["", f"Stopped before its end; `orchestrator undo {visible(report.run)}` goes on."]
    return "\n".join(lines) + "\n"


def undo_json(report: UndoReport) -> str:
    """The same, for programs."""
    left = [{"target_path": one.target_path, "message": one.message} for one in report.left]
    return dump(
        {
            "run": report.run,
            "dry_run": report.dry,
            "complete": report.complete,
            "returned": report.returned,
            "removed": report.removed,
            "gone": report.gone,
            "folders_removed": report.folders,
            "discarded": report.discarded,
            "bytes": report.bytes,
            "left": report.left_count,
            "files_left": left,
        },
        indent=2,
    )
