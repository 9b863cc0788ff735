"""The page of public names, made from their docstrings."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from html import escape
from typing import TYPE_CHECKING, Any

import runreel
from runreel.model.status import BaseRunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.errors import RunreelError

HEAD = """\
# Python

All names on this page are importable from `runreel`. Submodules are internal.
`import runreel` is fast: each name loads its module on first use.
`runreel.tables` has the tables for [SQLAlchemy](../how-to/sqlalchemy.md).
"""

# The module of a name decides its chapter; the order is a newcomer's.
CHAPTERS = {
    "runreel.api.reel": "Open and read a log",
    "runreel.api.watching": "Record a program as it is",
    "runreel.recording.session": "Record",
    "runreel.recording.deduplication": "Results of an append",
    "runreel.model.story": "Story",
    "runreel.model.steps": "Steps",
    "runreel.model.run_diff": "Differences of runs",
    "runreel.model.timeline": "Replay",
    "runreel.model.results": "Results of a run",
    "runreel.model.status": "Statuses",
    "runreel.model.messages": "Messages",
    "runreel.model.events": "Stored events",
    "runreel.model.runs": "Runs and lists",
    "runreel.model.usage": "Usage",
    "runreel.model.budget": "Budgets",
    "runreel.model.search": "Searches",
    "runreel.export.export": "Exports",
    "runreel.model.finding": "Audit reports",
    "runreel.model.maintenance": "Erasure and recovery reports",
    "runreel.model.errors": "Errors",
}
_MARKS = re.compile(r"``(.+?)``")
_RAISES = re.compile(r"\n*Raises:\n((?: {4}.*(?:\n|$))+)")
_RAISED = re.compile(r"^ {4}(\w[\w, ]*): ((?:.*\n?)(?: {5,}.*\n?)*)", re.MULTILINE)
_MODULE = re.compile(r"\b[a-z_]+\.(?=[A-Z])")
_LONGEST = 88


def render() -> str:
    """The whole page, as Markdown."""
    public = {name: getattr(runreel, name) for name in runreel.__all__}
    parts = [HEAD]
    for module, title in CHAPTERS.items():
        names = sorted(
            (name for name, value in public.items() if value.__module__ == module),
            key=lambda name: inspect.getsourcelines(public[name])[1],
        )
        parts.append(f"## {title}\n")
        if module == "runreel.model.errors":
            parts.extend(_errors([public[name] for name in names]))
        else:
            parts.extend(_entry(name, public[name]) for name in names)
    return "\n".join(parts).rstrip() + "\n"


def chapters_cover_everything() -> bool:
    """Whether each public name has a chapter."""
    return {getattr(runreel, name).__module__ for name in runreel.__all__} == set(CHAPTERS)


def described(docstring: str | None) -> str:
    """A docstring as Markdown."""
    text = inspect.cleandoc(docstring or "")
    raised = _RAISES.search(text)
    if raised:
        text = _RAISES.sub("", text)
        for names, condition in _RAISED.findall(raised[1]):
            listed = ", ".join(f"`{name}`" for name in names.split(", "))
            text += f"\n\nRaises {listed} {' '.join(condition.split())}"
    return _MARKS.sub(r"`\1`", text) + "\n"


def _entry(name: str, value: Any) -> str:
    lines = [f"### {name}\n"]
    if inspect.isfunction(value):
        lines += [_fenced(f"runreel.{name}", value), described(value.__doc__)]
    elif issubclass(value, enum.Enum):
        lines += [described(value.__doc__), *_members(value)]
    else:
        lines += [described(value.__doc__), *_bases(value), *_fields(value), *_methods(value)]
    return "\n".join(lines)


def _bases(kind: type) -> Iterator[str]:
    for base in kind.__mro__[1:]:
        if base.__name__ in runreel.__all__:
            yield f"Has all attributes of [`{base.__name__}`](#{base.__name__.lower()}) too.\n"


def _fields(kind: type) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        types = {field.name: field.type for field in dataclasses.fields(kind)}
    elif issubclass(kind, tuple):
        hints = kind.__annotations__
        types = {
            name: getattr(hints[name], "__forward_arg__", hints[name]) for name in kind._fields
        }
    else:
        return
    shown = {name: type_ for name, type_ in types.items() if not name.startswith("_")}
    rows = [(f"`{name}`", _code(_annotation(type_))) for name, type_ in shown.items()]
    yield _table(("field", "type"), rows)


def _methods(kind: type) -> Iterator[str]:
    inner = {base for base in kind.__mro__ if base.__module__.startswith("runreel.")}
    own = [base for base in kind.__mro__ if base in inner and _is_part(base, kind)]
    members: dict[str, Any] = {}
    for base in own:
        for name, item in vars(base).items():
            members.setdefault(name, item)
    for name, value in members.items():
        if name.startswith("_") or not value.__doc__:
            continue
        if isinstance(value, property):
            answer = inspect.signature(value.fget).return_annotation
            yield f"**`.{name}`** → `{_annotation(answer)}`\n"
        elif inspect.isfunction(value):
            yield _fenced(f".{name}", value)
        else:
            continue
        yield described(value.__doc__)


def _is_part(base: type, kind: type) -> bool:
    """Whether the members of a base class are documented with ``kind``: it has no entry itself."""
    return base is kind or base.__name__ not in runreel.__all__


def _members(kind: type[enum.IntEnum]) -> Iterator[str]:
    if not issubclass(kind, BaseRunStatus):
        yield _table(("name", "number"), [(f"`{m.name}`", str(m.value)) for m in kind])
        return
    asked = ("is_running", "is_succeeded", "is_failed", "is_finished")
    rows = [
        (
            f"`{member.name}`",
            str(member.value),
            *("yes" if getattr(member, name) else "" for name in asked),
            f"`{member.status_name}`",
        )
        for member in kind
    ]
    yield _table(("name", "number", *(f"`{name}`" for name in asked), "`status_name`"), rows)


def _errors(kinds: Iterable[type[RunreelError]]) -> Iterator[str]:
    yield (
        "All derive from `RunreelError`. The message describes the error; `hint` says what to do"
        " next, or is None. `exit_code` is the exit code of the command line.\n"
    )
    rows = []
    for kind in kinds:
        code = kind.__dict__.get("exit_code", kind.exit_code)
        meaning = " ".join(described(kind.__doc__).split())
        rows.append(
            (
                f"`{kind.__name__}`",
                f"`{kind.__bases__[0].__name__}`",
                str(code) if isinstance(code, int) else "its cause's",
                meaning + (f" *{_marked(kind.hint)}*" if kind.hint else ""),
            )
        )
    yield _table(("error", "derives from", "exit code", "meaning, and *hint*"), rows)


def _marked(text: str) -> str:
    return text.replace("*", "\\*")


def _fenced(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [_parameter(one) for one in signature.parameters.values() if one.name != "self"]
    stars = [one.kind is inspect.Parameter.KEYWORD_ONLY for one in signature.parameters.values()]
    if True in stars:
        parameters.insert(stars.index(True) - ("self" in signature.parameters), "*")
    answer = f" -> {_annotation(signature.return_annotation)}"
    line = f"{name}({', '.join(parameters)}){answer}"
    if len(line) > _LONGEST:
        inner = "".join(f"    {one},\n" for one in parameters)
        line = f"{name}(\n{inner}){answer}"
    return f"```python\n{line}\n```\n"


def _parameter(one: inspect.Parameter) -> str:
    text = f"{one.name}: {_annotation(one.annotation)}"
    return text if one.default is inspect.Parameter.empty else f"{text} = {one.default!r}"


def _annotation(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _MODULE.sub("", text)


def _code(text: str) -> str:
    """Code that may stand in a table: not every Markdown takes an escaped bar in backticks."""
    if "|" not in text:
        return f"`{text}`"
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
