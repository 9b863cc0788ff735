"""The parts of a message that arrives as text deltas, as spans of the run's text."""

from __future__ import annotations

import msgspec

from runreel.codec.json_text import SURROGATE
from runreel.codec.stream_codec import PLACEHOLDER

# Numbers that order the parts of a message.
Part = tuple[int, int]


class Span(msgspec.Struct, frozen=True):
    """The characters from ``start`` up to but not including ``end`` belong to ``part``."""

    part: Part
    start: int
    end: int


class TextParts(msgspec.Struct, frozen=True):
    """The parts that have arrived so far; ``surrogates``: one of the deltas had a surrogate."""

    spans: tuple[Span, ...] = ()
    surrogates: bool = False

    def add(self, text: str, part: Part, text_delta: str) -> TextParts:
        """Return the parts with ``text_delta`` added to ``part``; ``text`` already ends with it."""
        spans, end = self.spans, len(text)
        start = end - len(text_delta)
        if spans and spans[-1].end > start:
            spans = tuple(span for span in spans if span.end <= start)
        last_end = spans[-1].end if spans else 0
        if last_end < start:
            # Erased characters in between are assigned to the part that continues.
            between = text[last_end:start]
            start -= len(between) - len(between.rstrip(PLACEHOLDER))
        surrogates = self.surrogates or _has_surrogate(text_delta)
        if spans and spans[-1].part == part and last_end == start:
            return TextParts((*spans[:-1], Span(part, spans[-1].start, end)), surrogates)
        return TextParts((*spans, Span(part, start, end)), surrogates)

    def texts(self, text: str) -> tuple[str, ...]:
        """Return the texts of the parts, in order; ``text`` is the text of the run."""
        if len(self.spans) == 1 and not self.surrogates:
            # Most answers have one part.
            return (text[self.spans[0].start : self.spans[0].end],)
        texts = self.by_part(text)
        return tuple(texts[part] for part in sorted(texts))

    def by_part(self, text: str) -> dict[Part, str]:
        """Return the text of each part."""
        texts: dict[Part, str] = {}
        for span in self.spans:
            texts[span.part] = texts.get(span.part, "") + text[span.start : span.end]
        # Two deltas may have split a surrogate pair.
        return {part: _joined(text) for part, text in texts.items()} if self.surrogates else texts


NO_PARTS = TextParts()


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and SURROGATE.search(text) is not None


def _joined(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
