"""One run's values in order: the codec applied along the run's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runreel.codec import json_text, text_delta
from runreel.model.records import RUN, STREAM_EVENT, EventRow

if TYPE_CHECKING:
    from runreel.codec.source_protocol import Shape
    from runreel.codec.text_delta import Encoded

# What stands for each character of text that was erased.
PLACEHOLDER = "\N{FULL BLOCK}"


class Transcript:
    """Reads and writes the values of one run, carrying its text from row to row."""

    __slots__ = ("_shape", "hidden", "text")

    def __init__(self, shape: Shape, text: str = "") -> None:
        self._shape = shape
        self.text = text
        # Which characters of the text stand for erased ones.
        self.hidden: tuple[tuple[int, int], ...] = ()

    @property
    def now(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Where it stands, to come back to."""
        return self.text, self.hidden

    @now.setter
    def now(self, then: tuple[str, tuple[tuple[int, int], ...]]) -> None:
        self.text, self.hidden = then

    def move(self, keep: int | None, text: str) -> None:
        """Go on to ``text``, which has ``keep`` characters of the one before."""
        self.text = text
        if self.hidden and keep is not None:
            self.hidden = _within(self.hidden, keep)

    def write(
        self, kind: str, type_: str | None, index: int | None, value: Any, text: str
    ) -> Encoded:
        """``value`` encoded for a row behind ``text``; the text it has itself is ours once stored.

        Raises:
            BadValue: if it is no JSON value.
        """
        if kind in (STREAM_EVENT, RUN):
            return text_delta.encode(value, self._shape, text=text, type_=type_, index=index)
        return text_delta.Encoded(json_text.dumps(value), None, None, text)

    def read(self, row: EventRow) -> Any:
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
        if (self.hidden or row.redacted is not None) and row.keep is not None:
            self._hide(row)
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
        if self.hidden or row.redacted is not None:
            self._hide(row)

    def _hide(self, row: EventRow) -> None:
        """Keep account of what is erased, the row's text being the last of ours."""
        keep = row.keep or 0
        self.hidden = _within(self.hidden, keep)
        if row.redacted is not None:
            erased = re.finditer(f"{PLACEHOLDER}+", self.text[keep:])
            self.hidden += tuple((keep + one.start(), keep + one.end()) for one in erased)


def _within(spans: tuple[tuple[int, int], ...], keep: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, min(end, keep)) for start, end in spans if start < keep)
