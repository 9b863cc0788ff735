"""The projection ``run_text``: its only writer but for rebuilds, and its stored form."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from runreel.model.columns import RUN_TEXT
from runreel.model.errors import BadValue
from runreel.projection.projector import project_run
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.projection.run_projection import RunProjection, Texts
    from runreel.store.connection import Connection

INSERT = (
    f"INSERT INTO run_text ({', '.join(RUN_TEXT)}) VALUES (?, ?, ?)"
    " ON CONFLICT (run_id, part) DO UPDATE SET text = excluded.text"
)
# Stands for a stored text that cannot be read.
DAMAGED = "\N{REPLACEMENT CHARACTER} damaged"


def rows_of(connection: Connection, projected: RunProjection) -> list[Sequence[object]]:
    """Return the rows of a run; the projector may not have seen all of its events."""
    run_id, texts = projected.summary.run_id, projected.texts
    if texts is None:
        texts = project_run(run_id, event_log.read(connection, run_id)).projection().texts or ()
    return stored_rows(connection, run_id, texts)


def stored_rows(connection: Connection, run_id: str, texts: Texts) -> list[Sequence[object]]:
    """Return texts as rows."""
    packed = connection.driver.text_search.packed
    return [(run_id, part, packed(text)) for part, text in texts]


def remove(connection: Connection, run_id: str, *, erased: bool) -> None:
    """Delete the texts of a run, first from the search index.

    ``erased``: nothing of them may stay.
    """
    connection.driver.text_search.forget(connection, [run_id], erased=erased)
    connection.execute("DELETE FROM run_text WHERE run_id = ?", (run_id,))


def read_texts(connection: Connection, stored: Iterable[Sequence[object]]) -> Texts:
    """Return the texts of stored pairs of part and text, sorted; ``DAMAGED`` if unreadable."""
    return tuple(sorted((str(part), _text(connection, text)) for part, text in stored))


def _text(connection: Connection, stored: object) -> str:
    try:
        return connection.driver.text_search.unpacked(stored)
    except BadValue:
        return DAMAGED


def summary(texts: Texts) -> list[tuple[object, ...]]:
    """Return what distinguishes texts: part, characters and checksum of each."""
    return [(part, len(text), zlib.crc32(text.encode())) for part, text in texts]
