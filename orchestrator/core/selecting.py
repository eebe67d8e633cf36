"""What an entry of a job takes out of one restore point, and where each of its paths goes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entry import Restore
from orchestrator.core.in_place import in_place_problems
from orchestrator.core.job import Job
from orchestrator.core.layout import PLAIN, VOLUME, Layout, drives_of
from orchestrator.core.paths import GuestPath, PathRefused, expand_destination, lies_below, parse_guest_path
from orchestrator.core.plan import PlanProblem, Selection
from orchestrator.core.roads import Road

MOST_PATHS = 2_000_000
"""Paths of one entry in all its restore points; the journal holds each of them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Paths that go to one destination, which is still a template."""

    paths: tuple[GuestPath, ...]
    template: str
    layout: Layout


def selections(
    job: Job,
    number: int,
    entry: Restore,
    points: Collection[RestorePoint],
    run: str,
    allow: Sequence[str],
    guests: Sequence[str],
    problems: list[PlanProblem],
) -> Iterator[tuple[RestorePoint, Selection]]:
    """The selections of an entry in each of `points`; what cannot be becomes a problem. `allow` are the roots that
    destinations must lie below, `guests` the machines that EM may restore into."""
    if entry.road is Road.ORIGINAL:
        yield from _in_place(job, number, entry, points, guests, problems)
        return
    places = list(_by_volume(_placed(job, number, entry, problems)))
    if (paths := sum(len(one.paths) for one in places)) * len(points) > MOST_PATHS:
        text = f"{paths:,} paths of each of {len(points):,} restore points are more than a plan holds ({MOST_PATHS:,})"
        problems.append(PlanProblem(number, "paths", f"{text}; name their folders, or fewer machines"))
        return
    for point in points:
        for place in places:
            try:
                destination = _expanded(place.template, point, run)
                below = tuple(_expanded(name, point, run) for name in place.layout.below)
            except PathRefused as error:
                problems.append(PlanProblem(number, "to", str(error)))
                continue
            if not lies_below(destination, allow):
                text = f"{destination!r} does not lie below targets.allow ({', '.join(allow)}); change one of the two"
                problems.append(PlanProblem(number, "to", text))
                continue
            layout = replace(place.layout, below=below)
            yield point, _selection(job, number, entry, point, place.paths, destination, layout)


def _in_place(
    job: Job,
    number: int,
    entry: Restore,
    points: Collection[RestorePoint],
    guests: Sequence[str],
    problems: list[PlanProblem],
) -> Iterator[tuple[RestorePoint, Selection]]:
    """What EM restores to its original location."""
    paths = without_nested(entry.guest_paths)
    for point in points:
        wrong = list(in_place_problems(number, entry, paths, point, guests))
        problems += wrong
        if not wrong:
            selection = _selection(job, number, entry, point, paths, "", PLAIN)
            yield point, replace(selection, guest_credentials=entry.guest_credentials or "")


def _selection(
    job: Job,
    number: int,
    entry: Restore,
    point: RestorePoint,
    paths: tuple[GuestPath, ...],
    destination: str,
    layout: Layout,
) -> Selection:
    return Selection(
        paths=paths,
        include=tuple(entry.include),
        exclude=tuple(entry.exclude),
        destination=destination,
        on_conflict=job.conflict(entry),
        entry=number,
        wishes=job.wishes(entry),
        compare=job.comparison(entry),
        rename_pattern=job.renaming(entry),
        bounds=entry.bounds(point.created),
        layout=layout,
        road=entry.road,
    )


def _expanded(template: str, point: RestorePoint, run: str) -> str:
    """`template` without placeholders but `{volume}`, which the layout fills."""
    return expand_destination(template, vm=point.vm, run=run, created=point.created)


def _placed(job: Job, number: int, entry: Restore, problems: list[PlanProblem]) -> list[_Place]:
    """Which of an entry's paths go where."""
    to = job.destination(entry)
    if isinstance(to, dict):
        table = {parse_guest_path(path): folder for path, folder in to.items()}
        return list(_by_table(number, entry.guest_paths, table, problems))
    paths = without_nested(entry.guest_paths)
    layout = Layout(tuple(map(parse_guest_path, entry.strip)), drives_of(entry.drives))
    for one in layout.strip:
        if not any(one.holds(path) for path in paths):
            text = f"{one} is neither one of the paths nor a folder above one; strip what is above a requested path"
            problems.append(PlanProblem(number, "strip", text))
    below = [(one, path) for one in layout.strip for path in paths if path.holds(one) and one.key != path.key]
    for one, path in below[:1]:
        text = f"{one} lies inside {path}, which lands as a whole; ask for it in an entry of its own"
        problems.append(PlanProblem(number, "strip", text))
    return [] if below else [_Place(paths, _joined(to, entry.prefix), layout.used_by(paths))]


def _by_table(
    number: int, paths: Iterable[GuestPath], table: dict[GuestPath, str], problems: list[PlanProblem]
) -> Iterator[_Place]:
    """Each path goes by the longest key that is it or holds it."""
    found: dict[GuestPath, list[GuestPath]] = {key: [] for key in table}
    for path in paths:
        holding = [key for key in table if key.holds(path)]
        if holding:
            found[max(holding, key=lambda key: (key.volume != "*", len(key.parts)))].append(path)
        else:
            problems.append(PlanProblem(number, "to", f"{path} is below none of the paths of the table; add it there"))
    for key, wanted in found.items():
        if wanted:
            yield _Place(without_nested(wanted), table[key], PLAIN if key.volume == "*" else Layout((key,)))
        else:
            problems.append(PlanProblem(number, "to", f"no path of the entry is {key} or lies below it; remove it"))


def _joined(to: str, prefix: str | None) -> str:
    if not prefix:
        return to
    separator = "\\" if "\\" in to else "/"
    return to.rstrip("/\\") + separator + prefix.replace("/", separator)


def _by_volume(places: Iterable[_Place]) -> Iterator[_Place]:
    """Places whose destination names the volume, a place for each. For `*`, whose volumes only the mount tells, the
    names from `{volume}` on become part of the layout."""
    for place in places:
        if VOLUME not in place.template:
            yield place
            continue
        layout = replace(place.layout, bare=True)
        for volume in dict.fromkeys(path.volume for path in place.paths):
            paths = tuple(path for path in place.paths if path.volume == volume)
            if volume != "*":
                yield _Place(paths, layout.filled(place.template, volume), layout)
                continue
            cut = max(place.template.rfind(mark, 0, place.template.index(VOLUME)) for mark in "/\\")
            names = place.template[cut + 1 :].replace("\\", "/").split("/")
            below = tuple(name for name in names if name)
            root = place.template[:cut] or place.template[: cut + 1]
            yield _Place(paths, root, replace(layout, below=below))


def without_nested(paths: Iterable[GuestPath]) -> tuple[GuestPath, ...]:
    """The paths without those that lie inside another one of them: nothing is walked twice."""
    by_key: dict[tuple[str, ...], GuestPath] = {}
    for path in paths:
        by_key.setdefault(path.key, path)
    return tuple(path for key, path in by_key.items() if not any(key[:length] in by_key for length in range(len(key))))
