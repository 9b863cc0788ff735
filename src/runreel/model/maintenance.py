"""What redaction and recovery answer."""

from __future__ import annotations

from typing import NamedTuple

from runreel.model.runs import OpenRecording  # noqa: TC001 - for typing.get_type_hints


class RedactionMatch(NamedTuple):
    """Where something to be erased stands; ``where`` is a path into the row's JSON or ``text``."""

    run_id: str
    seq: int
    kind: str
    type: str | None
    where: str
    characters: int


class Recovered(NamedTuple):
    """What became of an open recording: ``resumed``, ``interrupted``, or ``left`` and why."""

    recording: OpenRecording
    action: str
    reason: str | None
