"""Verifies a whole recording file before anything of it is used."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object
from runreel.importing.recording_reader import RecordingReader
from runreel.model.events import MASKED, NOTE, PRUNED

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.integrity.checkpoint_format import HeadEntry
    from runreel.integrity.recording_format import Manifest, Trailer


class Checked(NamedTuple):
    """What a file holds: its first and last line, and the head of each run, in order.

    ``masks`` are the masked payloads of erased rows, by run and position. ``blocks`` are the
    digests of the file up to the end of each block of lines: where they are the same, it has not
    been changed since, and need not be verified again.
    """

    manifest: Manifest
    trailer: Trailer
    heads: dict[str, HeadEntry]
    masks: dict[str, dict[int, str]]
    pruned: int
    blocks: list[bytes]


def check(file: IO[bytes], name: str, *, progress: Callable[[int], None] | None = None) -> Checked:
    """Verify a whole file; ``progress`` receives the number of rows read so far.

    Raises:
        BadRecording: if it is no recording, or was changed or cut off.
    """
    reader = RecordingReader(file, name)
    masks: dict[str, dict[int, str]] = {}
    pruned = 0
    for number, row in enumerate(reader.rows()):
        if row.kind == NOTE:
            pruned += row.type == PRUNED
            if row.type == MASKED and row.payload is not None:
                masks.setdefault(row.run_id, {}).update(_masked(row.payload))
        if progress is not None and number % 1_000 == 0:
            progress(number)
    return Checked(reader.manifest, reader.trailer, reader.heads, masks, pruned, reader.blocks)


def _masked(payload: str) -> dict[int, str]:
    payloads = as_object(as_object(loads(payload)).get("payloads"))
    return {int(seq): text for seq, text in payloads.items() if isinstance(text, str)}
