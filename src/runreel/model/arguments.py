"""Type checks for the arguments of public calls, with clear error messages."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar, Union

from runreel.model.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def checked(call: F) -> F:
    """Wrap ``call`` to check its arguments against the types of its signature.

    A string is not accepted as a sequence of strings, nor a bool as a number. Members of
    iterators are not checked. The keys of ``**keywords: Unpack[...]`` are arguments like others.

    Raises:
        UsageError: from each call with an argument of a wrong type, before ``call`` runs.
    """
    code = call.__code__
    names = code.co_varnames[: code.co_argcount]
    hints: dict[str, Any] = {}
    # Where types alone decide: those of all arguments of a call, and that of a named argument.
    accepted_types: set[tuple[object, ...]] = set()

    def check(args: tuple[object, ...], keywords: dict[str, object]) -> bool:
        by_types = True
        if not hints:
            # Resolved at the first call, because some types are imported lazily.
            hints.update(typing.get_type_hints(call))
        for name, value in (*zip(names, args, strict=False), *keywords.items()):
            seen = (name, type(value))
            if seen in accepted_types:
                continue
            hint = hints.get(name, Any)
            if not _fits(value, hint):
                accepted = _join_with_or(_alternatives(hint))
                raise UsageError(
                    f"{call.__name__}({name}=…) takes {accepted}, not {_describe(value)}"
                )
            if isinstance(value, str) or not isinstance(value, Iterable):
                accepted_types.add(seen)
            else:
                by_types = False
        return by_types

    @wraps(call)
    def wrapper(*args: Any, **keywords: Any) -> Any:
        seen = (*map(type, args), *keywords, *map(type, keywords.values()))
        if seen not in accepted_types and check(args, keywords):
            accepted_types.add(seen)
        return call(*args, **keywords)

    if code.co_flags & inspect.CO_VARKEYWORDS:
        hints.update(typing.get_type_hints(call))
        _name_keywords(wrapper, call, hints)
    return typing.cast("F", wrapper)


def _name_keywords(wrapper: Any, call: Callable[..., Any], hints: dict[str, Any]) -> None:
    """Add the keys of ``**keywords: Unpack[...]`` to ``hints`` and to the signature."""
    signature = inspect.signature(call)
    *parameters, keywords = signature.parameters.values()
    (keys,) = typing.get_args(hints.pop(keywords.name))
    hints.update(typing.get_type_hints(keys))
    for name, hint in keys.__annotations__.items():
        default = False if hints[name] is bool else None
        shown = getattr(hint, "__forward_arg__", hint)
        parameters.append(
            keywords.replace(
                name=name, kind=inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown
            )
        )
    wrapper.__signature__ = signature.replace(parameters=parameters)


def require(call: str, value: object, type_: type, *, hint: str | None = None) -> None:
    """Check that ``value``, an argument of ``call``, is an instance of ``type_``.

    Raises:
        UsageError: if it has another type.
    """
    if not isinstance(value, type_):
        raise UsageError(
            f"{call} takes {_with_article(type_.__name__)}, not {_describe(value)}", hint=hint
        )


def _fits(value: object, hint: Any) -> bool:
    if hint is Any:
        return True
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if hint in (int, float):
        # An int is accepted as a float, as by type checkers.
        return isinstance(value, int | hint) and not isinstance(value, bool)
    kind = origin or hint
    return isinstance(value, kind) and (not _has_members(kind) or _all_fit(value, kind, inner))


def _has_members(kind: Any) -> bool:
    return kind is not Callable and issubclass(kind, Iterable) and not issubclass(kind, str)


def _all_fit(value: Any, kind: type, inner: tuple[Any, ...]) -> bool:
    if isinstance(value, Mapping) or issubclass(kind, Mapping):
        return issubclass(kind, Mapping) and all(
            _fits(name, inner[0]) and _fits(item, inner[1]) for name, item in value.items()
        )
    if isinstance(value, str | bytes):
        return False
    return not isinstance(value, Collection) or all(_fits(item, inner[0]) for item in value)


def _alternatives(hint: Any) -> list[str]:
    """Return the accepted types as alternatives."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return list(dict.fromkeys(word for one in inner for word in _alternatives(one)))
    if hint is types.NoneType:
        return ["None"]
    kind = origin or hint
    if kind is Callable:
        return ["a function"]
    if not _has_members(kind):
        return [_with_article(kind.__name__)]
    of = " to ".join(" or ".join(_names(one)) for one in inner)
    return [f"{_with_article(kind.__name__.lower())} of {of}"]


def _names(hint: Any) -> list[str]:
    if hint is Any:
        return ["anything"]
    found = typing.get_args(hint) or (hint,)
    return ["None" if one is types.NoneType else one.__name__ for one in found]


def _join_with_or(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _describe(value: object) -> str:
    if value is None:
        return "None"
    shown = _with_article(type(value).__name__)
    if isinstance(value, list | tuple | set | frozenset) and value:
        shown += f" of {_types(value)}"
    elif isinstance(value, Mapping) and value:
        shown += f" of {_types(value)} to {_types(value.values())}"
    return shown


def _types(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(type(value).__name__ for value in values))


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
