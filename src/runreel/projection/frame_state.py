"""The state of a projector as JSON, for key-frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runreel.codec import json_text
from runreel.codec.source_protocol import RunMetadata  # noqa: TC001 - for typing.get_type_hints
from runreel.codec.token_counts import Tally  # noqa: TC001 - as above
from runreel.model.results import UsageDetails  # noqa: TC001 - as above
from runreel.projection import result_codec
from runreel.projection.run_state import ModelCall, RunState
from runreel.sources import reader_of

if TYPE_CHECKING:
    from runreel.codec.stream_codec import StreamCodec


class Marks(msgspec.Struct, array_like=True):
    """What is known of the rows so far.

    ``index`` is the highest number of an event by its source. ``until`` is the latest time of a row
    on the run's own clock, in µs. ``known_seq`` is the last row with a time, ``known_at`` its time,
    ``first_known`` the first one. ``session`` is the note that started the recording session.
    """

    index: int = -1
    until: int | None = None
    known_seq: int = -1
    known_at: int = 0
    first_known: int = -1
    session: int = -1

    def add_time(self, seq: int, time: int) -> None:
        """Add the time of a row."""
        if self.known_seq < 0:
            self.first_known = seq
        self.known_seq, self.known_at = seq, time
        if self.until is None or time > self.until:
            self.until = time


class SavedState(msgspec.Struct, array_like=True):
    """A state but for the result of the run.

    ``number`` is that of the key-frame, and ``text_digest`` the digest of the run's text.
    """

    number: int
    text_digest: str
    marks: Marks
    masked_spans: tuple[tuple[int, int], ...]
    source: str
    recording: str
    error_code: int | str | None
    is_final_by_get: bool
    has_live_clock: bool
    has_start_time: bool
    metadata: RunMetadata
    started_at: int
    first_text_at: int | None
    finished_at: int | None
    events: int
    details: UsageDetails | None
    tally: Tally | None
    noted: tuple[str, ...]
    clocked: bool
    continued: bool
    calls: tuple[ModelCall, ...]
    memory: dict[str, object] | None


_OF_STATE = tuple(SavedState.__struct_fields__[4:-1])


def encode(
    state: RunState, transcript: StreamCodec, number: int, digest: bytes, marks: Marks
) -> bytes:
    """Encode a state as two lines of JSON, without the text of the run, whose digest is given.

    Raises:
        BadValue: if it is nested too deeply.
    """
    kept = {name: getattr(state, name) for name in _OF_STATE}
    kept["noted"] = tuple(sorted(state.noted))
    memory = _memory_value(state.adapter_memory)
    saved = SavedState(number, digest.hex(), marks, transcript.masked_spans, **kept, memory=memory)
    head = json_text.dumps(msgspec.to_builtins(saved, str_keys=True))
    if "\\ud" in head:
        # A pair of surrogates is one character once it has been stored.
        head = json_text.dumps(json_text.loads(head))
    return f"{head}\n{result_codec.result_payload(state.result, transcript.text)}".encode()


def decode(payload: bytes) -> tuple[SavedState, str]:
    """Decode the output of ``encode``; returns the state, and the result for ``state_of``.

    Raises:
        BadValue, ValueError, msgspec.ValidationError: if it is damaged.
    """
    head, _, result = payload.decode().partition("\n")
    return msgspec.convert(json_text.loads(head), SavedState), result


def state_of(saved: SavedState, seq: int, result: str, text: str) -> RunState:
    """Return the state after row ``seq``, when the run had this ``text``.

    Raises:
        BadValue, msgspec.ValidationError: if it is damaged.
    """
    state = RunState(**{name: getattr(saved, name) for name in _OF_STATE})
    state.noted = frozenset(saved.noted)
    state.last_seq = seq
    found = result_codec.result_of(result, text)
    state.status, state.error, state.tool_calls = found.status, found.error, found.tool_calls
    state.message, state.usage = found._message, found.usage  # noqa: SLF001 - failed ones hide it
    memory_type = reader_of(saved.source).memory_type
    if saved.memory is not None and memory_type is not None:
        state.adapter_memory = msgspec.convert(saved.memory, memory_type, str_keys=True)
    return state


def _memory_value(memory: object) -> dict[str, object] | None:
    """Return the memory of a source adapter by field; sets are sorted."""
    if not isinstance(memory, msgspec.Struct):
        return None
    values = {name: getattr(memory, name) for name in memory.__struct_fields__}
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in values.items()
    }
