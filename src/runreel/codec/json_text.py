"""Exact conversion of JSON values to text and back, portable to any UTF-8 store."""

from __future__ import annotations

import json
import math
import re
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Deeper values could overflow the stack of a program that reads them. Input may be deeper than
# stored values, because a line of an export wraps a stored value.
MAX_DEPTH = 128

SURROGATE = re.compile("[\ud800-\udfff]")
_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# The standard library creates this encoder for each value. Without markers it detects cycles only
# by depth.
_c_encode = c_make_encoder(
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
_fast_encode = msgspec.json.Encoder().encode
_fast_sorted = msgspec.json.Encoder(order="sorted").encode


def loads(text: str | bytes, *, depth: int = 2 * MAX_DEPTH) -> Any:
    """Parse ``text``, nested at most ``depth`` levels.

    Raises:
        BadValue: if it is not JSON (NaN and Infinity are not), nested too deeply or out of range.
    """
    try:
        value = _fast_decode(text)
    except RecursionError:
        raise BadValue("JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError):
        # msgspec rejects lone surrogates; the slower decoder accepts them and reports the reason.
        value = _parsed(text)
    if isinstance(text, str):
        brackets = text.count("{") + text.count("[")
    else:
        brackets = text.count(b"{") + text.count(b"[")
    if brackets > depth:
        _check_depth(value, depth)
    return value


def dumps(value: object) -> str:
    """Format ``value`` as compact JSON for any UTF-8 store: NUL and lone surrogates are escaped.

    Raises:
        BadValue: if it is not a JSON value or nested too deeply.
    """
    try:
        text = "".join(_c_encode(value, 0))
    except (RecursionError, TypeError, ValueError):
        # The slower encoder reports the reason.
        text = _encoded(_strict, value)
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH)
    if text.isascii():
        return text
    return SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def dumps_flat(value: dict[str, object]) -> str:
    """Like ``dumps``, in less time for an object of strings and integers.

    Raises:
        BadValue: as ``dumps``.
    """
    for item in value.values():
        # Encoders write floats in different ways.
        if type(item) is not str and type(item) is not int:
            return dumps(value)
    try:
        return _fast_encode(value).decode()
    except (OverflowError, TypeError, UnicodeError):
        # Of a lone surrogate, an integer of more than 64 bits, or a key that is not a string.
        return dumps(value)


def canonical(value: object) -> bytes:
    """Return bytes that are equal for equal JSON values, independent of key order.

    Raises:
        BadValue: if ``value`` is not a JSON value.
    """
    return _encoded(_sorted, value).encode()


def sorted_bytes(value: object) -> bytes:
    """Like ``canonical``, but much faster, for a value known to be JSON."""
    try:
        return _fast_sorted(value)
    except (TypeError, UnicodeError):
        # msgspec rejects some strings and keys; after a round trip through JSON it accepts most.
        value = loads(dumps(value))
    try:
        return _fast_sorted(value)
    except UnicodeError:
        return canonical(value)


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_finite)
    except RecursionError:
        raise BadValue("JSON is nested too deeply") from None
    except ValueError as error:
        raise BadValue(f"not JSON: {error}") from None


def _reject_constant(name: str) -> NoReturn:
    raise BadValue(f"{name} is not JSON", hint="Use null or a string.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadValue(f"number out of range for a float: {text[:40]}")
    return number


def _encoded(encode: Callable[[Any], str], value: object) -> str:
    try:
        return encode(value)
    except RecursionError:
        raise BadValue("the value is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise BadValue(f"not a JSON value: {error}") from None


def _check_depth(value: object, depth: int) -> None:
    level = [value]
    for _ in range(depth + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise BadValue(f"the value is nested more than {depth} levels deep")


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, (list, tuple)) else ()
