"""No test depends on the moment at which it runs."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
_READINGS = {"now", "today", "utcnow", "time", "time_ns"}
_CLOCKS = {"datetime", "date", "dt", "time"}


def readings(tree: ast.Module) -> list[int]:
    """The lines that read the clock while the module is imported."""
    found, left = [], list[ast.AST](tree.body)
    while left:
        node = left.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # Its body runs later; its decorators and defaults do not.
                left += [*node.decorator_list, node.args]
                continue
            case ast.Lambda():
                continue
            case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _READINGS:
                words = {one.id for one in ast.walk(owner) if isinstance(one, ast.Name)}
                found += [node.lineno] if words & _CLOCKS else []
        left += ast.iter_child_nodes(node)
    return sorted(found)


def test_what_reads_the_clock_on_import_is_found():
    tree = ast.parse(
        "NOW = datetime.now(UTC)\n"
        "@parametrize('day', [date.today()])\n"
        "def test(at=time.time()):\n"
        "    return datetime.now(UTC)\n"
        "class A:\n"
        "    now = dt.datetime.now()\n"
        "    def f(self):\n"
        "        return lambda: time.time_ns()\n"
    )
    assert readings(tree) == [1, 2, 3, 6]


def test_no_module_reads_the_clock_when_it_is_imported():
    # A day later, or in the next month, what is compared with such a time is wrong.
    found = {
        f"{path.relative_to(TESTS)}:{line}"
        for path in TESTS.rglob("*.py")
        for line in readings(ast.parse(path.read_text("utf-8")))
    }
    assert found == set()
