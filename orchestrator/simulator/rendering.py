"""The config and the job that fit a simulated estate, as TOML text. Pure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.simulator.estate import Machine


def render_config(
    *,
    url: str,
    username: str,
    password_file: Path,
    ca_file: Path,
    shares: Mapping[str, Path],
    targets: Sequence[Path],
    state: Path,
    max_mounts: int = 4,
    mounts: int = 20,
    copies: int = 16,
) -> str:
    """`config.toml`; `shares` maps each backup server to the folder that stands for C:\\VeeamFLR on its host."""
    lines = [
        "[enterprise_manager]",
        f"url = {_text(url)}",
        f"username = {_text(username)}",
        f"password_file = {_text(password_file)}",
        f"ca_file = {_text(ca_file)}",
    ]
    for name, share in shares.items():
        lines += [
            "",
            "[[backup_servers]]",
            f"name = {_text(name)}",
            f"shares = [{_text(share)}]",
            f"max_mounts = {max_mounts}",
        ]
    allowed = ", ".join(_text(target) for target in targets)
    lines += ["", "[limits]", f"mounts = {mounts}", f"copies = {copies}"]
    lines += ["", "[targets]", f"allow = [{allowed}]", "", "[state]", f"folder = {_text(state)}"]
    return "\n".join(lines) + "\n"


def render_job(
    machines: Sequence[Machine], *, to: str, name: str = "simulated-estate", on_conflict: str = "skip"
) -> str:
    """`job.toml`: the newest point of each machine, every volume that has a drive letter or is a Linux root."""
    lines = [f"name = {_text(name)}", "", "[defaults]", f"to = {_text(to)}", f"on_conflict = {_text(on_conflict)}"]
    for machine in machines:
        roots = [volume.root for volume in machine.points[-1].volumes if not volume.root.startswith("Volume$")]
        paths = ", ".join(_text(root if root == "/" else f"{root}\\") for root in roots)
        lines += ["", "[[restore]]", f"vm = {_text(machine.name)}"]
        if machine.os == "linux":
            lines.append('os = "linux"')
        lines.append(f"paths = [{paths}]")
    return "\n".join(lines) + "\n"


def _text(value: str | Path) -> str:
    """A TOML string: literal where that is possible, because that is what a person would type."""
    text = str(value)
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
