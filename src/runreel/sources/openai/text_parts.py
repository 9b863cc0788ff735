"""The parts of a message that arrives as text deltas, as spans of the run's text."""

from __future__ import annotations

from typing import NamedTuple

from runreel.codec.stream_codec import PLACEHOLDER

Part = tuple[int, int]


class Span(NamedTuple):
    """The characters from ``start`` up to but not including ``end`` belong to ``part``."""

    part: Part
    start: int
    end: int


Spans = tuple[Span, ...]


def add_delta(spans: Spans, text: str, part: Part, text_delta: str) -> Spans:
    """Add ``text_delta`` of ``part`` to the spans; ``text`` already ends with it."""
    end = len(text)
    start = end - len(text_delta)
    if spans and spans[-1].end > start:
        spans = tuple(span for span in spans if span.end <= start)
    # Erased characters in between are assigned to the part that continues.
    between = text[spans[-1].end if spans else 0 : start]
    start -= len(between) - len(between.rstrip(PLACEHOLDER))
    if spans and spans[-1].part == part and spans[-1].end == start:
        return (*spans[:-1], Span(part, spans[-1].start, end))
    return (*spans, Span(part, start, end))


def parts(spans: Spans, text: str) -> tuple[str, ...]:
    """The texts of the parts, ordered by part number."""
    if len(spans) == 1:
        # Fast path: most answers have one part.
        ((_, start, end),) = spans
        return (_join_surrogates(text[start:end]),)
    texts = texts_by_part(spans, text)
    return tuple(texts[part] for part in sorted(texts))


def texts_by_part(spans: Spans, text: str) -> dict[Part, str]:
    """The text of each part, by part number."""
    texts: dict[Part, str] = {}
    for part, start, end in spans:
        texts[part] = texts.get(part, "") + text[start:end]
    return {part: _join_surrogates(text) for part, text in texts.items()}


def _join_surrogates(text: str) -> str:
    """``text`` with surrogate pairs joined that two deltas had split."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text
