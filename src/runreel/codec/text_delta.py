"""Exact encoding of JSON values as payloads, with the cumulative text replaced by deltas.

A partial message repeats the whole text so far, so storing it unchanged would take quadratic space.
Therefore the text parts are replaced by their lengths, and the row stores how many characters of
the cumulative text it keeps and which text it appends::

    {"partialMessage": {"content": [{"text": {"content": "Hello, world"}}]}}      after "Hello"
    {"+": ", world", "partialMessage": {"content": [{"text": {"content": 12}}]}}  keep 5, added 7

An event equal to the default event of its source, the envelope, is stored as the appended text
alone: ``", world"``.

Delta sources append to the text and may repeat its end later. Therefore parts are located from the
end of the text. With a delta, only the keys that differ from the envelope are stored:
``{"+": ", world", "item_id": "msg_1"}``.
A row whose ``keep`` is null holds the unchanged value.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runreel.codec.json_text import SURROGATE, dumps, loads
from runreel.codec.source_protocol import TextMode
from runreel.model.errors import BadValue
from runreel.model.status import PARTIAL

if TYPE_CHECKING:
    from runreel.codec.source_protocol import PayloadShape, TextSlot

APPENDED = "+"

_fast_text = msgspec.json.Decoder(str).decode


class EncodedPayload(NamedTuple):
    """An encoded value with the columns of its row, and the text of the run after it."""

    payload: str
    keep: int | None
    added: int | None
    text: str


def is_text_only(keep: int | None, payload: str | None) -> bool:
    """Return whether a row stores only the appended text: its event equals the envelope."""
    return keep is not None and payload is not None and payload.startswith('"')


def encode(
    value: Any,
    shape: PayloadShape,
    *,
    text: str,
    type_: str | None = None,
    index: int | None = None,
) -> EncodedPayload:
    """Encode ``value`` as a payload, its text as a delta to ``text``, the text of the run so far.

    Raises:
        BadValue: if it is not a JSON value.
    """
    text_only = shape.parse_text_only(value) if type_ == PARTIAL else None
    if text_only is not None and text_only[0] == index:
        encoded = encode_text(text_only[1], text)
        if encoded is not None:
            return encoded
    slots, mode = shape.slots(value), shape.text_mode(value)
    parts = [container[key] for container, key in slots]
    delta = None
    if (slots or mode is TextMode.RESTART) and APPENDED not in value:
        delta = _delta_of(parts, text, mode)
    if delta is None:
        return EncodedPayload(dumps(value), None, None, text)
    new, keep, lengths = delta
    appended = new[keep:]
    if mode is TextMode.DELTA:
        rest = _difference(value, shape.envelope(type_, index, appended))
        if rest is not None and not shape.slots(rest):
            return EncodedPayload(dumps({APPENDED: appended, **rest}), keep, len(appended), new)
    elif value == shape.envelope(type_, index, new):
        return EncodedPayload(dumps(appended), keep, len(appended), new)
    _fill(slots, lengths)
    try:
        payload = dumps({APPENDED: appended, **value})
    finally:
        _fill(slots, parts)
    return EncodedPayload(payload, keep, len(appended), new)


def encode_text(new: str, text: str) -> EncodedPayload | None:
    """Encode an envelope around ``new``, the whole text now, as a delta to ``text``.

    None if the appended text has a surrogate, which ``encode`` handles.
    """
    keep = _common_prefix(text, new)
    text_delta = new[keep:]
    if not text_delta.isascii() and SURROGATE.search(text_delta):
        return None
    return EncodedPayload(encode_basestring(text_delta), keep, len(text_delta), new)


def decode(  # noqa: PLR0913 - columns of a row, and the text before it
    payload: str,
    keep: int | None,
    shape: PayloadShape,
    *,
    text: str,
    type_: str | None = None,
    index: int | None = None,
) -> tuple[Any, str]:
    """Decode a payload; return the value and the text of the run after it.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    if is_text_only(keep, payload):
        new = text[:keep] + text_only_text(payload)
        value = shape.envelope(type_, index, new)
        if value is None:
            raise BadValue("the payload is damaged: it has no envelope")
        return value, new
    value = loads(payload)
    if keep is None:
        return value, text
    try:
        text_delta = value.pop(APPENDED)
        new = text[:keep] + text_delta
        if slots := shape.slots(value):
            _restore(slots, new)
        else:
            value = (shape.envelope(type_, index, text_delta) or {}) | value
    except (AttributeError, KeyError, TypeError) as error:
        raise BadValue(f"the payload is damaged: {error!r}") from None
    return value, new


def text_only_text(payload: str) -> str:
    """Return the text of a text-only payload: see ``is_text_only``.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    try:
        return _fast_text(payload)
    except msgspec.DecodeError:
        return appended(payload)


def appended(payload: str) -> str:
    """Return the text that a delta-encoded payload appends, without decoding its value.

    Raises:
        BadValue: if the payload is not what this codec writes.
    """
    value = loads(payload)
    text = value.get(APPENDED) if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise BadValue("the payload is damaged: it appends nothing")
    return text


def decode_detached(payload: str, shape: PayloadShape, *, text: str) -> Any:
    """Decode a payload without its ``keep``, given the whole ``text`` after it.

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


def _delta_of(parts: list[Any], text: str, mode: TextMode) -> tuple[str, int, list[int]] | None:
    """Return the text after ``parts``, how many characters of ``text`` it keeps, and part lengths.

    None if the lengths cannot separate the parts again.
    """
    # Fast paths first: the final event repeats the text, and deltas are short.
    if mode is TextMode.CUMULATIVE and parts == [text]:
        return text, len(text), [len(text)]
    if not all(isinstance(part, str) for part in parts):
        return None
    if mode is TextMode.DELTA and len(parts) == 1 and parts[0].isascii():
        return text + parts[0], len(text), [len(parts[0])]
    parts_text = "".join(parts)
    new, keep = _joined(text, parts_text, mode)
    if SURROGATE.search(new, keep):
        # JSON decodes a surrogate pair to a single character.
        parts = [_combine_surrogates(part) for part in parts]
        parts_text = _combine_surrogates(parts_text)
        new, keep = _joined(text, parts_text, mode)
    lengths = [len(part) for part in parts]
    # A surrogate pair may be split between two parts.
    return (new, keep, lengths) if sum(lengths) == len(parts_text) else None


def _joined(text: str, parts_text: str, mode: TextMode) -> tuple[str, int]:
    """Return the text after an event with ``parts_text``, and how many characters it keeps."""
    if mode is TextMode.REPEAT and text.endswith(parts_text):
        return text, len(text)
    if mode in (TextMode.DELTA, TextMode.REPEAT):
        return text + parts_text, len(text)
    return parts_text, _common_prefix(text, parts_text)


def _difference(value: dict[str, Any], envelope: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the keys of an event that differ from its envelope; None if it lacks a key of it."""
    if envelope is None or envelope.keys() - value.keys():
        return None
    return {
        key: item
        for key, item in value.items()
        if key not in envelope or not _same_json(item, envelope[key])
    }


def _same_json(one: Any, other: Any) -> bool:
    """Return whether two JSON values are identical; unlike ``==``, 1, 1.0 and true differ."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is str or kind is int:
        return bool(one == other)
    if isinstance(one, dict):
        same_keys = one.keys() == other.keys()
        return same_keys and all(_same_json(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


def _combine_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _fill(slots: list[TextSlot], values: list[Any]) -> None:
    for (container, key), value in zip(slots, values, strict=True):
        container[key] = value


def _restore(slots: list[TextSlot], text: str) -> None:
    start = len(text) - sum(container[key] for container, key in slots)
    if start < 0:
        raise BadValue("the payload is damaged: its text is longer than that of the run")
    for container, key in slots:
        end = start + container[key]
        container[key] = text[start:end]
        start = end


def _common_prefix(old: str, new: str) -> int:
    """Return the length of the common prefix of ``old`` and ``new``."""
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
