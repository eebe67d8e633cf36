"""The story of `apply-metadata`: what a destination could not hold is put on where it can be held now."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING

from orchestrator.artefacts import run_folder
from orchestrator.config import Config
from orchestrator.core.applying import Applied, moved
from orchestrator.core.errors import FileError
from orchestrator.core.paths import TargetPath, lies_below
from orchestrator.core.reasons import Reason
from orchestrator.core.sidecar import Left
from orchestrator.files import LocalSource, LocalTarget, open_stream, read_sidecar
from orchestrator.reaching import make_target

if TYPE_CHECKING:
    from orchestrator.files.targets import Targets

CHANGED, MISSING = frozenset({Reason.CHANGED, Reason.EXISTS}), frozenset({Reason.VANISHED})


def apply_metadata(
    config: Config, run: str, prefixes: Mapping[str, str], *, dry: bool, tell: Callable[[int, int], None]
) -> Applied:
    """Put on what waits in the sidecar of `run`, line after line; with `dry` only look. `tell` gets (files, 0).

    Folders come after the files in them, as they were written. StateUnusable when the sidecar cannot be read,
    ConfigInvalid for the password of a share that is not there.
    """
    result, folder = Applied(run, dry), run_folder(config, run)
    with closing(make_target(config, LocalSource())) as target:
        for left in read_sidecar(folder):
            if isinstance(left, int):
                result.unreadable += 1
                continue
            _put_on(target, config, folder, left, moved(left.target, prefixes), result)
            tell(1, 0)
    return result


def _put_on(
    target: "LocalTarget | Targets", config: Config, folder: Path, left: Left, place: str, result: Applied
) -> None:
    try:
        over = target.put_back(
            left, _within(place, config), lambda one: open_stream(folder, left, one.name), dry=result.dry_run
        )
    except FileError as error:
        if error.reason in CHANGED:
            result.changed += 1
        elif error.reason in MISSING:
            result.missing += 1
        else:
            result.refused += 1
        result.name(place, str(error.facts.get("what", error)))
        return
    if not over:
        result.applied += 1
        result.settle(place)
        return
    result.left_over.update(over)
    result.name(place, f"cannot be held here either: {', '.join(sorted(one.value for one in over))}")


def _within(place: str, config: Config) -> TargetPath:
    """`place` below one of the allowed folders. A sidecar is a file, and may have been written by anybody: FileError
    when it leads out."""
    roots = [root for root in config.targets.allow if lies_below(place, [root])]
    if not roots:
        what = f"{place} does not lie below targets.allow ({', '.join(config.targets.allow)}); --target-prefix moves it"
        raise FileError(reason=Reason.OUTSIDE_TARGET, guest_path=place, what=what)
    root = max(roots, key=len)
    if not root.startswith("\\\\"):
        return TargetPath(root, PurePath(place).relative_to(PurePath(root)).as_posix())
    above, names = (PureWindowsPath(one.replace("/", "\\")).parts for one in (root, place))
    return TargetPath(root, "/".join(names[len(above) :]))
