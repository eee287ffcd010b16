"""The house stands: imports only go down, each outside library has its rooms, and the lower floors touch nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOWN = {
    "monitor": {"monitor", "alerts", "rules", "detectors", "connectors"},
    "alerts": {"alerts", "rules", "connectors"},
    "rules": {"rules", "detectors"},
    "detectors": {"detectors"},
    "connectors": {"connectors"},
}
"""Which packages each package may import."""
SQL = (
    # how a database is reached, what is asked of it, and how that is read on
    "connectors/databases.py",
    "connectors/selects.py",
    "connectors/sources/sql.py",
    "monitor/board_tables.py",
    "monitor/columns.py",
    "monitor/database.py",
    "monitor/retention.py",
    "monitor/store.py",
    "monitor/tables.py",
    "monitor/migrations/",
)
DUCK = (
    "connectors/",
    *(f"monitor/{name}.py" for name in ("windows", "cells", "doubtful", "frames", "grounds")),
    "rules/",
)
FENCES: dict[str, tuple[str, ...]] = {
    "requests": ("connectors/",),
    "tenacity": ("connectors/",),
    "smtplib": ("connectors/smtp.py",),
    "imaplib": ("connectors/mailbox.py", "connectors/imap_commands.py", "connectors/imap_refusals.py"),
    "confluent_kafka": ("connectors/sources/kafka.py", "connectors/brokers.py", "connectors/messages.py"),
    "fsspec": ("connectors/filesystems.py", "connectors/sftp.py"),
    "paramiko": ("connectors/sftp.py",),
    "apprise": ("connectors/receivers/apprise.py",),
    "sqlalchemy": SQL,
    "alembic": SQL,
    "psycopg": SQL,
    "pymysql": (),  # an extra: reached by SQLAlchemy alone
    "sqlite3": (*SQL, "monitor/demo/"),
    "apscheduler": ("monitor/",),
    "prometheus_client": ("monitor/",),
    "fastapi": ("monitor/",),
    "starlette": ("monitor/",),
    "uvicorn": ("monitor/",),
    "river": ("detectors/",),
    "duckdb": DUCK,
}
"""Where each library may be imported: folders (with a slash at the end) and files."""
PURE = ("detectors/", "rules/", "alerts/")
"""No file, no clock."""
OUTSIDE = {"open", "input", "print", "exec", "eval", "compile"}
TOUCHES = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "iterdir", "glob", "rglob"),
    *("now", "utcnow", "today", "monotonic", "perf_counter", "sleep", "time_ns", "urlopen", "getenv"),
}
"""Names whose call, on anything, is a file, a clock or the environment."""
LONGEST = 400
DESK = 200
"""Lines: a desk is one file, and shorter."""

Tree = dict[str, ast.Module]


def application() -> Tree:
    """Every module of the application, by its path from the top."""
    files = [file for package in DOWN for file in sorted((ROOT / package).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def parsed(**sources: str) -> Tree:
    """Modules made up by a test: `monitor__web="import x"` is monitor/web.py."""
    return {f"{name.replace('__', '/')}.py": ast.parse(source) for name, source in sources.items()}


def imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    """The dotted names that a module imports, wherever in it, with their lines; types alone count too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def within(path: str, rooms: Iterable[str]) -> bool:
    return any(path == room or (room.endswith("/") and path.startswith(room)) for room in rooms)


def going_up(tree: Tree) -> list[str]:
    """Imports from a floor above, and relative ones, which would hide it."""
    found = []
    for path, module in tree.items():
        for line, name in imports(module):
            top = name.partition(".")[0]
            if not top or (top in DOWN and top not in DOWN[path.partition("/")[0]]):
                found.append(f"{path}:{line} imports {name}")
    return found


def over_the_fence(tree: Tree) -> list[str]:
    return [
        f"{path}:{line} imports {name}"
        for path, module in tree.items()
        for line, name in imports(module)
        if (rooms := FENCES.get(name.partition(".")[0])) and not within(path, rooms)
    ]


def touching(tree: Tree) -> list[str]:
    """Calls in the pure packages that reach a file, the clock or the environment."""
    found = []
    for path, module in tree.items():
        for node in ast.walk(module) if within(path, PURE) else ():
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in OUTSIDE:
                found.append(f"{path}:{node.lineno} calls {called.id}")
            if isinstance(called, ast.Attribute) and (
                called.attr in TOUCHES or ast.unparse(called) in ("time.time", "os.environ.get")
            ):
                found.append(f"{path}:{node.lineno} calls {ast.unparse(called)}")
    return found


def swallowing(tree: Tree) -> list[str]:
    """Handlers that catch everything and say nothing."""
    return [
        f"{path}:{node.lineno} swallows {ast.unparse(node.type) if node.type else 'everything'}"
        for path, module in tree.items()
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
    ]


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Ways back to where one started, each once, from its alphabetically first place."""
    found = []

    def walk(start: str, here: str, way: list[str]) -> None:
        for there in sorted(edges.get(here, ())):
            if there == start:
                found.append([*way, start])
            elif there > start and there not in way:
                walk(start, there, [*way, there])

    for start in sorted(edges):
        walk(start, start, [start])
    return found


def folders(tree: Tree) -> dict[str, set[str]]:
    """Which folder imports from which other while it is loaded; a folder and what lies in it are not apart."""
    places = {path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for path in tree}
    homes = {place for place in places if f"{place.replace('.', '/')}/__init__.py" in tree}

    def home(name: str) -> str:
        while name and name not in homes:
            name = name.rpartition(".")[0]
        return name

    edges: dict[str, set[str]] = {}
    for path, module in tree.items():
        here = home(path.removesuffix("/__init__.py").removesuffix(".py").replace("/", "."))
        for node in module.body:
            names = (
                [name for _, name in imports(ast.Module([node], []))] if not isinstance(node, ast.FunctionDef) else []
            )
            for name in names:
                there = home(name)
                if there and not f"{there}.".startswith(f"{here}.") and not f"{here}.".startswith(f"{there}."):
                    edges.setdefault(here, set()).add(there)
    return edges


def test_imports_only_go_down() -> None:
    assert going_up(application()) == []


def test_no_circle_among_folders() -> None:
    assert {"alerts", "rules", "connectors"} <= folders(application())["monitor"]
    assert circles(folders(application())) == []


def test_each_library_stays_in_its_rooms() -> None:
    assert over_the_fence(application()) == []


def test_detectors_rules_and_alerts_touch_no_file_and_no_clock() -> None:
    assert touching(application()) == []


def test_no_error_is_swallowed() -> None:
    assert swallowing(application()) == []


def test_modules_are_short() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in application()}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_a_desk_is_one_file_of_less_than_200_lines() -> None:
    desks = {
        file.name: file.read_text(encoding="utf-8").count("\n") for file in (ROOT / "connectors/desks").glob("*.py")
    }
    assert {name: lines for name, lines in desks.items() if lines >= DESK} == {}


def test_every_module_says_what_it_is() -> None:
    assert [path for path, module in application().items() if not ast.get_docstring(module)] == []


def test_no_sixth_package() -> None:
    there = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert there - {"tests"} == set(DOWN)


# ---- the checks themselves can fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (parsed(rules__limit="from monitor.store import Store"), "rules/limit.py:1 imports monitor.store"),
        (parsed(rules__limit="def f():\n    import alerts"), "rules/limit.py:2 imports alerts"),
        (parsed(alerts__cases="import detectors.ewma"), "alerts/cases.py:1 imports detectors.ewma"),
        (parsed(detectors__ewma="from rules import Spec"), "detectors/ewma.py:1 imports rules"),
        (parsed(connectors__sources__x="if TYPE_CHECKING:\n    from alerts import Client"), ":2 imports alerts"),
        (parsed(alerts__cases="from . import Decision"), "alerts/cases.py:1 imports ."),
    ],
)
def test_a_way_up_is_found(tree: Tree, told: str) -> None:
    (found,) = going_up(tree)
    assert told in found


@pytest.mark.parametrize(
    "tree",
    [
        parsed(monitor__people="from sqlalchemy import select"),
        parsed(connectors__sources__file="import sqlalchemy.orm"),
        parsed(monitor__score="from river import anomaly"),
        parsed(monitor__outbox="import requests"),
        parsed(alerts__cases="import duckdb"),
        parsed(connectors__kinds="def f():\n    from fastapi import FastAPI"),
    ],
)
def test_a_jump_over_the_fence_is_found(tree: Tree) -> None:
    assert len(over_the_fence(tree)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "Path('x').read_text()",
        "Path('x').open()",
        "datetime.now(UTC)",
        "date.today()",
        "time.time()",
        "time.monotonic()",
        "time.sleep(1)",
        "os.getenv('X')",
        "os.environ.get('X')",
        "print('x')",
    ],
)
def test_a_touch_is_found_in_the_pure_packages_alone(line: str) -> None:
    assert len(touching(parsed(alerts__cases=line))) == 1
    assert touching(parsed(monitor__store=line)) == []


def test_a_swallowed_error_is_found() -> None:
    shapes = ["except Exception", "except", "except BaseException"]
    tree = parsed(**{f"monitor__m{n}": f"try:\n    f()\n{shape}:\n    pass" for n, shape in enumerate(shapes)})
    assert len(swallowing(tree)) == 3
    assert swallowing(parsed(monitor__a="try:\n    f()\nexcept Exception:\n    log()")) == []
    assert swallowing(parsed(monitor__a="try:\n    f()\nexcept KeyError:\n    pass")) == []


def test_a_circle_is_found() -> None:
    doors = {"monitor": "", "monitor/web": "from monitor.demo import x", "monitor/demo": "import monitor.web.app"}
    tree = {f"{folder}/__init__.py": ast.parse(source) for folder, source in doors.items()}
    assert circles(folders(tree)) == [["monitor.demo", "monitor.web", "monitor.demo"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "b"}}) == [["a", "b", "c", "a"], ["b", "c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == []
