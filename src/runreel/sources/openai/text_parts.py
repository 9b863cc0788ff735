"""Which stretches of a run's text are which part of a message that is told piece by piece."""

from __future__ import annotations

from typing import NamedTuple

from runreel.codec.stream_codec import PLACEHOLDER

Part = tuple[int, int]


class Span(NamedTuple):
    """The characters from ``start`` to before ``end`` are of this part."""

    part: Part
    start: int
    end: int


Spans = tuple[Span, ...]


def grown(spans: Spans, text: str, part: Part, piece: str) -> Spans:
    """The spans after ``piece`` of ``part`` has come, which ``text`` ends with."""
    end = len(text)
    start = end - len(piece)
    if spans and spans[-1].end > start:
        spans = tuple(span for span in spans if span.end <= start)
    # What was erased in between is taken to be of the part that goes on.
    between = text[spans[-1].end if spans else 0 : start]
    start -= len(between) - len(between.rstrip(PLACEHOLDER))
    if spans and spans[-1].part == part and spans[-1].end == start:
        return (*spans[:-1], Span(part, spans[-1].start, end))
    return (*spans, Span(part, start, end))


def parts(spans: Spans, text: str) -> tuple[str, ...]:
    """The texts of the parts, in the order of their numbers."""
    if len(spans) == 1:
        # Most answers are one part.
        ((_, start, end),) = spans
        return (_whole(text[start:end]),)
    told = texts_by_part(spans, text)
    return tuple(told[part] for part in sorted(told))


def texts_by_part(spans: Spans, text: str) -> dict[Part, str]:
    """The text of each part, by its numbers."""
    told: dict[Part, str] = {}
    for part, start, end in spans:
        told[part] = told.get(part, "") + text[start:end]
    return {part: _whole(said) for part, said in told.items()}


def _whole(text: str) -> str:
    """``text`` with characters that were told half by one piece, half by the next, made whole."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text
