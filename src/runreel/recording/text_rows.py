"""Builds the rows of events that change only the text, for all of a chunk at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import text_delta
from runreel.codec.source_protocol import MORE_THAN_TEXT
from runreel.integrity.digest_chain import SALT_BYTES, SharedColumns, text_digests
from runreel.model.events import STREAM_EVENT, EventRow
from runreel.model.status import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.codec.source_protocol import Interpretation, SourceEvent
    from runreel.projection.projector import RunProjector


class TextRows(NamedTuple):
    """Consecutive rows, with the text and the interpretation after the last one.

    ``interpretation`` is None if the last row is text-only.
    """

    rows: list[EventRow]
    text: str
    interpretation: Interpretation | None


def build(
    projector: RunProjector, digest: bytes, events: Iterable[SourceEvent], at: int, elapsed: int
) -> TextRows | None:
    """Build the rows of the first events that change only the text; None if the first does more.

    ``at`` is in µs since 1970, ``elapsed`` in µs since the session began.

    Raises:
        BadValue: if a value is not a JSON value.
    """
    state, text = projector.state, projector.transcript.text
    memory = before = state.adapter_memory
    last: SourceEvent | None = None
    encoded: list[tuple[int | None, int, int, str]] = []
    for event in events:
        if event.type != PARTIAL or event.kind != STREAM_EVENT:
            break
        new = text_delta.encode(event, text)
        if new.keep is None or new.added is None:
            break
        is_text_only = new.payload.startswith('"')
        after = None if is_text_only else _memory_after(projector, event, new.text, memory)
        if after is MORE_THAN_TEXT:
            break
        encoded.append((event.index, new.keep, new.added, new.payload))
        text, before, memory, last = new.text, memory, after, None if is_text_only else event
    if not encoded:
        return None
    shared = SharedColumns(projector.run_id, state.last_seq + 1, STREAM_EVENT, PARTIAL, at, elapsed)
    interpretation = None if last is None else last.read(text, before)
    return TextRows(chained(digest, shared, encoded), text, interpretation)


def _memory_after(projector: RunProjector, event: SourceEvent, text: str, memory: object) -> object:
    return MORE_THAN_TEXT if projector.thinks(event) else event.text_memory(text, memory)


def chained(
    digest: bytes, shared: SharedColumns, encoded: Sequence[tuple[int | None, int, int, str]]
) -> list[EventRow]:
    """Build consecutive rows after a row with this ``digest``, each with a new salt.

    Each has its ``source_index``, ``keep``, ``added`` and payload.
    """
    salts = os.urandom(SALT_BYTES * len(encoded))
    digests = text_digests(digest, shared, encoded, salts)
    run_id, seq, kind, type_, at, elapsed = shared
    rows: list[EventRow] = []
    for (index, keep, added, payload), row_digest in zip(encoded, digests, strict=True):
        start = len(rows) * SALT_BYTES
        salt = salts[start : start + SALT_BYTES]
        rows.append(
            EventRow._make(
                (
                    *(run_id, seq + len(rows), kind, type_, index, at, elapsed),
                    *(keep, added, payload, salt, None, row_digest),
                )
            )
        )
    return rows
