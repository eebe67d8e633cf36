"""The laws of the building as plain functions: a root folder in, one line for each violation out.

The same functions are run on the real tree and on a copy with planted violations, so that a checker that has
stopped to see anything is noticed.
"""

import ast
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PURE = ("core", "views")
WITHOUT_AWAIT = (
    *PURE,
    "files",
    "journal",
    "journal_postgres",
    "ledgers",
    "inbox",
    "audit",
    "syslog",
    "config.py",
    "config_web.py",
    "locking.py",
    "records.py",
)
MAY_SPAWN = ("engine", "simulator")

FUNCTION_CAP, FUNCTION_P90, MODULE_CAP = 60, 35, 400
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "handler", "base", "misc"})

_ASYNC = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
_FILE_METHODS = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "iterdir", "rglob", "touch", "rename"}
)
_IMPURE_MODULES = frozenset(
    {"time", "random", "secrets", "uuid", "os", "io", "shutil", "socket", "threading", "logging"}
)
_CLOCKS = frozenset({"now", "utcnow", "today"})
_SPAWNERS = frozenset(
    {"create_task_group", "TaskGroup", "to_thread", "from_thread", "to_process", "create_task", "ensure_future"}
    | {"run_in_executor", "ThreadPoolExecutor"}
)
_COOKIE_JARS = frozenset({"CookieJar", "AbstractCookieJar"})

Found = list[str]


def modules(root: Path, *rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of some rooms (or single modules) of the package in `root`, all of it when none is named."""
    package = root / "orchestrator"
    for place in [package / room for room in rooms] or [package]:
        for file in [place] if place.suffix == ".py" else sorted(place.rglob("*.py")):
            if file.exists():
                yield file, ast.parse(file.read_text("utf-8"), str(file))


def _names(node: ast.AST) -> set[str]:
    """The names that a node uses or imports: `a`, `b.a`, `import a.c`, `from d import a`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.Import(names=names):
            return {name.name.split(".")[0] for name in names}
        case ast.ImportFrom(module=module, names=names):
            return {(module or "").split(".")[0], *(name.name for name in names)}
        case _:
            return set()


def _at(file: Path, node: ast.AST, text: str) -> str:
    return f"{file.parent.name}/{file.name}:{getattr(node, 'lineno', 1)}: {text}"


def awaits_where_none_may(root: Path) -> Found:
    """`async` and `await` in rooms that are pure or that block."""
    return [
        _at(file, node, "async or await in a room without either")
        for file, tree in modules(root, *WITHOUT_AWAIT)
        for node in ast.walk(tree)
        if isinstance(node, _ASYNC)
    ]


def impurities(root: Path) -> Found:
    """Files, clock, environment and randomness in the pure rooms."""
    return [
        _at(file, node, f"a pure room {problem}")
        for file, tree in modules(root, *PURE)
        for node in ast.walk(tree)
        if (problem := _impurity(node))
    ]


def _impurity(node: ast.AST) -> str:
    match node:
        case ast.Import() | ast.ImportFrom(level=0) if bad := _imported(node) & _IMPURE_MODULES:
            return f"imports {', '.join(sorted(bad))}"
        case ast.ImportFrom(module="pathlib", names=names) if any(not one.name.startswith("Pure") for one in names):
            return "imports a path that can touch the disk"
        case ast.Call(func=ast.Name(id="open" | "print" | "input")):
            return f"calls {ast.unparse(node.func)}"
        case ast.Call(func=ast.Attribute(attr=name)) if name in _FILE_METHODS or name in _CLOCKS:
            return f"calls {name}"
        case _:
            return ""


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {name.name.split(".")[0] for name in node.names}


def spawning_outside_the_engine(root: Path) -> Found:
    """Task groups, tasks and threads outside the engine (the simulator plays another machine)."""
    package = root / "orchestrator"
    return [
        _at(file, node, f"only the engine uses {', '.join(sorted(bad))}")
        for file, tree in modules(root)
        if file.relative_to(package).parts[0] not in MAY_SPAWN
        for node in ast.walk(tree)
        if (bad := _names(node) & _SPAWNERS)
    ]


def cookie_jars(root: Path) -> Found:
    """Cookies of EM are never kept: it prefers the cookie over the header. DummyCookieJar is the only jar."""
    found = []
    for file, tree in modules(root):
        for node in ast.walk(tree):
            if bad := _names(node) & _COOKIE_JARS:
                found.append(_at(file, node, f"{', '.join(bad)} keeps cookies; use DummyCookieJar"))
            if isinstance(node, ast.Call) and "ClientSession" in _names(node.func):
                jars = [keyword.value for keyword in node.keywords if keyword.arg == "cookie_jar"]
                if not any("DummyCookieJar" in ast.unparse(jar) for jar in jars):
                    found.append(_at(file, node, "a ClientSession without cookie_jar=DummyCookieJar()"))
    return found


def function_lengths(root: Path) -> list[tuple[int, str]]:
    """How many lines every function has, with its place."""
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, _at(file, node, node.name))
        for file, tree in modules(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def too_long(root: Path) -> Found:
    """Functions and modules over their caps."""
    found = [
        f"{place} has {length} lines, the cap is {FUNCTION_CAP}: it is two functions"
        for length, place in function_lengths(root)
        if length > FUNCTION_CAP
    ]
    for file, _ in modules(root):
        length = len(file.read_text("utf-8").splitlines())
        if length > MODULE_CAP:
            found.append(f"{file.parent.name}/{file.name} has {length} lines, the cap is {MODULE_CAP}: it is two ideas")
    return found


def function_p90(root: Path) -> float:
    """The length that nine of ten functions keep to."""
    return statistics.quantiles([length for length, _ in function_lengths(root)], n=10)[-1]


def empty_names(root: Path) -> Found:
    """Rooms and modules whose name says nothing (`enterprise_manager` is the product's own name)."""
    package = root / "orchestrator"
    paths = [path for path in package.rglob("*") if path.suffix == ".py" or path.is_dir()]
    return [
        f"{path.relative_to(package)}: this name says nothing about what is inside"
        for path in sorted(paths)
        if EMPTY_NAMES & set(path.stem.split("_")) and path.stem != "enterprise_manager"
    ]


def rooms_without_law(root: Path) -> Found:
    """Rooms whose `__init__` does not open with what it may touch and what it refuses."""
    found = []
    for folder in sorted((root / "orchestrator").iterdir()):
        if not (folder / "__init__.py").exists():
            continue
        law = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
        for part, pattern in (("may touch", r"\bmay (touch|use)\b"), ("refuses", r"\brefuses\b")):
            if not re.search(pattern, law, re.IGNORECASE):
                found.append(f"{folder.name}/__init__.py does not say what the room {part}")
    return found


def broken_contracts(root: Path) -> Found:
    """The import contracts of pyproject.toml that the package in `root` breaks."""
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--config", "pyproject.toml", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = re.findall(r"^(.*) BROKEN$", result.stdout, re.MULTILINE)
    if result.returncode == 0 or broken:
        return broken
    raise AssertionError(f"lint-imports did not run: {result.stdout}{result.stderr}")


def copy_of(root: Path, target: Path) -> Path:
    """A copy of the package and its rules, to plant violations in."""
    shutil.copytree(root / "orchestrator", target / "orchestrator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", target)
    return target


def plant(root: Path, module: str, code: str) -> None:
    """Add `code` to the end of a module of the copy, or make the module."""
    file = root / "orchestrator" / module
    with file.open("a", encoding="utf-8") as out:
        out.write(f"\n\n{code}\n")
