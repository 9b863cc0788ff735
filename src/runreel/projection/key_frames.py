"""Key-frames: the state of a run at some of its rows, from which a projector goes on.

A run of less than ``ROWS`` rows has none. The next one is due after ``ROWS`` rows, or later if the
state is long, so that key-frames take a small part of the space of the log. Both depend on nothing
but the rows, so that recording, import and rebuild make the same ones.

The text of a run is not repeated: a key-frame has what follows after the text of its base, an
earlier one. Bases are chosen so that few of them have the whole text, however long the run is.
"""

from __future__ import annotations

import hashlib
import zlib
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from runreel.codec.text_delta import common_prefix
from runreel.model.errors import BadValue, LogError
from runreel.model.events import NOTE, OPENED, RESUMED, STREAM_EVENT, EventRow
from runreel.projection import frame_state, result_codec
from runreel.projection.frame_state import Marks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runreel.codec.source_protocol import Interpretation
    from runreel.codec.stream_codec import StreamCodec
    from runreel.projection.run_state import RunState

ROWS = 256
# At least one row per 16 bytes of the last state: a row takes more than 100 bytes.
_BYTES_PER_ROW = 16
# Of 64 key-frames, the last has the text of all; of 64 of these, again.
_FANOUT = 64
_DIGEST_BYTES = 16
# Of zlib: higher ones take longer than storing a row, and save little.
_LEVEL = 3
_SEQ, _INDEX, _AT = map(EventRow._fields.index, ("seq", "source_index", "at"))
_at = itemgetter(_AT)


class DamagedKeyFrame(LogError):
    """A stored key-frame is not one that this code made."""

    hint = "`runreel rebuild` makes it again."


class KeyFrame(NamedTuple):
    """A stored key-frame: the columns of ``key_frames``.

    ``base`` is the seq of the key-frame whose text it keeps ``keep`` characters of; ``until`` is
    the latest time so far, in µs.
    """

    run_id: str
    seq: int
    base: int | None
    keep: int
    until: int | None
    text: bytes
    state: bytes
    digest: bytes


class _Anchor(NamedTuple):
    """A key-frame that later ones may have as their base."""

    number: int
    seq: int
    text: str
    digest: bytes


# ``due``, the number and the path of the last key-frame, and the marks.
Position: TypeAlias = "tuple[int, int, tuple[_Anchor, ...], Marks]"


class Restored(NamedTuple):
    """The state of a run at a key-frame."""

    state: RunState
    text: str
    masked_spans: tuple[tuple[int, int], ...]
    frames: KeyFrames


class KeyFrames:
    """Takes the key-frames of a run while its rows are applied.

    ``due`` is the row of the next one, and ``taken`` are those that are not handed over yet.
    ``marks`` are kept for them; see ``settle``.
    """

    __slots__ = ("_latest", "_number", "_path", "_text_at", "due", "marks", "taken")

    def __init__(
        self,
        due: int | None = None,
        marks: Marks | None = None,
        number: int = 0,
        path: tuple[_Anchor, ...] = (),
    ) -> None:
        self.due = ROWS - 1 if due is None else due
        self.marks = Marks() if marks is None else marks
        self.taken: list[KeyFrame] = []
        self._number = number
        self._path = path
        # Times of text rows that the marks do not have yet: of the last one, and the latest.
        self._text_at: int | None = None
        self._latest = 0

    @property
    def position(self) -> Position:
        """The current state, which can be assigned again to go back to it."""
        return self.due, self._number, self._path, msgspec.structs.replace(self.marks)

    @position.setter
    def position(self, then: Position) -> None:
        self.due, self._number, self._path, self.marks = then
        self.taken = []

    def add_text_time(self, at: int) -> None:
        """Add the time of the last of some text rows, before the row that is due; see ``settle``.

        Most rows of a recording are text rows, so this does the least for each.
        """
        self._text_at = at
        if at > self._latest:  # noqa: PLR1730 - faster than max()
            self._latest = at

    def settle(self, state: RunState, index: int) -> None:
        """Mark the text rows whose times were added. Call it before another row is applied.

        ``index`` is the highest number of an event by its source so far.
        """
        marks, at = self.marks, self._text_at
        marks.index = max(marks.index, index)
        if at is None:
            return
        if state.has_live_clock:
            marks.add_time(state.last_seq, self._latest)
            marks.known_at = at
        self._text_at, self._latest = None, 0

    def drain(self) -> list[KeyFrame]:
        """Hand over the key-frames that were taken."""
        taken, self.taken = self.taken, []
        return taken

    def mark(
        self,
        state: RunState,
        row: EventRow,
        interpretation: Interpretation | None,
        number: int | None = None,
    ) -> bool:
        """Mark a row that was just applied; return whether a key-frame is due there.

        ``number`` is that of its event by the source; older code stored some rows without it.
        """
        marks, seq, kind = self.marks, row.seq, row.kind
        if kind == STREAM_EVENT:
            index = number if row.source_index is None else row.source_index
            if index is not None and index > marks.index:
                marks.index = index
        elif kind == NOTE and row.type in (OPENED, RESUMED):
            marks.session = seq
        if state.has_live_clock:
            marks.add_time(seq, row.at)
        elif interpretation is not None and interpretation.time is not None:
            marks.add_time(seq, interpretation.time)
        return seq >= self.due

    def mark_text_rows(self, state: RunState, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Like ``mark`` for text-only rows that were applied at once; the last may be due."""
        marks, first, last = self.marks, rows[0], rows[-1]
        numbers = [row[_INDEX] for row in rows if row[_INDEX] is not None]
        marks.index = max(marks.index, max(numbers, default=-1))
        if state.has_live_clock:
            marks.add_time(first[_SEQ], max(map(_at, rows)))
            marks.add_time(last[_SEQ], last[_AT])
        return bool(last[_SEQ] >= self.due)

    def take(self, run_id: str, state: RunState, transcript: StreamCodec) -> None:
        """Take a key-frame after the row that was just applied."""
        number, text, seq = self._number + 1, transcript.text, state.last_seq
        path = _bases(self._path, number)
        base = path[-1] if path else None
        keep = 0 if base is None else common_prefix(base.text, text)
        if keep < len(text) // 2:
            # Another text: what is equal at its beginning is not worth reading two key-frames.
            path, base, keep = (), None, 0
        added = text[keep:].encode("utf-8", "surrogatepass")
        digest = _text_digest(base, keep, added)
        try:
            payload = frame_state.encode(state, transcript, number, digest, self.marks)
        except BadValue:
            # It is nested too deeply to be stored.
            self.due = seq + ROWS
            return
        columns = (run_id, seq, None if base is None else base.seq, keep, self.marks.until)
        compressed = _compressed(added), _compressed(payload)
        self.taken.append(KeyFrame(*columns, *compressed, _digest(columns, payload)))
        self._number, self._path = number, (*path, _Anchor(number, seq, text, digest))
        self.due = _due_after(seq, payload)


def restore(chain: Sequence[KeyFrame]) -> Restored:
    """Return the state at the first of these key-frames; each is followed by its base.

    Raises:
        DamagedKeyFrame: if one of them is damaged or missing.
    """
    try:
        return _restore(chain)
    except (
        *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
        *(BadValue, zlib.error, msgspec.MsgspecError),
    ) as error:
        raise DamagedKeyFrame(f"a key-frame of run {chain[0].run_id} is damaged") from error


def content(frame: KeyFrame) -> object:
    """Return what a key-frame holds, to compare it; any value for one that is damaged.

    Equal states may be compressed differently.
    """
    try:
        return (*frame[:5], zlib.decompress(frame.text), zlib.decompress(frame.state), frame.digest)
    except (TypeError, zlib.error):
        return tuple(frame)


def _restore(chain: Sequence[KeyFrame]) -> Restored:
    frame = chain[0]
    payload = zlib.decompress(frame.state)
    if _digest(frame[:5], payload) != frame.digest:
        raise ValueError("the digest differs")
    saved, result = frame_state.decode(payload)
    path = _path_of(chain, saved.number)
    text = path[-1].text
    if path[-1].digest.hex() != saved.text_digest:
        raise ValueError("the text differs")
    frames = KeyFrames(_due_after(frame.seq, payload), saved.marks, saved.number, path)
    state = frame_state.state_of(saved, frame.seq, result, text)
    return Restored(state, text, saved.masked_spans, frames)


def _path_of(chain: Sequence[KeyFrame], number: int) -> tuple[_Anchor, ...]:
    """Put the text of each key-frame together, from the last base to the first key-frame."""
    numbers = [number]
    for _ in chain[1:]:
        numbers.append(_base_number(numbers[-1]))
    path: tuple[_Anchor, ...] = ()
    for n, frame in zip(reversed(numbers), reversed(chain), strict=True):
        base = path[-1] if path else None
        if frame.base != (None if base is None else base.seq):
            raise ValueError("a base is missing")
        added = zlib.decompress(frame.text)
        before = "" if base is None else base.text[: frame.keep]
        text = before + added.decode("utf-8", "surrogatepass")
        path += (_Anchor(n, frame.seq, text, _text_digest(base, frame.keep, added)),)
    return path


def _bases(path: tuple[_Anchor, ...], number: int) -> tuple[_Anchor, ...]:
    """Return the part of a path that ends with the base of the key-frame of this number."""
    base = _base_number(number)
    while path and path[-1].number > base:
        path = path[:-1]
    return path


def _base_number(number: int) -> int:
    """Return the number of the base of a key-frame; 0 is the beginning of the run."""
    step = 1
    while number % (step * _FANOUT) == 0:
        step *= _FANOUT
    return number - step


def _due_after(seq: int, payload: bytes) -> int:
    return seq + max(ROWS, len(payload) // _BYTES_PER_ROW)


def _text_digest(base: _Anchor | None, keep: int, added: bytes) -> bytes:
    before = b"" if base is None else base.digest
    return _hash(before + keep.to_bytes(8, "big") + added)


def _digest(columns: tuple[object, ...], payload: bytes) -> bytes:
    return _hash(repr(columns).encode("utf-8", "backslashreplace") + payload)


def _compressed(data: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, result_codec.WINDOW, result_codec.MEMORY)
    return compressor.compress(data) + compressor.flush()


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
