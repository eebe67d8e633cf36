"""A new job file as text: what was asked for, and beside it, commented out, what could be."""

import re
from collections.abc import Sequence
from datetime import datetime

import tomli_w

from orchestrator.core.draft import Draft


def job_text(draft: Draft, file: str) -> str:
    """The text of a job file that is to be called `file`. Every line `# key = value` of it may be uncommented."""
    lines = [
        "# What to restore, from when, to where. docs/reference.md explains every key.",
        f"# Look first, nothing is mounted: orchestrator plan {_word(file)}",
        f"# Then restore:                   orchestrator run {_word(file)}",
        "",
        f"name = {_text(draft.name)}",
        "",
        "[defaults]",
        *_said("Destination, below one of targets.allow; {vm}, {run}, {point}, {date} and {volume} are filled in."),
        *_key("to", draft.to, "/restore/{vm}"),
        *_said("When another file is there: skip, overwrite, newer, changed, aside (undo takes it back) or rename."),
        *_key("on_conflict", draft.on_conflict, "skip"),
        *_said("Beside the bytes: none, basic, full (owner, ACLs, links and more) or permissions-only."),
        *_key("metadata", draft.metadata, "basic"),
        "",
        "[[restore]]",
        *_which(draft),
        "",
        *_files(draft),
    ]
    return "\n".join(lines) + "\n"


def _which(draft: Draft) -> list[str]:
    lines = _said("The machine as Enterprise Manager shows it, or a glob such as fs*.")
    if draft.restore_point:
        lines += _key("restore_point", draft.restore_point, "")
    elif len(draft.vms) > 1:
        lines += _list("vms", draft.vms, ())
    if len(draft.vms) == 1:
        lines += _key("vm", draft.vms[0], "")
    lines += _said("Only restore points of this backup server.")
    lines += _key("backup_server", draft.backup_server, "vbr01")
    lines += _said("Linux guests need it; Enterprise Manager assumes windows.")
    lines += _key("os", draft.os, "linux")
    if not draft.restore_point:
        lines += _said("The newest restore point at or before this instant; without it the newest of all.")
        lines += _instant("as_of", draft.as_of, "2026-11-20T18:00:00Z")
    return lines


def _files(draft: Draft) -> list[str]:
    lines = _said("Folders and files in the guest: C:\\Shares, D:\\, /srv/data, or * for every volume.")
    lines += _list("paths", draft.paths, () if draft.paths_from else ("*",))
    lines += _said("More of them in a file beside this one, one on each line.")
    lines += _key("paths_from", draft.paths_from, "found.txt")
    lines += _said("Patterns as in .gitignore, relative to each path.")
    lines += _list("include", draft.include, ("*.docx", "*.xlsx"))
    lines += _list("exclude", draft.exclude, ("~$*", "Temp/"))
    lines += _said("By size, and by the last change: an instant, or so long before the restore point.")
    lines += [*_key("larger_than", "", "1 kB"), *_key("smaller_than", "", "2 GiB"), *_key("modified_after", "", "30d")]
    lines += _said("Folders whose content lands right below the destination; each one of the paths, or above one.")
    return lines + _list("strip", (), [path for path in draft.paths[:1] if path != "*"] or ["C:\\Shares"])


def _said(comment: str) -> list[str]:
    return [f"# {comment}"]


def _key(key: str, value: str, example: str) -> list[str]:
    if value:
        return [f"{key} = {_text(value)}"]
    return [f"# {key} = {_text(example)}"] if example else []


def _instant(key: str, value: str, example: str) -> list[str]:
    """A key whose value is an instant, which has no quotes in TOML."""
    try:
        shown = datetime.fromisoformat(value or example).isoformat()
    except ValueError:
        shown = _text(value)  # whoever reads the job says what is wrong with it
    return [f"{'' if value else '# '}{key} = {shown}"]


def _list(key: str, values: Sequence[str], example: Sequence[str]) -> list[str]:
    shown = values or example
    if not shown:
        return []
    mark = "" if values else "# "
    if len(shown) < 4:
        return [f"{mark}{key} = [{', '.join(map(_text, shown))}]"]
    return [f"{mark}{key} = [", *(f"  {_text(value)}," for value in shown), "]"]


def _text(value: str) -> str:
    """A TOML string; in single quotes where it can be, so that Windows paths stay as they are typed."""
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return tomli_w.dumps({"k": value}).removeprefix("k = ").rstrip("\n")


def _word(file: str) -> str:
    """A file as a shell takes it, in a comment of one line."""
    plain = re.fullmatch(r"[\w./:@%+=,-]+", file) is not None
    return file if plain else "'" + "".join(char if char.isprintable() else "?" for char in file) + "'"
