"""Results of redaction and recovery."""

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
