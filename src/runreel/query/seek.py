"""Reads of a run at any row: the state there and what follows, without most rows before it.

Key-frames hold the state of long runs at some of their rows. One that is missing or damaged costs
time only: the state then comes from an earlier one, or from the first row.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import BadValue, RunNotFound
from runreel.model.events import NOTE, OPENED, RESUMED
from runreel.projection import event_times, key_frames
from runreel.projection.key_frames import DamagedKeyFrame, KeyFrames
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.sources import reader_of
from runreel.store.events import event_log
from runreel.store.projections import key_frame_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.events import EventRow
    from runreel.store.connection import Connection

# After as many damaged key-frames, the rows are read from the first one.
_ATTEMPTS = 4
_END = 2**63 - 1


def nearest(
    connection: Connection, run_id: str, stop: int = _END, *, until: int | None = None
) -> RunProjector:
    """Return the projector of a run at its last key-frame before row ``stop``; else an empty one.

    Apply the rows after its ``state.last_seq`` to go on. Its state has only the keys of those.
    With ``until``, it is the last key-frame whose rows have times up to this, in µs.
    """
    while stop >= key_frames.ROWS:
        for _ in range(_ATTEMPTS):
            chain = key_frame_table.before(connection, run_id, stop, until=until)
            if not chain:
                break
            try:
                return RunProjector.restored(run_id, chain)
            except DamagedKeyFrame:
                stop = chain[0].seq
        break
    return RunProjector(run_id, frames=KeyFrames())


def projector_at(connection: Connection, run_id: str, stop: int = _END) -> RunProjector:
    """Return the projector of a run after its rows before ``stop``; see ``nearest``.

    Raises:
        DamagedRow: if a row that it applies is damaged.
    """
    projector = nearest(connection, run_id, stop)
    projector.frames = None
    start = projector.state.last_seq + 1
    projector.apply_all(event_log.read(connection, run_id, start=start, stop=stop))
    return projector


def text_at(connection: Connection, run_id: str, source: str, stop: int) -> str:
    """Return the text of a run after its rows before ``stop``.

    Raises:
        DamagedRow: if a row with some of it is damaged, or missing.
    """
    projector = nearest(connection, run_id, stop)
    start = projector.state.last_seq + 1
    transcript = projector.transcript if start else StreamCodec(reader_of(source))
    gap, expected = -1, start
    for row in event_log.read(connection, run_id, start=start, stop=stop):
        if row.seq != expected and gap < 0:
            gap = expected
        expected = row.seq + 1
        if gap >= 0 and (row.keep or 0) > len(transcript.text):
            raise _missing_before(row, gap)
        try:
            transcript.skip(row)
        except BadValue as error:
            raise DamagedRow(row, error) from error
    return transcript.text


def in_sequence(rows: Sequence[EventRow], start: int) -> list[EventRow]:
    """Return the rows from ``start`` to before the first one that is missing."""
    return [row for seq, row in enumerate(rows, start) if row.seq == seq]


def missing(connection: Connection, run_id: str, seq: int) -> DamagedRow | RunNotFound:
    """Return the error for a row that the log does not have: it is lost if others follow it."""
    for row in event_log.read(connection, run_id, start=seq):
        return _missing_before(row, seq)
    return RunNotFound(f"rows of run {run_id} were removed meanwhile")


def _missing_before(row: EventRow, seq: int) -> DamagedRow:
    return DamagedRow(row, BadValue(f"row {seq} is missing before it"))


def session_note(connection: Connection, run_id: str, head: int) -> str | None:
    """Return the newest note that starts a recording session, as JSON; see ``session``."""
    found = session(connection, run_id, head)
    return None if found is None else found.payload


def session(connection: Connection, run_id: str, head: int) -> EventRow | None:
    """Return the row of the newest note that starts a recording session, None without one.

    ``head`` is the last row of the run, or one before it.
    """
    projector = nearest(connection, run_id, head + 1)
    start, frames = projector.state.last_seq + 1, projector.frames
    found = event_log.last_note(connection, run_id, (OPENED, RESUMED), start)
    if found is None and frames is not None and frames.marks.session >= 0:
        found = next(iter(event_log.read_at(connection, [(run_id, frames.marks.session)])), None)
    return found


def rows_until(connection: Connection, run_id: str, at: int) -> int:
    """Return the number of rows a run had at a time, in µs; see ``event_times.wall_times``.

    Reads from the last key-frame before that time to the next row whose time is known. Where the
    source gives no times, all rows are read.
    """
    projector = nearest(connection, run_id, until=at)
    frames, last = projector.frames or KeyFrames(), projector.state.last_seq
    # Only the marks are needed.
    frames.due = _END
    marks = frames.marks
    before = marks.known_seq, marks.known_at
    for row in event_log.read(connection, run_id, start=last + 1, chunk=key_frames.ROWS):
        last = row.seq
        if not _mark(projector, row):
            return _rows_of_all(connection, run_id, at)
        if marks.known_seq == last and marks.known_at > at:
            break
        before = marks.known_seq, marks.known_at
    state = projector.state
    if marks.first_known and not state.has_start_time:
        return _rows_of_all(connection, run_id, at)
    if marks.first_known:
        # The first row has no time of its own, so it has that of the run's start.
        if state.started_at > at:
            return 0
        before = max(before, (0, state.started_at))
    if marks.known_at <= at or marks.known_seq != last:
        return last + 1
    return _rows_between(*before, last, marks.known_at, at)


def _rows_between(seq: int, time: int, later_seq: int, later: int, at: int) -> int:
    """Return the number of rows at a time between those of two rows; -1 is no row."""
    if seq < 0:
        return 0
    return seq + 1 + event_times.steps_until(time, later, later_seq - seq, at)


def _mark(projector: RunProjector, row: EventRow) -> bool:
    """Mark the next row; False if its time is unknown, as rows before it were not applied.

    Those are not applied that have the time at which they were received, and cannot change that.
    """
    state, frames = projector.state, projector.frames
    is_live = state.has_live_clock and state.has_start_time
    if frames is not None and is_live and (row.kind != NOTE or row.type not in (OPENED, RESUMED)):
        frames.marks.add_time(row.seq, row.at)
        return True
    projector.apply(row)
    return state.has_live_clock or not is_live or row.seq == 0


def _rows_of_all(connection: Connection, run_id: str, at: int) -> int:
    """Like ``rows_until``, from all rows of the run."""
    projector = RunProjector(run_id)
    received: list[int] = []
    event_time_at: dict[int, int] = {}
    for row in event_log.read(connection, run_id):
        interpretation = projector.apply(row).interpretation
        received.append(row.at)
        if projector.state.has_live_clock:
            time: int | None = row.at
        else:
            time = None if interpretation is None else interpretation.time
        if time is not None:
            event_time_at[row.seq] = time
    if projector.state.has_start_time and received:
        event_time_at.setdefault(0, projector.state.started_at)
    return bisect_right(event_times.wall_times(received, event_time_at), at)
