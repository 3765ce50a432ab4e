"""The architecture, read from the imports. The ranks stand in CONTRIBUTING.md; this file holds the code to them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WEBAPP = sorted((ROOT / "webapp").rglob("*.py"))
TOP = [ROOT / name for name in ("wsgi.py", "dev.py", "gunicorn.conf.py")]
PRODUCT = [*WEBAPP, *sorted((ROOT / "simulator").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py")), *TOP]
EVERYTHING = [*PRODUCT, *sorted((ROOT / "migrations").rglob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]
TEMPLATES = sorted((ROOT / "templates").rglob("*.*"))

SQL = (
    "accounts/",
    "ads/accounts.py",
    "ads/changelog.py",
    "ads/changes/",
    "ads/demo_replay.py",
    "ads/demo_seed.py",
    "ads/guards.py",
    "ads/imports/keeping.py",
    "ads/imports/orders.py",
    "ads/imports/uploads.py",
    "ads/local.py",
    "ads/reports.py",
    "ads/sync/",
    "analytics/",
    "audit.py",
    "chat/approvals.py",
    "chat/log.py",
    "chat/picker.py",
    "chat/prefixes.py",
    "chat/transcript/",
    "db/",
    "usage/",
    "vault/",
)
CLOCKWORK = (
    "chat/runner.py",
    "chat/job.py",
    "chat/log.py",
    "chat/side_by_side.py",
    "llm/client.py",
    "accounts/passwords.py",
)
RIM = ("app.py", "cli.py", "pages/")
OWNERS = {
    "requests": ("llm/client.py", "ads/wire.py", "analytics/tinybird.py"),
    "urllib3": ("llm/client.py", "ads/wire.py", "analytics/tinybird.py"),
    "cryptography": ("vault/keyring.py", "accounts/passwords.py"),
    "gevent": CLOCKWORK,
    "flask": RIM,
    "flask_login": RIM,
    "werkzeug": RIM,
    "sqlalchemy": SQL,
    "psycopg": (*SQL, "chat/runner.py"),  # the runner outlives a database that is away
    "alembic": ("db/migrate.py",),
    "webapp.db.models": SQL,
    "os.environ": ("config.py",),
    "os.getenv": ("config.py",),
    "markupsafe": ("pages/richtext.py",),
    "flask.Markup": ("pages/richtext.py",),
}
MAY_EXPOSE = (
    "secret.py",
    "vault/keyring.py",
    "llm/client.py",
    "ads/wire.py",
    "ads/meta_graph.py",
    "ads/google_signin.py",
    "analytics/tinybird.py",
)
NOT_A_CONCEPT = {"util", "utils", "helper", "helpers", "service", "services", "common", "base", "manager", "handler"}
LONGEST_FUNCTION = 50  # lines


# --- reading ----------------------------------------------------------------------------------------------------


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(node: ast.AST) -> Iterator[str]:
    """Every imported name in full: `from a.b import c` gives a.b.c."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            assert each.level == 0, f"line {each.lineno}: relative import"
            yield from (f"{each.module}.{alias.name}" for alias in each.names)


def uses(node: ast.AST) -> Iterator[str]:
    """Imported names, and attributes of modules as they are written: `os.environ`."""
    yield from imports(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            yield f"{each.value.id}.{each.attr}"


def functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (each for each in ast.walk(node) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)))


def broad(node: ast.AST) -> list[int]:
    """The lines of `except:`, `except Exception` and `except BaseException`, alone or in a tuple."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.ExceptHandler):
            kinds = each.type.elts if isinstance(each.type, ast.Tuple) else [each.type]
            if any(kind is None or (isinstance(kind, ast.Name) and kind.id.endswith("Exception")) for kind in kinds):
                found.append(each.lineno)
    return found


def exposes(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Attribute) and each.attr == "expose" for each in ast.walk(node))


def belongs(path: Path, owners: tuple[str, ...]) -> bool:
    name = path.relative_to(ROOT / "webapp").as_posix()
    return any(name.startswith(owner) if owner.endswith("/") else name == owner for owner in owners)


def within(name: str, thing: str) -> bool:
    return name == thing or name.startswith(thing + ".")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in WEBAPP}


def module_of(name: str) -> str | None:
    """The module of ours that an imported name lives in: webapp.llm.blocks.Json -> webapp.llm.blocks."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def ranks() -> dict[str, int]:
    """From the line in CONTRIBUTING.md: `errors, secret < config, llm < db < ...`."""
    line = re.search(r"^`(errors.*<.*)`$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert line, "CONTRIBUTING.md has no line of ranks"
    return {
        name.strip(): number for number, group in enumerate(line[1].split("<")) for name in group.split(",") if name
    }


RANKS = ranks()


def rank(name: str) -> int:
    return RANKS[name.split(".")[1]]


# --- imports point down -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WEBAPP, ids=named)
def test_imports_point_down(path: Path) -> None:
    if module(path) == "webapp":
        assert not list(imports(tree(path))), "importing webapp must import nothing"
        return
    for name in imports(tree(path)):
        target = module_of(name) if within(name, "webapp") else None
        if target:
            assert target != "webapp", f"{name} does not exist"
            assert rank(target) <= rank(module(path)), f"{module(path)} must not import {target}"


def test_imports_form_no_circle() -> None:
    below: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        found = {module_of(each) for each in imports(tree(path)) if within(each, "webapp")}
        below[name] = {each for each in found if each and each != name}
    assert find_circle(below) == []


def find_circle(below: dict[str, set[str]]) -> list[str]:
    """A path that comes back to its start, or nothing."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for each in sorted(below.get(name, ())):
            if circle := walk(each, [*way, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(below) if (circle := walk(name, []))), [])


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_no_import_hides_inside_a_function(path: Path) -> None:
    hidden = [name for function in functions(tree(path)) for name in imports(function)]
    assert hidden == []


def test_the_product_does_not_know_its_simulator_tests_and_tools() -> None:
    for path in WEBAPP:
        strangers = [
            name for name in imports(tree(path)) if name.split(".")[0] in ("simulator", "tests", "bench", "dev")
        ]
        assert strangers == [], named(path)


# --- owners -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", OWNERS)
def test_only_its_owners_use(thing: str) -> None:
    strangers = {
        named(path)
        for path in WEBAPP
        if not belongs(path, OWNERS[thing])
        and any(within(name, thing) and not within(name, "sqlalchemy.exc") for name in uses(tree(path)))
    }
    assert strangers == set()


def test_secrets_are_exposed_only_where_they_are_sealed_or_sent() -> None:
    assert {named(path) for path in WEBAPP if exposes(tree(path)) and not belongs(path, MAY_EXPOSE)} == set()


def test_only_richtext_says_that_html_is_safe() -> None:
    trusting = re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\(")
    assert {named(path) for path in TEMPLATES if trusting.search(path.read_text())} == set()
    assert {
        named(path)
        for path in WEBAPP
        if not belongs(path, ("pages/richtext.py",)) and re.search(r"\bMarkup\b", path.read_text())
    } == set()


def test_the_core_brings_no_flask_no_sql_and_no_sockets() -> None:
    core = [name for name in MODULES if within(name, "webapp.llm") and name != "webapp.llm.client"]
    assert core
    assert brought_by(*core) & {"flask", "sqlalchemy", "psycopg", "requests", "gevent", "cryptography"} == set()


def test_the_turn_brings_no_flask_and_no_gevent() -> None:
    assert brought_by("webapp.chat.turn") & {"flask", "requests", "gevent"} == set()


def brought_by(*names: str) -> set[str]:
    """The top-level packages in a fresh process after importing these."""
    code = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


# --- manners ----------------------------------------------------------------------------------------------------


def test_at_most_two_broad_excepts_around_one_tool_call_and_one_turn() -> None:
    found = {named(path): lines for path in PRODUCT if (lines := broad(tree(path)))}
    assert set(found) <= {"webapp/chat/runner.py", "webapp/chat/turn.py"}
    assert sum(map(len, found.values())) <= 2


@pytest.mark.parametrize("path", [*EVERYTHING, *TEMPLATES], ids=named)
def test_files_are_named_after_concepts(path: Path) -> None:
    words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in re.split(r"[_.]", part)}
    assert words & NOT_A_CONCEPT == set()


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_each_file_opens_with_what_lives_here(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_functions_are_short(path: Path) -> None:
    long = [each.name for each in functions(tree(path)) if (each.end_lineno or 0) - each.lineno >= LONGEST_FUNCTION]
    assert long == []


# --- the reader itself ------------------------------------------------------------------------------------------


def test_the_reader_sees_what_it_looks_for() -> None:
    code = ast.parse(
        "import os\nfrom flask import Markup\n"
        "def f(secret):\n    import requests\n    try:\n        return os.environ\n"
        "    except (OSError, Exception):\n        return secret.expose()\n"
    )
    assert {"os", "flask.Markup", "requests", "os.environ"} <= set(uses(code))
    assert [list(imports(each)) for each in functions(code)] == [["requests"]]
    assert broad(code) == [7]
    assert exposes(code)
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert rank("webapp.errors") < rank("webapp.vault.byok") < rank("webapp.app")
