"""Codec of the values of one run in order, with its cumulative text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runreel.codec import text_delta

if TYPE_CHECKING:
    from runreel.codec.source_protocol import PayloadShape
    from runreel.model.events import EventRow

# The mask of each erased character.
PLACEHOLDER = "\N{FULL BLOCK}"


class StreamCodec:
    """Decodes the values of one run; keeps the cumulative text from row to row."""

    __slots__ = ("_shape", "masked_spans", "text")

    def __init__(self, shape: PayloadShape, text: str = "") -> None:
        self._shape = shape
        self.text = text
        # Spans of the text whose characters are masks of erased ones.
        self.masked_spans: tuple[tuple[int, int], ...] = ()

    @property
    def position(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The current state, which can be assigned again to go back to it."""
        return self.text, self.masked_spans

    @position.setter
    def position(self, then: tuple[str, tuple[tuple[int, int], ...]]) -> None:
        self.text, self.masked_spans = then

    def set_text(self, keep: int | None, text: str) -> None:
        """Replace the text by ``text``, which keeps its first ``keep`` characters."""
        self.text = text
        if self.masked_spans and keep is not None:
            self.masked_spans = _within(self.masked_spans, keep)

    def decode(self, row: EventRow) -> Any:
        """Decode the next row; None if its payload was erased.

        Raises:
            BadValue: if the payload is damaged.
        """
        if row.payload is None:
            self.skip(row)
            return None
        value, self.text = text_delta.decode(
            row.payload,
            row.keep,
            self._shape,
            text=self.text,
            type_=row.type,
            index=row.source_index,
        )
        if (self.masked_spans or row.redacted is not None) and row.keep is not None:
            self._track_masks(row)
        return value

    def skip(self, row: EventRow) -> None:
        """Apply the next row to the text without decoding its value.

        Raises:
            BadValue: if the payload is damaged.
        """
        if row.keep is None:
            return
        erased = row.payload is None
        new = PLACEHOLDER * (row.added or 0) if erased else text_delta.appended(str(row.payload))
        self.text = self.text[: row.keep] + new
        if self.masked_spans or row.redacted is not None:
            self._track_masks(row)

    def _track_masks(self, row: EventRow) -> None:
        """Update ``masked_spans`` for a row whose text was just applied."""
        keep = row.keep or 0
        self.masked_spans = _within(self.masked_spans, keep)
        if row.redacted is not None:
            erased = re.finditer(f"{PLACEHOLDER}+", self.text[keep:])
            self.masked_spans += tuple((keep + one.start(), keep + one.end()) for one in erased)


def _within(spans: tuple[tuple[int, int], ...], keep: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, min(end, keep)) for start, end in spans if start < keep)
