"""A seeded estate: what is on the disks of the machines, as values, and its writing to disk."""

import dataclasses
import json
import random
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.simulator.estate import NEWEST, Estate, GuestOs, Machine, Point, Volume, guid
from orchestrator.simulator.trees import Item, Tree, remove_tree, write_tree

_MANIFEST = "estate.json"
_FORMAT = 1
_MIB = 1 << 20
_BIG_FILES = 3

_MACHINES: tuple[tuple[str, GuestOs], ...] = (
    ("fs01", "windows"),
    ("app1", "linux"),
    ("app10", "linux"),
    ("print server", "windows"),
    ("Büro-Ablage", "windows"),
    ("web01", "linux"),
    ("fs02", "windows"),
    ("db02", "linux"),
    ("mail01", "windows"),
    ("app2", "linux"),
    ("profiles", "windows"),
    ("git01", "linux"),
)
_ODD_NAMES = (
    "plan with spaces.xlsx",
    "100% done.txt",
    "literal%20escape.txt",
    "C# notes.txt",
    "Q&A.docx",
    "a+b=c.txt",
    "first;second.csv",
    "it's here.txt",
    "list, of (things) [x] {y}.txt",
    "~$plan.xlsx",
    "no-extension",
    ".hidden",
    "two..dots.tar.gz",
    unicodedata.normalize("NFC", "Übersicht Größe.txt"),
    unicodedata.normalize("NFD", "Münchén zerlegt.txt"),
    "日本語の書類.txt",
    "Отчёт за год.doc",
    "📊 chart.png",
    "l" * 180 + ".txt",
)
_STEMS = ("Invoice", "Report", "Minutes", "Offer", "Photo", "Drawing", "Contract", "Log", "Export", "Backup list")
_ENDINGS = ("docx", "xlsx", "pdf", "txt", "csv", "jpg", "dwg", "msg", "xml", "log")
_WINDOWS_FOLDERS = (
    ("C:", "Shares/Finance/2025/Q{n}"),
    ("C:", "Shares/HR/Personnel files/{n}"),
    ("D:", "Data/Projects/Projekt Müller & Söhne/{n}"),
    ("C:", "Shares/Common/{n}"),
    ("D:", "Data/Exports/2026-{n}"),
    ("C:", "Users/Public/Documents/{n}"),
)
_LINUX_FOLDERS = (
    ("/", "srv/data/customers/{n}"),
    ("/", "srv/data/site #{n}/assets"),
    ("/", "etc/app.d/{n}"),
    ("/", "srv/data/exports/2026-{n}"),
)
_ROOTS: dict[GuestOs, dict[str, str]] = {
    "windows": {"Volume$0:": "Volume1", "C:": "Volume3", "D:": "Volume2"},
    "linux": {"/": "Volume1"},
}
_ODD_HOMES: dict[GuestOs, tuple[tuple[str, str], ...]] = {
    "windows": (("C:", "Shares/Odd names"), ("D:", "Data/Odd names")),
    "linux": (("/", "srv/data/odd names"),),
}
Disks = dict[str, dict[str, Item | None]]


@dataclass(frozen=True)
class EstateSpec:
    """What to build: how many backup servers, machines, points of each machine; the newest points together hold
    at least `files` files outside reserved partitions; sizes of ordinary files lie within `bytes_small` (bytes).
    """

    seed: int = 1
    backup_servers: int = 3
    machines: int = 12
    files: int = 5000
    points: int = 3
    bytes_small: tuple[int, int] = (0, 16384)


def build_estate(folder: Path, spec: EstateSpec) -> Estate:
    """Build the estate of `spec` below `folder`, or take the one that stands there already. Blocking.

    The same spec gives the same machines, guids, bytes, modes and mtimes. Raises FileExistsError if the folder
    holds something else: an estate of another spec, or files that no estate left there.
    """
    estate = Estate(folder, [f"vbr{number:02d}" for number in range(1, spec.backup_servers + 1)])
    manifest = folder / _MANIFEST
    if manifest.exists():
        found = json.loads(manifest.read_text("utf-8"))
        if found["spec"] != _as_json(spec):
            raise FileExistsError(f"{folder} holds an estate of another size or seed: remove it or choose another")
        if found["complete"]:
            estate.make_folders()
            estate.machines.extend(machine for machine, _ in _machines(spec))
            return estate
        remove_tree(folder / "points")
    elif (folder / "points").exists() or (folder / "shares").exists():
        raise FileExistsError(f"{folder} holds points or shares that no estate left there: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write_manifest(manifest, spec, complete=False)
    estate.make_folders()
    for machine, histories in _machines(spec):
        _write_machine(estate, machine, histories)
        estate.machines.append(machine)
    _write_manifest(manifest, spec, complete=True)
    return estate


def _as_json(spec: EstateSpec) -> dict[str, object]:
    return {"format": _FORMAT, **dataclasses.asdict(spec), "bytes_small": list(spec.bytes_small)}


def _write_manifest(path: Path, spec: EstateSpec, *, complete: bool) -> None:
    path.write_text(json.dumps({"spec": _as_json(spec), "complete": complete}), "utf-8")


def _machines(spec: EstateSpec) -> list[tuple[Machine, list[Disks]]]:
    """Every machine with the disks of its points, oldest first."""
    rng = random.Random(spec.seed)  # noqa: S311 - test data
    weights = [rng.choice((1, 1, 2, 3)) for _ in range(spec.machines)]
    made = []
    for number in range(spec.machines):
        name, os = _MACHINES[number] if number < len(_MACHINES) else (f"srv{number + 1:03d}", "windows")
        if number >= len(_MACHINES) and number % 2:
            os = "linux"
        wanted = -(-spec.files * weights[number] // sum(weights))
        disks = _disks(rng, os, wanted, spec.bytes_small, big=number < _BIG_FILES)
        histories = [disks]
        while len(histories) < spec.points:
            histories.insert(0, _elder(rng, histories[0], spec.bytes_small))
        server = 1 + (1 if name == "app10" else number) % spec.backup_servers
        points = [
            Point(guid(spec.seed, number, place), _moment(number, place, spec.points), _volumes(os))
            for place in range(spec.points)
        ]
        made.append((Machine(name, os, f"vbr{server:02d}", points), histories))
    return made


def _volumes(os: GuestOs) -> list[Volume]:
    return [Volume(root, folder) for root, folder in _ROOTS[os].items()]


def _moment(machine: int, place: int, points: int) -> datetime:
    """Points days apart, none alike, with fractions of 0, 3, 6 digits as EM shows them."""
    step = timedelta(days=3 if points <= 6 else 18 / points)
    micro = (0, 553_000, 209_913)[(machine + place) % 3]
    start = NEWEST + timedelta(minutes=machine % 240, seconds=13 * place)
    return (start - step * (points - 1 - place)).replace(microsecond=micro)


def _disks(rng: random.Random, os: GuestOs, wanted: int, sizes: tuple[int, int], *, big: bool) -> Disks:
    """The disks of a machine: the odd cases first, then ordinary files up to `wanted`."""
    disks: Disks = {root: {} for root in _ROOTS[os]}
    for root, home in _ODD_HOMES[os]:
        _add_odd(rng, disks[root], home, sizes)
    root, home = _ODD_HOMES[os][0]
    if big:
        disks[root][f"{home}/big/disk image.bin"] = _item(rng, (2 * _MIB, 3 * _MIB))
    if os == "windows":
        disks["Volume$0:"] |= {"Boot/BCD": _item(rng, (8192, 8192)), "bootmgr": _item(rng, (4096, 4096))}
        disks["C:"]["Windows/win.ini"] = _item(rng, (92, 92))
        disks["D:"]["Data/index.dat"] = _item(rng, sizes)
    else:
        disks["/"] |= {"etc/fstab": _item(rng, (300, 500)), "etc/hosts": _item(rng, (100, 200))}
    folders = _WINDOWS_FOLDERS if os == "windows" else _LINUX_FOLDERS
    have = sum(item is not None for root in disks if root != "Volume$0:" for item in disks[root].values())
    for number in range(max(0, wanted - have)):
        root, pattern = folders[number // 40 % len(folders)]
        home = pattern.format(n=1 + number // (40 * len(folders)))
        name = f"{rng.choice(_STEMS)} {2015 + number % 12}-{number:05d}.{rng.choice(_ENDINGS)}"
        disks[root][f"{home}/{name}"] = _item(rng, sizes)
    return disks


def _add_odd(rng: random.Random, disk: dict[str, Item | None], home: str, sizes: tuple[int, int]) -> None:
    """Names, depths, sizes, modes and times that break careless copiers."""
    for name in _ODD_NAMES:
        disk[f"{home}/{name}"] = _item(rng, sizes)
    deep = "/".join(f"level {depth:02d} of a deep path" for depth in range(14))
    disk[f"{home}/{deep}/bottom.txt"] = _item(rng, sizes)
    disk[f"{home}/100% & more; #1/inside.txt"] = _item(rng, sizes)
    disk[f"{home}/empty.dat"] = _item(rng, (0, 0))
    disk[f"{home}/empty folder/"] = None
    disk[f"{home}/empty folders/below/each other/"] = None
    disk[f"{home}/read only.txt"] = dataclasses.replace(_item(rng, sizes), mode=0o444)
    disk[f"{home}/old/of 1985.txt"] = dataclasses.replace(_item(rng, sizes), mtime_ns=481_234_567_123_456_700)
    disk[f"{home}/old/last of its second.txt"] = dataclasses.replace(
        _item(rng, sizes), mtime_ns=1_100_000_000_999_999_900
    )


def _item(rng: random.Random, sizes: tuple[int, int]) -> Item:
    """A file of 2009 to 2026, its time in steps of 100 ns as NTFS keeps them."""
    mtime_ns = rng.randrange(12_340_000_000_000_000, 17_900_000_000_000_000) * 100
    return Item(rng.getrandbits(48), rng.randint(*sizes), mtime_ns)


def _elder(rng: random.Random, younger: Disks, sizes: tuple[int, int]) -> Disks:
    """What the disks held some days before: most files alike, some other, some not there yet, a few since gone."""
    elder: Disks = {}
    for root, disk in younger.items():
        elder[root] = kept = {}
        for path, item in disk.items():
            fate = rng.random()
            if item is None or fate < 0.85:
                kept[path] = item
            elif fate < 0.95 or "odd names" in path.lower() or item.size > _MIB:
                kept[path] = dataclasses.replace(_item(rng, sizes), mode=item.mode)
        if root == "Volume$0:":
            continue
        home = next(iter(disk)).partition("/")[0]
        kept[f"{home}/removed since/{rng.getrandbits(32):08x}.txt"] = _item(rng, sizes)
    return elder


def _write_machine(estate: Estate, machine: Machine, histories: list[Disks]) -> None:
    """Write the points from the newest to the oldest: what did not change is linked, not written again."""
    younger: tuple[Point, Disks] | None = None
    for point, disks in reversed(list(zip(machine.points, histories, strict=True))):
        for volume in point.volumes:
            known: Tree | None = younger[1][volume.root] if younger else None
            source = estate.content(younger[0], volume.root) if younger else None
            folder = estate.content(point, volume.root)
            write_tree(disks[volume.root], folder, elder=known, elder_folder=source)
        younger = (point, disks)
