"""Encodes the result of a run for the column ``result``, and decodes it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from runreel.codec import json_text, plain_json, text_delta
from runreel.codec.source_protocol import SourceEvent
from runreel.model.errors import BadValue, LogError
from runreel.model.events import OPEN, RUN
from runreel.sources import reader_of

if TYPE_CHECKING:
    from runreel.model.results import RunResult
    from runreel.projection.run_projection import RunProjection

# Stored while the recording is open: the log has the result, and each commit would encode it again.
NO_RESULT = b""
# zlib's wbits and memLevel: a window of 4 KiB.
WINDOW, MEMORY = 12, 4
_SHAPE = reader_of("plain")


def encode_result(projected: RunProjection) -> bytes:
    """Encode a result as compressed plain JSON, without the text that the event log has."""
    # Results are short: clearing zlib's usual window and tables would take most of the time.
    compressor = zlib.compressobj(6, zlib.DEFLATED, WINDOW, MEMORY)
    return compressor.compress(_payload(projected)) + compressor.flush()


def stored_result(projected: RunProjection) -> bytes:
    """Return what is stored as the result: ``encode_result``, or ``NO_RESULT``."""
    return NO_RESULT if projected.summary.recording == OPEN else encode_result(projected)


def is_result(stored: object, projected: RunProjection) -> bool:
    """Return whether ``stored`` holds the result of a run; decompresses little more than its size.

    Equal results may be compressed differently.
    """
    # Earlier versions stored the results of open recordings too.
    if stored == NO_RESULT and projected.summary.recording == OPEN:
        return True
    if not isinstance(stored, bytes):
        return False
    payload, decompressor = _payload(projected), zlib.decompressobj()
    try:
        # Equal results may differ in the order of keys and in escapes.
        found = decompressor.decompress(stored, 6 * len(payload) + 1)
        complete = decompressor.eof and not decompressor.unused_data
        return complete and (found == payload or json_text.loads(found) == json_text.loads(payload))
    except (zlib.error, BadValue):
        return False


def decode_result(run_id: str, data: bytes, text: str) -> RunResult:
    """Decode the output of ``encode_result``; ``text`` is the run's text in the event log.

    Raises:
        LogError: if it is damaged.
    """
    try:
        payload = zlib.decompress(data).decode()
        return result_of(payload, text)
    except (zlib.error, UnicodeDecodeError, BadValue) as error:
        raise damaged_projection(run_id) from error


def result_payload(result: RunResult, text: str) -> str:
    """Encode a result as plain JSON, without what it has of the run's ``text``.

    Raises:
        BadValue: if it is nested too deeply.
    """
    value = plain_json.result_value(result)
    event = SourceEvent(RUN, value, slots=_SHAPE.slots(value))
    return text_delta.encode(event, text).payload


def result_of(payload: str, text: str) -> RunResult:
    """Decode the output of ``result_payload``.

    Raises:
        BadValue: if it is damaged.
    """
    return plain_json.result(text_delta.decode_detached(payload, _SHAPE, text=text))


def damaged_projection(run_id: str) -> LogError:
    """Return the error for a damaged row of a run in the projections."""
    return LogError(
        f"the projection of run {run_id} is damaged",
        hint=f"`runreel rebuild {run_id}` rebuilds it from the event log.",
    )


def _payload(projected: RunProjection) -> bytes:
    return result_payload(projected.result, projected.text).encode()
