from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import runreel
from runreel.model import errors
from runreel.model.errors import (
    AmbiguousRun,
    BadValue,
    DatabaseLocked,
    RecordingError,
    RunNotFound,
    RunreelError,
)

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, RunreelError)
}
EXITS = {
    "UsageError": 2,
    "LogError": 3,
    "SourceError": 4,
    "BadInput": 1,
    "SourceConflict": 1,
    "BadPrices": 1,
    "PartNotSearched": 1,
    "RunPruned": 1,
    "AuditError": 1,
}


def drawn() -> dict[str, str]:
    """Each class of the drawing with the class that it hangs under."""
    parents: dict[str, str] = {}
    above = ["RunreelError"]
    for line in inspect.getdoc(errors).splitlines():
        head, _, rest = line.partition("─ ")
        if rest:
            depth = (len(head) + 2) // 4
            name = rest.split()[0]
            parents[name] = above[depth - 1]
            above[depth:] = [name]
    return parents


def test_the_tree_is_as_drawn():
    tree = {
        name: kind.__base__.__name__ for name, kind in CLASSES.items() if name != "RunreelError"
    }
    assert drawn() == tree


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"RunreelError", "RecordingError"}))
def test_each_error_exits_as_its_branch_does(name):
    branch = next(kind.__name__ for kind in CLASSES[name].__mro__ if kind.__name__ in EXITS)
    assert CLASSES[name].exit_code == EXITS[branch]


def used() -> set[str]:
    """The names that the code takes to raise them, not to catch them."""
    found = set[str]()
    for path in Path(runreel.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        caught: list[ast.AST | None] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught.append(node.type)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                caught.extend(node.args)
        caught_names = {id(name) for node in caught if node for name in ast.walk(node)}
        found |= {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and id(node) not in caught_names
        }
    return found


def test_each_error_that_has_no_kinds_is_raised_somewhere():
    raised = {name for name, kind in CLASSES.items() if not kind.__subclasses__()}
    assert raised - used() == set()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_error_says_in_a_docstring_what_is_true(name):
    assert CLASSES[name].__doc__.endswith(".")


def test_a_hint_of_its_own_replaces_that_of_the_class():
    assert RunNotFound("no run").hint == "`runreel runs` lists all runs."
    assert RunNotFound("no run", hint="look elsewhere").hint == "look elsewhere"
    assert str(RunNotFound("no run")) == "no run"


def test_an_ambiguous_run_names_its_candidates():
    error = AmbiguousRun("run-1 could be two", candidates=("run-10", "run-11"))
    assert error.candidates == ("run-10", "run-11")
    assert error.hint == "Use a longer prefix of the run id."


def test_a_recording_error_exits_as_its_cause_and_holds_the_event():
    event = object()
    error = RecordingError("not stored", event=event)
    assert error.event is event
    assert error.exit_code == 3
    for cause, code in ((DatabaseLocked("locked"), 3), (BadValue("NaN"), 1), (OSError(), 3)):
        error.__cause__ = cause
        assert error.exit_code == code
