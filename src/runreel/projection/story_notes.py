"""What the notes of a run say about it, in a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_list, as_text
from runreel.model.events import (
    ATTEMPT,
    CONFLICT,
    GAP,
    INTERRUPTED,
    LOST,
    NOT_UNDERSTOOD,
    REDACTED,
    RESUMED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Note = Mapping[str, object]


def text_of(type_: str | None, note: Note) -> str | None:
    """Say what a note means for the run; None if it is of no interest to a reader."""
    sentence = _TEXTS.get(type_ or "")
    return None if sentence is None else sentence(note)


def _attempt(note: Note) -> str:
    status = note.get("status")
    shown = "" if status is None else f" with HTTP status {status}"
    return f"the attempt failed{shown}: {as_text(note.get('error')) or 'no reason is known'}"


def _interrupted(note: Note) -> str:
    reason = as_text(note.get("reason"))
    return "the recording was interrupted" + (f": {reason}" if reason else "")


def _resumed(note: Note) -> str | None:
    # A call that continues the run has a request of its own.
    is_call = "after" in note or "requested_at" in note
    return None if is_call else "the recording was resumed"


def _gap(note: Note) -> str:
    expected, got = note.get("expected"), note.get("got")
    return f"events are missing: number {expected} was expected and {got} came"


def _redacted(note: Note) -> str:
    rows = as_list(note.get("seqs"))
    actor, reason = as_text(note.get("actor")), as_text(note.get("reason"))
    what = f"{len(rows)} rows were erased" if len(rows) != 1 else f"row {rows[0]} was erased"
    return what + (f" by {actor}" if actor else "") + (f": {reason}" if reason else "")


_TEXTS: dict[str, Callable[[Note], str | None]] = {
    ATTEMPT: _attempt,
    CONFLICT: lambda note: f"the event of row {note.get('seq')} came again with other content",
    GAP: _gap,
    INTERRUPTED: _interrupted,
    LOST: lambda note: f"{note.get('events')} events could not be stored",
    NOT_UNDERSTOOD: lambda note: (
        f"not understood in row {note.get('seq')}: {', '.join(map(str, as_list(note.get('what'))))}"
    ),
    REDACTED: _redacted,
    RESUMED: _resumed,
}
