"""Erased characters: each is a full block, in the place where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import canonical, dumps, loads
from runreel.codec.source_protocol import TextMode
from runreel.codec.stream_codec import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.codec.source_protocol import PayloadShape
    from runreel.codec.text_search import Match

    Spans = Iterable[tuple[int, int]]


def mask_text(text: str, spans: Spans) -> str:
    """``text`` with the characters of ``spans`` put out."""
    for start, end in spans:
        text = text[:start] + PLACEHOLDER * (end - start) + text[end:]
    return text


def masked_payload(payload: str, matches: Sequence[Match]) -> str:
    """A stored payload with all that was found in it put out; it reads like the one it is of."""
    value = loads(payload)
    # Names last, and the deepest first: they are on the way to the others.
    for hit in sorted(matches, key=_names_last):
        value = _mask_at(value, hit.path, hit.spans)
    return dumps(value)


def matches_mask(mask: Any, value: Any) -> bool:
    """Whether ``mask`` is ``value``, but for the characters that are put out."""
    if isinstance(mask, str) and PLACEHOLDER in mask:
        text = value if isinstance(value, str) else str(value)
        return len(mask) == len(text) and all(
            one in (other, PLACEHOLDER) for one, other in zip(mask, text, strict=True)
        )
    if isinstance(mask, dict) and isinstance(value, dict):
        return len(mask) == len(value) and all(
            any(
                matches_mask(key, other) and matches_mask(item, told)
                for other, told in value.items()
            )
            if PLACEHOLDER in key
            else key in value and matches_mask(item, value[key])
            for key, item in mask.items()
        )
    if isinstance(mask, list) and isinstance(value, list):
        return len(mask) == len(value) and all(map(matches_mask, mask, value))
    return canonical(mask) == canonical(value)


def remask(value: Any, shape: PayloadShape, text: str, masked_spans: Spans) -> Any:
    """``value`` with those characters put out that repeat what was erased of the run's ``text``.

    A message that tells the text again would bring back what was erased of it.
    """
    slots, telling = shape.slots(value), shape.text_mode(value)
    parts = [slot.container[slot.key] for slot in slots]
    if telling not in (TextMode.CUMULATIVE, TextMode.REPEAT) or not all(
        isinstance(p, str) for p in parts
    ):
        return value
    told = "".join(parts)
    start = max(0, len(text) - len(told)) if telling is TextMode.REPEAT else 0
    spans = [(low - start, high - start) for low, high in masked_spans if low >= start]
    spans = [(low, min(high, len(told))) for low, high in spans if low < len(told)]
    known = text[start : start + len(told)]
    if not spans or not matches_mask(known[: spans[-1][1]], told[: spans[-1][1]]):
        return value
    return _repeated_spans(value, shape, mask_text(told, spans))


def _repeated_spans(value: Any, shape: PayloadShape, told: str) -> Any:
    """A copy of ``value`` whose text parts, of the same lengths, are those of ``told``."""
    twin = loads(dumps(value))
    for slot in shape.slots(twin):
        length = len(slot.container[slot.key])
        slot.container[slot.key], told = told[:length], told[length:]
    return twin


def _names_last(hit: Match) -> tuple[bool, int]:
    return (bool(hit.path) and hit.path[-1] is None, -len(hit.path))


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
