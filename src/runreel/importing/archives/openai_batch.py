"""The answers in output files of the Batch API: each line wraps an answer, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import object_in, text_in
from runreel.importing.archives.entries import Entry, Origin
from runreel.model.errors import BadInput
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.archives.lines import OPENAI_BATCH
from runreel.sources.line_parser import RESPONSES, try_detect_line

if TYPE_CHECKING:
    from collections.abc import Iterator


class BatchLines:
    """Reads output files, whose lines have nothing in common."""

    def begin(self, name: str) -> BatchLines:
        """Return a reader for the next file."""
        del name
        return self

    def read(self, number: int, value: dict[str, object]) -> Iterator[Entry]:
        """Yield the answer in a line, or the error in its place.

        Raises:
            BadInput: if there is neither, or it is no answer of a model.
        """
        run_id = text_in(value, "id")
        if run_id is None:
            raise BadInput("a line of a batch without an id")
        source, kind, body = _answer(value)
        custom_id = text_in(value, "custom_id")
        labels = () if custom_id is None else (("custom_id", custom_id),)
        yield Entry(run_id, Origin(source, OPENAI_BATCH, None, labels), kind, body, None, number)


def _answer(value: dict[str, object]) -> tuple[str, str, object]:
    """Return the source, the kind and the body of an answer or an error."""
    body = object_in(object_in(value, "response"), "body")
    error = value.get("error") or body.get("error")
    if error and text_in(body, "object") is None:
        return RESPONSES, STREAM_EVENT, {"error": error}
    line = try_detect_line(body) if body else None
    if line is None or line.kind != RUN:
        raise BadInput("a line of a batch whose answer is of no model that is known")
    return line.source, RUN, body
