"""The traces in OTLP JSON: the spans of model calls, agents and tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_text, text_in
from runreel.importing.archives.entries import Entry, Origin
from runreel.model.errors import BadInput
from runreel.model.events import RUN, TOOL_RESULTS
from runreel.sources.archives import spans
from runreel.sources.archives.lines import OTLP

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTICE = "spans have no stream: the runs of traces have final states, without times in between"


class SpanLines:
    """Reads exports of spans, whose lines have nothing in common."""

    def begin(self, name: str) -> SpanLines:
        """Return a reader for the next file."""
        del name
        return self

    def read(self, number: int, value: dict[str, object]) -> Iterator[Entry]:
        """Yield the spans of GenAI calls in an export, as their trace's.

        Raises:
            BadInput: if it has no spans, or one without ids.
        """
        if not spans.is_line(value):
            raise BadInput("an object without spans (resourceSpans)")
        for span in sorted(spans.spans_in(value), key=_end):
            found = spans.attributes(span)
            operation = spans.operation(found)
            if operation is None:
                continue
            trace = text_in(span, "traceId")
            if trace is None or text_in(span, "spanId") is None:
                raise BadInput("a span without traceId and spanId")
            thread = as_text(spans.first(found, spans.THREAD))
            kind = TOOL_RESULTS if operation == "tool" else RUN
            origin = Origin(OTLP, OTLP, thread)
            yield Entry(trace, origin, kind, span, spans.identity(span), number)


def _end(span: dict[str, object]) -> int:
    return spans.time_of(span, "endTimeUnixNano") or 0
