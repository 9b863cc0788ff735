"""One run's values in order: the codec applied along the run's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runreel.codec import json_text, text_delta
from runreel.model.events import RUN, STREAM_EVENT, EventRow

if TYPE_CHECKING:
    from runreel.codec.source_protocol import PayloadShape
    from runreel.codec.text_delta import EncodedPayload

# What stands for each character of text that was erased.
PLACEHOLDER = "\N{FULL BLOCK}"


class StreamCodec:
    """Reads and writes the values of one run, carrying its text from row to row."""

    __slots__ = ("_shape", "masked_spans", "text")

    def __init__(self, shape: PayloadShape, text: str = "") -> None:
        self._shape = shape
        self.text = text
        # Which characters of the text stand for erased ones.
        self.masked_spans: tuple[tuple[int, int], ...] = ()

    @property
    def now(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Where it stands, to come back to."""
        return self.text, self.masked_spans

    @now.setter
    def now(self, then: tuple[str, tuple[tuple[int, int], ...]]) -> None:
        self.text, self.masked_spans = then

    def set_text(self, keep: int | None, text: str) -> None:
        """Go on to ``text``, which has ``keep`` characters of the one before."""
        self.text = text
        if self.masked_spans and keep is not None:
            self.masked_spans = _within(self.masked_spans, keep)

    def encode(
        self, kind: str, type_: str | None, index: int | None, value: Any, text: str
    ) -> EncodedPayload:
        """``value`` encoded for a row behind ``text``; the text it has itself is ours once stored.

        Raises:
            BadValue: if it is no JSON value.
        """
        if kind in (STREAM_EVENT, RUN):
            return text_delta.encode(value, self._shape, text=text, type_=type_, index=index)
        return text_delta.EncodedPayload(json_text.dumps(value), None, None, text)

    def decode(self, row: EventRow) -> Any:
        """The value of the row that comes next; None once its payload is erased.

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
        """Move over the row that comes next without building its value.

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
        """Keep account of what is erased, the row's text being the last of ours."""
        keep = row.keep or 0
        self.masked_spans = _within(self.masked_spans, keep)
        if row.redacted is not None:
            erased = re.finditer(f"{PLACEHOLDER}+", self.text[keep:])
            self.masked_spans += tuple((keep + one.start(), keep + one.end()) for one in erased)


def _within(spans: tuple[tuple[int, int], ...], keep: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, min(end, keep)) for start, end in spans if start < keep)
