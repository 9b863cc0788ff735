"""JSON values to stored payloads and back, exactly, with the running text lifted out.

Every partial message repeats the whole text so far. Stored whole, an answer costs the square of
its length; so a message's text parts are replaced by their lengths, and the row says how many
characters of the run's text so far it keeps and what it appends::

    {"partialMessage": {"content": [{"text": {"content": "Hello, world"}}]}}      after "Hello"
    {"+": ", world", "partialMessage": {"content": [{"text": {"content": 12}}]}}  keep 5, added 7

An event that is its source's commonest, its envelope, is the text alone: ``", world"``.

Sources that tell pieces add to the text behind all of it, and may repeat the end of it later. So a
part's text is found from the end of the run's text, whoever told it. Beside a piece stands only
what differs from its envelope: ``{"+": ", world", "item_id": "msg_1"}``.
A row whose ``keep`` is null holds its payload as it came.
"""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import msgspec

from runreel.rules.reading import Telling
from runreel.words.errors import BadValue
from runreel.words.status import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.rules.reading import Shape, Slot

APPENDED = "+"

# Deeper values would be stored by one program and overrun the stack of another that reads them.
# What is read may be deeper than what is stored: a line of an export wraps a stored value.
MAX_DEPTH = 128

_SURROGATE = re.compile("[\ud800-\udfff]")
_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_sorted = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":")).encode
_fast_decode = msgspec.json.Decoder().decode
_fast_text = msgspec.json.Decoder(str).decode


class Encoded(NamedTuple):
    """A value ready for its row, and the run's text after it."""

    payload: str
    keep: int | None
    added: int | None
    text: str


def is_spoken(keep: int | None, payload: str | None) -> bool:
    """Whether a row holds nothing but text: its event is the envelope of its source."""
    return keep is not None and payload is not None and payload.startswith('"')


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
    text = _spelled(_strict, value)
    _bound(value, MAX_DEPTH, text)
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def canonical(value: Any) -> bytes:
    """Bytes that are equal for equal JSON values, whatever the order of their keys.

    Raises:
        BadValue: if it is no JSON value.
    """
    return _spelled(_sorted, value).encode()


def encode(
    value: Any, shape: Shape, *, text: str, type_: str | None = None, index: int | None = None
) -> Encoded:
    """``value`` as a payload, its text told as a difference to ``text``, the run's text so far.

    Raises:
        BadValue: if it is no JSON value.
    """
    spoken = shape.spoken(value) if type_ == PARTIAL else None
    if spoken is not None and spoken[0] == index:
        encoded = spell(spoken[1], text)
        if encoded is not None:
            return encoded
    slots, telling = shape.slots(value), shape.telling(value)
    parts = [slot.container[slot.key] for slot in slots]
    told = None
    if (slots or telling is Telling.ANEW) and APPENDED not in value:
        told = _told(parts, text, telling)
    if told is None:
        return Encoded(dumps(value), None, None, text)
    new, keep, lengths = told
    appended = new[keep:]
    if telling is Telling.MORE:
        rest = _difference(value, shape.envelope(type_, index, appended))
        if rest is not None and not shape.slots(rest):
            return Encoded(dumps({APPENDED: appended, **rest}), keep, len(appended), new)
    elif value == shape.envelope(type_, index, new):
        return Encoded(dumps(appended), keep, len(appended), new)
    _fill(slots, lengths)
    try:
        payload = dumps({APPENDED: appended, **value})
    finally:
        _fill(slots, parts)
    return Encoded(payload, keep, len(appended), new)


def spell(spoken: str, text: str) -> Encoded | None:
    """An envelope around ``spoken``, the whole text now, as a difference to ``text``.

    None where it holds a lone surrogate, which takes more care.
    """
    keep = _common(text, spoken)
    piece = spoken[keep:]
    if not piece.isascii() and _SURROGATE.search(piece):
        return None
    return Encoded(encode_basestring(piece), keep, len(piece), spoken)


def decode(  # noqa: PLR0913 - a row's columns, and the text before it
    payload: str,
    keep: int | None,
    shape: Shape,
    *,
    text: str,
    type_: str | None = None,
    index: int | None = None,
) -> tuple[Any, str]:
    """The value that ``encode`` was given and the run's text after it.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    value = loads(payload)
    if keep is None:
        return value, text
    if isinstance(value, str):
        new = text[:keep] + value
        value = shape.envelope(type_, index, new)
        if value is None:
            raise BadValue("the payload is damaged: it has no envelope")
        return value, new
    try:
        piece = value.pop(APPENDED)
        new = text[:keep] + piece
        if slots := shape.slots(value):
            _restore(slots, new)
        else:
            value = (shape.envelope(type_, index, piece) or {}) | value
    except (AttributeError, KeyError, TypeError) as error:
        raise BadValue(f"the payload is damaged: {error!r}") from None
    return value, new


def spoken(payload: str) -> str:
    """The text that a row holds which holds nothing else: see ``is_spoken``.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    try:
        return _fast_text(payload)
    except msgspec.DecodeError:
        return appended(payload)


def appended(payload: str) -> str:
    """What a lifted row appends to the run's text, without building its value.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    value = loads(payload)
    text = value.get(APPENDED) if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise BadValue("the payload is damaged: it appends nothing")
    return text


def reopen(payload: str, shape: Shape, *, text: str) -> Any:
    """The value of a payload that was lifted from a ``text`` which it ends with.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    value = loads(payload)
    if not isinstance(value, dict) or APPENDED not in value:
        return value
    try:
        length = sum(slot.container[slot.key] for slot in shape.slots(value))
    except TypeError as error:
        raise BadValue(f"the payload is damaged: {error!r}") from None
    return decode(payload, length - len(appended(payload)), shape, text=text)[0]


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


def _spelled(encode: Callable[[Any], str], value: Any) -> str:
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


def _told(parts: list[Any], text: str, telling: Telling) -> tuple[str, int, list[int]] | None:
    """The text after ``parts``, how much it has of ``text``, and the parts' lengths.

    None where lengths cannot tell the parts apart again.
    """
    if not all(isinstance(part, str) for part in parts):
        return None
    told = "".join(parts)
    new, keep = _joined(text, told, telling)
    if _SURROGATE.search(new, keep):
        # JSON reads a surrogate pair as the one character that it spells.
        parts = [_paired(part) for part in parts]
        told = _paired(told)
        new, keep = _joined(text, told, telling)
    lengths = [len(part) for part in parts]
    # A pair may stand half in one part, half in the next.
    return (new, keep, lengths) if sum(lengths) == len(told) else None


def _joined(text: str, told: str, telling: Telling) -> tuple[str, int]:
    """The text after ``told``, and how much it has of the one before."""
    if telling is Telling.AGAIN and text.endswith(told):
        return text, len(text)
    if telling in (Telling.MORE, Telling.AGAIN):
        return text + told, len(text)
    return told, _common(text, told)


def _difference(value: dict[str, Any], envelope: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an event has that its envelope has not; None where it lacks something."""
    if envelope is None or envelope.keys() - value.keys():
        return None
    return {
        key: item
        for key, item in value.items()
        if key not in envelope or not _same(item, envelope[key])
    }


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are spelled alike: 1, 1.0 and true are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        alike = one.keys() == other.keys()
        return alike and all(_same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _fill(slots: list[Slot], values: list[Any]) -> None:
    for slot, value in zip(slots, values, strict=True):
        slot.container[slot.key] = value


def _restore(slots: list[Slot], text: str) -> None:
    start = len(text) - sum(container[key] for container, key in slots)
    if start < 0:
        raise BadValue("the payload is damaged: its text is longer than all text")
    for container, key in slots:
        end = start + container[key]
        container[key] = text[start:end]
        start = end


def _common(old: str, new: str) -> int:
    """How many characters ``old`` and ``new`` begin with alike."""
    if new.startswith(old):
        return len(old)
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
