"""Masks: each erased character is replaced by a full block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import canonical, dumps, loads
from runreel.codec.source_protocol import TextMode
from runreel.codec.stream_codec import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.codec.source_protocol import PayloadShape, SourceEvent
    from runreel.codec.text_search import Match

    Spans = Iterable[tuple[int, int]]


def mask_text(text: str, spans: Spans) -> str:
    """Return ``text`` with the characters in ``spans`` masked."""
    for start, end in spans:
        text = text[:start] + PLACEHOLDER * (end - start) + text[end:]
    return text


def masked_payload(payload: str, matches: Sequence[Match]) -> str:
    """Return a stored payload with all matches masked; it can be decoded like the original."""
    value = loads(payload)
    # Key names last, and the deepest first, because the paths of other matches contain them.
    for match in sorted(matches, key=_names_last):
        value = _mask_at(value, match.path, match.spans)
    return dumps(value)


def matches_mask(mask: object, value: object) -> bool:
    """Return whether ``mask`` equals ``value`` except for its masked characters."""
    if isinstance(mask, str) and PLACEHOLDER in mask:
        return _text_matches(mask, value if isinstance(value, str) else str(value))
    if isinstance(mask, dict) and isinstance(value, dict):
        if len(mask) != len(value):
            return False
        return all(_item_matches(key, item, value) for key, item in mask.items())
    if isinstance(mask, list) and isinstance(value, list):
        return len(mask) == len(value) and all(map(matches_mask, mask, value))
    return canonical(mask) == canonical(value)


def _text_matches(mask: str, text: str) -> bool:
    same_length = len(mask) == len(text)
    return same_length and all(map(lambda one, two: one in (two, PLACEHOLDER), mask, text))


def _item_matches(key: str, mask: object, value: dict[str, object]) -> bool:
    """Return whether ``value`` has an item that this item of a mask matches."""
    if PLACEHOLDER in key:
        return any(matches_mask(key, k) and matches_mask(mask, v) for k, v in value.items())
    return key in value and matches_mask(mask, value[key])


def remask(event: SourceEvent, shape: PayloadShape, text: str, masked_spans: Spans) -> object:
    """Mask the characters of an event's value that repeat erased characters of the run's ``text``.

    Otherwise a message that repeats the text would restore them.
    """
    value, mode = event.value, event.mode
    parts = [container[key] for container, key in event.slots]
    if mode not in (TextMode.CUMULATIVE, TextMode.REPEAT) or not all(
        isinstance(p, str) for p in parts
    ):
        return value
    repeated = "".join(parts)
    start = max(0, len(text) - len(repeated)) if mode is TextMode.REPEAT else 0
    spans = [(low - start, high - start) for low, high in masked_spans if low >= start]
    spans = [(low, min(high, len(repeated))) for low, high in spans if low < len(repeated)]
    known = text[start : start + len(repeated)]
    if not spans or not matches_mask(known[: spans[-1][1]], repeated[: spans[-1][1]]):
        return value
    return _repeated_spans(value, shape, mask_text(repeated, spans))


def _repeated_spans(value: object, shape: PayloadShape, repeated: str) -> object:
    """Return a copy of ``value`` whose text parts are replaced by ``repeated``, split alike."""
    copy = loads(dumps(value))
    for container, key in shape.slots(copy):
        length = len(container[key])
        container[key], repeated = repeated[:length], repeated[length:]
    return copy


def _names_last(match: Match) -> tuple[bool, int]:
    return (bool(match.path) and match.path[-1] is None, -len(match.path))


def _mask_at(value: Any, path: tuple[str | int | None, ...], spans: Spans) -> Any:
    if not path:
        return mask_text(value if isinstance(value, str) else str(value), spans)
    key, rest = path[0], path[1:]
    if rest == (None,):
        name = mask_text(str(key), spans)
        while name in value:
            name += PLACEHOLDER
        return {name if old == key else old: item for old, item in value.items()}
    value[key] = _mask_at(value[key], rest, spans)
    return value
