"""Results of redaction, recovery and the release of space."""

from __future__ import annotations

from typing import NamedTuple

from runreel.model.runs import OpenRecording  # noqa: TC001 - for typing.get_type_hints


class RedactionMatch(NamedTuple):
    """A match to erase; ``where`` is a path into the JSON of the row, or ``text``."""

    run_id: str
    seq: int
    kind: str
    type: str | None
    where: str
    characters: int


class Recovered(NamedTuple):
    """The outcome of an open recording: ``resumed``, ``interrupted``, or ``left`` with a reason."""

    recording: OpenRecording
    action: str
    reason: str | None


class Space(NamedTuple):
    """Bytes before and after, and what may still hold the old bytes.

    ``unused`` are free bytes inside a SQLite file, reused by later recordings. ``held`` is true if
    a reader kept a purge from removing all old bytes.
    """

    before: int
    after: int
    left: tuple[str, ...]
    unused: int | None = None
    held: bool = False
