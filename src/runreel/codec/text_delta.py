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
from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec.json_text import SURROGATE, dumps, dumps_flat, loads
from runreel.codec.source_protocol import TextMode
from runreel.model.errors import BadValue
from runreel.model.events import STREAM_EVENT
from runreel.model.status import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.codec.source_protocol import PayloadShape, SourceEvent, TextSlot
    from runreel.model.events import EventRow

APPENDED = "+"

_fast_text = msgspec.json.Decoder(str).decode


class EncodedPayload(msgspec.Struct, frozen=True):
    """An encoded value with the columns of its row, and the text of the run after it."""

    payload: str
    keep: int | None
    added: int | None
    text: str


def is_text_only(keep: int | None, payload: str | None) -> bool:
    """Return whether a row stores only the appended text: its event equals the envelope."""
    return keep is not None and payload is not None and payload.startswith('"')


def is_text_row(row: EventRow) -> bool:
    """Return whether a row is that of a partial message of which only the text is stored."""
    return row.type == PARTIAL and row.redacted is None and is_text_only(row.keep, row.payload)


def encode(event: SourceEvent, text: str) -> EncodedPayload:
    """Encode an event as a payload, its text as a delta to ``text``, the text of the run so far.

    Raises:
        BadValue: if its value is not a JSON value.
    """
    if (new := event.text_only) is not None:
        # Most events: the general case gives the same payload.
        keep = len(text) if new.startswith(text) else common_prefix(text, new)
        appended = new[keep:]
        if appended.isascii() or not SURROGATE.search(appended):
            return EncodedPayload(encode_basestring(appended), keep, len(appended), new)
    return _encode_delta(event, text) or _encode_any(event, text)


def _encode_delta(event: SourceEvent, text: str) -> EncodedPayload | None:
    """Encode an event as the general case does if it is one delta that differs from its envelope.

    None for any other event, and for surrogates, of which two deltas may hold a pair.
    """
    value = event.value
    if event.mode is not TextMode.DELTA or event.envelope is None or len(event.slots) != 1:
        return None
    container, key = event.slots[0]
    appended = container[key]
    if not isinstance(appended, str) or not isinstance(value, dict) or APPENDED in value:
        return None
    if not appended.isascii() and SURROGATE.search(appended):
        return None
    rest = _difference(event, value)
    if rest is None:
        return None
    payload = dumps_flat({APPENDED: appended, **rest})
    return EncodedPayload(payload, len(text), len(appended), text + appended)


def _encode_any(event: SourceEvent, text: str) -> EncodedPayload:
    value, slots, mode = event.value, event.slots, event.mode
    parts = [container[key] for container, key in slots]
    # A request restarts the text that came before it, if any did.
    unchanged = mode is TextMode.RESTART and not text and event.kind != STREAM_EVENT
    delta = None if unchanged else _delta_of(parts, text, mode)
    if delta is None or not isinstance(value, dict) or APPENDED in value:
        return EncodedPayload(dumps(value), None, None, text)
    new, keep, lengths = delta
    appended = new[keep:]
    if new == event.text_only:
        return EncodedPayload(dumps(appended), keep, len(appended), new)
    rest = _difference(event, value)
    if rest is not None:
        return EncodedPayload(dumps({APPENDED: appended, **rest}), keep, len(appended), new)
    _fill(slots, lengths)
    try:
        return EncodedPayload(dumps({APPENDED: appended, **value}), keep, len(appended), new)
    finally:
        _fill(slots, parts)


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
        length = sum(container[key] for container, key in shape.slots(value))
    except TypeError as error:
        raise BadValue(f"the payload is damaged: {error!r}") from None
    return decode(payload, length - len(appended(payload)), shape, text=text)[0]


def _delta_of(parts: list[object], text: str, mode: TextMode) -> tuple[str, int, list[int]] | None:
    """Return the text after ``parts``, how many characters of ``text`` it keeps, and part lengths.

    None without parts, or if the lengths cannot separate the parts again.
    """
    if not parts and mode is not TextMode.RESTART:
        return None
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        return None
    whole = texts[0] if len(texts) == 1 else "".join(texts)
    new, keep = _joined(text, whole, mode)
    if not new.isascii() and SURROGATE.search(new, keep):
        # JSON decodes a surrogate pair to a single character.
        texts = list(map(_combine_surrogates, texts))
        whole = _combine_surrogates(whole)
        new, keep = _joined(text, whole, mode)
    if len(texts) == 1:
        return new, keep, [len(whole)]
    lengths = list(map(len, texts))
    # A surrogate pair may be split between two parts.
    return (new, keep, lengths) if sum(lengths) == len(whole) else None


def _joined(text: str, parts_text: str, mode: TextMode) -> tuple[str, int]:
    """Return the text after an event with ``parts_text``, and how many characters it keeps."""
    if mode is TextMode.REPEAT and text.endswith(parts_text):
        return text, len(text)
    if mode in (TextMode.DELTA, TextMode.REPEAT):
        return text + parts_text, len(text)
    return parts_text, common_prefix(text, parts_text)


def _difference(event: SourceEvent, value: dict[str, object]) -> dict[str, object] | None:
    """Return the keys of an event that differ from its envelope.

    None if it lacks a key of the envelope, has none, or if its text is under one of these keys.
    """
    envelope = event.envelope
    if envelope is None or not envelope.keys() <= value.keys():
        return None
    rest = value.copy()
    for key, default in envelope.items():
        item = value[key]
        # Most are strings and numbers: those are compared without a call.
        if type(item) is not type(default) or item != default:
            continue
        if type(item) is str or type(item) is int or _same_json(item, default):
            del rest[key]
    return None if event.text_key in rest else rest


def _same_json(one: object, other: object) -> bool:
    """Return whether two JSON values are identical; unlike ``==``, 1, 1.0 and true differ."""
    kind = type(one)
    if kind is not type(other) or one != other:
        return False
    if kind is str or kind is int:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same_json(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return all(map(_same_json, one, other))
    return not isinstance(one, float) or repr(one) == repr(other)


def _combine_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _fill(slots: list[TextSlot], values: Sequence[object]) -> None:
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


def common_prefix(old: str, new: str) -> int:
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
