"""What the layout promises, checked: who talks to the driver, what SQL is made of, how long things are."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rapport"
MODULES = sorted(SOURCE.rglob("*.py"))
DRIVER_CALLS = {"fetch", "fetchrow", "fetchval", "execute", "executemany", "copy_records_to_table"}
# Beside queries.py: the pool itself, and the running of migration files.
MAY_CALL_THE_DRIVER = {"core/db.py", "core/steps.py"}
BANNED_NAMES = {"utils", "helpers", "manager", "service", "base", "common"}


def name_of(path: Path) -> str:
    """Return a module's path below the package."""
    return path.relative_to(SOURCE).as_posix()


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function of a module."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_keeps_the_house_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "its first line says what it owns"
    assert len(text.splitlines()) <= 400
    assert not BANNED_NAMES & set(path.with_suffix("").relative_to(SOURCE).parts)
    for function in functions(tree):
        assert (function.end_lineno or 0) - function.lineno < 60, function.name
        inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not inner, f"{function.name} imports"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "queries.py"], ids=name_of)
def test_only_queries_talk_to_the_driver(path: Path) -> None:
    if name_of(path) in MAY_CALL_THE_DRIVER:
        return
    called = [
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert not DRIVER_CALLS & set(called)


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "queries.py"], ids=name_of)
def test_no_argument_of_a_query_gets_into_its_text(path: Path) -> None:
    for function in functions(ast.parse(path.read_text())):
        arguments = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        for node in ast.walk(function):
            if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
                assert node.value.id not in arguments, f"{function.name}: {node.value.id}"
