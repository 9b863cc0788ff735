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
    """A value ready for its row, and the run's text after it."""

    payload: str
    keep: int | None
    added: int | None
    text: str


def is_text_only(keep: int | None, payload: str | None) -> bool:
    """Whether a row holds nothing but text: its event is the envelope of its source."""
    return keep is not None and payload is not None and payload.startswith('"')


def encode(
    value: Any,
    shape: PayloadShape,
    *,
    text: str,
    type_: str | None = None,
    index: int | None = None,
) -> EncodedPayload:
    """``value`` as a payload, its text told as a difference to ``text``, the run's text so far.

    Raises:
        BadValue: if it is no JSON value.
    """
    spoken = shape.parse_text_only(value) if type_ == PARTIAL else None
    if spoken is not None and spoken[0] == index:
        encoded = encode_text(spoken[1], text)
        if encoded is not None:
            return encoded
    slots, telling = shape.slots(value), shape.text_mode(value)
    parts = [container[key] for container, key in slots]
    told = None
    if (slots or telling is TextMode.RESTART) and APPENDED not in value:
        told = _delta_of(parts, text, telling)
    if told is None:
        return EncodedPayload(dumps(value), None, None, text)
    new, keep, lengths = told
    appended = new[keep:]
    if telling is TextMode.DELTA:
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


def encode_text(spoken: str, text: str) -> EncodedPayload | None:
    """An envelope around ``spoken``, the whole text now, as a difference to ``text``.

    None where it holds a lone surrogate, which takes more care.
    """
    keep = _common(text, spoken)
    piece = spoken[keep:]
    if not piece.isascii() and SURROGATE.search(piece):
        return None
    return EncodedPayload(encode_basestring(piece), keep, len(piece), spoken)


def decode(  # noqa: PLR0913 - a row's columns, and the text before it
    payload: str,
    keep: int | None,
    shape: PayloadShape,
    *,
    text: str,
    type_: str | None = None,
    index: int | None = None,
) -> tuple[Any, str]:
    """The value that ``encode`` was given and the run's text after it.

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
        piece = value.pop(APPENDED)
        new = text[:keep] + piece
        if slots := shape.slots(value):
            _restore(slots, new)
        else:
            value = (shape.envelope(type_, index, piece) or {}) | value
    except (AttributeError, KeyError, TypeError) as error:
        raise BadValue(f"the payload is damaged: {error!r}") from None
    return value, new


def text_only_text(payload: str) -> str:
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


def decode_detached(payload: str, shape: PayloadShape, *, text: str) -> Any:
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


def _delta_of(parts: list[Any], text: str, telling: TextMode) -> tuple[str, int, list[int]] | None:
    """The text after ``parts``, how much it has of ``text``, and the parts' lengths.

    None where lengths cannot tell the parts apart again.
    """
    # What is told most is told first: how a message ends repeats the text, and pieces are short.
    if telling is TextMode.CUMULATIVE and parts == [text]:
        return text, len(text), [len(text)]
    if not all(isinstance(part, str) for part in parts):
        return None
    if telling is TextMode.DELTA and len(parts) == 1 and parts[0].isascii():
        return text + parts[0], len(text), [len(parts[0])]
    told = "".join(parts)
    new, keep = _joined(text, told, telling)
    if SURROGATE.search(new, keep):
        # JSON reads a surrogate pair as the one character that it spells.
        parts = [_paired(part) for part in parts]
        told = _paired(told)
        new, keep = _joined(text, told, telling)
    lengths = [len(part) for part in parts]
    # A pair may stand half in one part, half in the next.
    return (new, keep, lengths) if sum(lengths) == len(told) else None


def _joined(text: str, told: str, telling: TextMode) -> tuple[str, int]:
    """The text after ``told``, and how much it has of the one before."""
    if telling is TextMode.REPEAT and text.endswith(told):
        return text, len(text)
    if telling in (TextMode.DELTA, TextMode.REPEAT):
        return text + told, len(text)
    return told, _common(text, told)


def _difference(value: dict[str, Any], envelope: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an event has that its envelope has not; None where it lacks something."""
    if envelope is None or envelope.keys() - value.keys():
        return None
    return {
        key: item
        for key, item in value.items()
        if key not in envelope or not _equal(item, envelope[key])
    }


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are spelled alike: 1, 1.0 and true are not."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is str or kind is int:
        return bool(one == other)
    if isinstance(one, dict):
        alike = one.keys() == other.keys()
        return alike and all(_equal(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _fill(slots: list[TextSlot], values: list[Any]) -> None:
    for (container, key), value in zip(slots, values, strict=True):
        container[key] = value


def _restore(slots: list[TextSlot], text: str) -> None:
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
