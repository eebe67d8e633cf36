"""The story of `apply-metadata`: what a destination could not hold is put on where it can be held now."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING

from orchestrator.artefacts import keep_put_on, put_on_so_far, run_folder
from orchestrator.config import Config
from orchestrator.core.applying import Applied, moved
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Property
from orchestrator.core.paths import TargetPath, lies_below
from orchestrator.core.reasons import Reason
from orchestrator.core.sidecar import Left, waiting
from orchestrator.files import LocalSource, LocalTarget, open_stream, read_sidecar
from orchestrator.reaching import make_target

if TYPE_CHECKING:
    from orchestrator.files.targets import Targets

CHANGED, MISSING = frozenset({Reason.CHANGED, Reason.EXISTS}), frozenset({Reason.VANISHED})


def apply_metadata(
    config: Config,
    run: str,
    prefixes: Mapping[str, str],
    *,
    dry: bool,
    tell: Callable[[int, int], None],
    destinations: Sequence[str] = (),
) -> Applied:
    """Put on what waits in the sidecar of `run`, line after line; with `dry` only look. `tell` gets (files, 0). What
    was put on at each of the run's `destinations` is kept for its reports.

    Folders come after the files in them, as they were written. StateUnusable when the sidecar cannot be read,
    ConfigInvalid for the password of a share that is not there.
    """
    result, folder, done = Applied(run, dry), run_folder(config, run), put_on_so_far(config, run, destinations)
    with closing(make_target(config, LocalSource())) as target:
        for number, left in enumerate(read_sidecar(folder), 1):
            if isinstance(left, int):
                result.unreadable += 1
                continue
            over = _put_on(target, config, folder, left, moved(left.target, prefixes), result)
            done.add(number, left.target, frozenset() if over is None else waiting(left) - over)
            tell(1, 0)
    if not dry and done.counts:
        keep_put_on(config, run, done)
    return result


def _put_on(
    target: "LocalTarget | Targets", config: Config, folder: Path, left: Left, place: str, result: Applied
) -> frozenset[Property] | None:
    """What of a line is left over; None when the file is not the one that it is of."""
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
        return None
    if not over:
        result.applied += 1
        result.settle(place)
    else:
        result.left_over.update(over)
        result.name(place, f"cannot be held here either: {', '.join(sorted(one.value for one in over))}")
    return over


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
