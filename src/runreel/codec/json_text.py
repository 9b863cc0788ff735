"""JSON values as text and back, exactly: what any UTF-8 store takes, and any program can read."""

from __future__ import annotations

import json
import math
import re
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable

# Deeper values would be stored by one program and overrun the stack of another that reads them.
# What is read may be deeper than what is stored: a line of an export wraps a stored value.
MAX_DEPTH = 128

SURROGATE = re.compile("[\ud800-\udfff]")
_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# What the standard library makes anew for each value. Without markers it knows no circles but by
# their depth.
_quick = c_make_encoder(
    markers=None,
    default=None,
    encoder=encode_basestring,
    indent=None,
    key_separator=":",
    item_separator=",",
    sort_keys=False,
    skipkeys=False,
    allow_nan=False,
)
_sorted = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":")).encode
_fast_decode = msgspec.json.Decoder().decode
_fast_sorted = msgspec.json.Encoder(order="sorted").encode


def loads(text: str | bytes, *, depth: int = 2 * MAX_DEPTH) -> Any:
    """The JSON value of ``text``, which nests ``depth`` levels at most.

    Raises:
        BadValue: if it is not JSON (NaN and Infinity are not), or out of bounds.
    """
    value = _parsed(text)
    _bound(value, depth, text)
    return value


def dumps(value: Any) -> str:
    """``value`` as compact JSON that any UTF-8 store takes: NUL and lone surrogates escaped.

    Raises:
        BadValue: if it is no JSON value, or out of bounds.
    """
    try:
        text = "".join(_quick(value, 0))
    except (RecursionError, TypeError, ValueError):
        # The slower one tells the reason.
        text = _encoded(_strict, value)
    _bound(value, MAX_DEPTH, text)
    if text.isascii():
        return text
    return SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def canonical(value: Any) -> bytes:
    """Bytes that are equal for equal JSON values, whatever the order of their keys.

    Raises:
        BadValue: if it is no JSON value.
    """
    return _encoded(_sorted, value).encode()


def sorted_bytes(value: Any) -> bytes:
    """Like ``canonical``, in a fraction of the time, for what is known to be a JSON value."""
    try:
        return _fast_sorted(value)
    except (TypeError, UnicodeError):
        # Not every string is one to msgspec, nor every key: as they are read again, most are.
        value = loads(dumps(value))
    try:
        return _fast_sorted(value)
    except UnicodeError:
        return canonical(value)


def _parsed(text: str | bytes) -> Any:
    try:
        return _fast_decode(text)
    except RecursionError:
        raise BadValue("JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError):
        # msgspec knows no lone surrogates; the slower decoder does, and tells the reason.
        pass
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise BadValue("JSON is nested too deeply") from None
    except ValueError as error:
        raise BadValue(f"not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise BadValue(f"{name} is not JSON", hint="Send null or a string instead.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadValue(f"the number {text[:40]} is out of a float's range")
    return number


def _encoded(encode: Callable[[Any], str], value: Any) -> str:
    try:
        return encode(value)
    except RecursionError:
        raise BadValue("the value is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise BadValue(f"not a JSON value: {error}") from None


def _bound(value: Any, depth: int, text: str | bytes) -> None:
    if _opening(text) <= depth:
        return
    level = [value]
    for _ in range(depth + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise BadValue(f"the value is nested more than {depth} deep")


def _opening(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return text.count(b"{") + text.count(b"[")
    return text.count("{") + text.count("[")


def _children(item: Any) -> Any:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, (list, tuple)) else ()
