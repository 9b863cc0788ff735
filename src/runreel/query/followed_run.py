"""One run that is followed: its new rows, and whether more can come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import NOTE, OPEN, OPENED, PRUNED, RESUMED
from runreel.model.selection import state_of
from runreel.projection.event_reader import next_event
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.query import seek
from runreel.query.open_recordings import is_abandoned
from runreel.store.events import damage, event_log, stream_heads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.events import EventRow, StoredEvent
    from runreel.model.status import RunStatus
    from runreel.projection.projector import RunProjector
    from runreel.store.connection import Connection

# Why a follow ended.
OVER, STALE, GONE, TIMEOUT, ONCE = "over", "stale", "pruned", "timeout", "once"

# Rows that are read at a time: what is redacted later is not shown.
_PAGE = 200
# Seconds after the death of a process in which another one may resume the recording.
_GRACE = 2.0
# Seconds between two looks at a process.
_LOOK = 1.0


class End(NamedTuple):
    """The end of a follow, or of one of its runs.

    ``reason`` is ``over`` (the recording has ended), ``stale`` (its process is gone), ``pruned``,
    ``timeout`` or ``once`` (nothing was waited for). The fields of a run are None at the end of a
    follow of all runs. ``message`` says when and why the run was pruned.
    """

    reason: str
    run_id: str | None = None
    status: RunStatus | None = None
    recording: str | None = None
    state: str | None = None
    message: str | None = None


class FollowedRun:
    """A run whose rows from ``start`` on are read as they are committed.

    Call ``fetch``, then read ``events`` to its end, then ask for ``end``.
    """

    def __init__(self, run_id: str, start: int) -> None:
        self.run_id = run_id
        self.start = start
        self._projector: RunProjector | None = None
        self._rows: list[EventRow] = []
        self._head = -1
        self._status: RunStatus | None = None
        self._session: str | None = None
        self._message: str | None = None
        self._dead_since: float | None = None
        self._was_alive = False
        # The log was read after the death was seen, so its last rows are known.
        self._is_read = False
        self._look_at = 0.0

    @property
    def next(self) -> int:
        """The seq of the next row to read."""
        return 0 if self._projector is None else self._projector.state.last_seq + 1

    @property
    def has_more(self) -> bool:
        """True if rows follow those that were fetched."""
        return self.next <= self._head

    @property
    def is_suspect(self) -> bool:
        """True if the process of the recording was found dead: the last rows may be unread."""
        return self._dead_since is not None

    def fetch(self, connection: Connection, head: int | None = None) -> bool:
        """Read the next rows, if there are any; ``head`` is the last seq, if it is known.

        Raises:
            RunNotFound: if rows are missing although the run was not pruned.
        """
        self._is_read = True
        if head is None:
            head = event_log.last_position(connection, self.run_id)
        if self._projector is not None and head < self.next:
            return False
        with damage.snapshot(connection):
            self._rows = self._read(connection)
        return bool(self._rows)

    def events(self) -> Iterator[StoredEvent]:
        """Yield the fetched events from ``start`` on."""
        projector, rows, self._rows = self._projector, self._rows, []
        if projector is None or not rows:
            return
        self._dead_since = None
        for row in rows:
            if row.kind == NOTE and row.type in (OPENED, RESUMED):
                self._session = row.payload
            elif is_tombstone(row):
                self._status = projector.state.status if projector.state.last_seq >= 0 else None
                self._message = pruned_message(row)
            if row.seq >= self.start:
                yield next_event(projector, row)
            else:
                projector.apply(row)

    def end(self, *, once: bool = False) -> End | None:
        """Return why no more rows will come, None while they may; call it after ``events``.

        With ``once``, a run that is not over ends as well.
        """
        if self._projector is None or self.has_more:
            return None
        recording = self._projector.state.recording
        if recording == PRUNED:
            return self._ended(GONE)
        if recording != OPEN:
            return self._ended(OVER)
        if once:
            return self._ended(ONCE, stale=is_abandoned(self._session))
        return self._ended(STALE, stale=True) if self._is_gone(time.monotonic()) else None

    def timed_out(self) -> End:
        """Return the end of a run that may go on."""
        return self._ended(TIMEOUT)

    def _ended(self, reason: str, *, stale: bool = False) -> End:
        projector = self._projector
        if projector is None:
            return End(reason, self.run_id)
        state = projector.state
        status = self._status or state.status
        word = state_of(status, state.recording, stale=stale)
        return End(reason, self.run_id, status, state.recording, word, self._message)

    def _is_gone(self, now: float) -> bool:
        """True if the process is dead, for a while if it was seen alive, and no row came since."""
        if now < self._look_at:
            return False
        if not is_abandoned(self._session):
            self._was_alive, self._dead_since = True, None
            self._look_at = now + _LOOK
            return False
        if self._dead_since is None:
            self._dead_since, self._is_read = now, False
            return False
        return self._is_read and now >= self._dead_since + (_GRACE if self._was_alive else 0.0)

    def _read(self, connection: Connection) -> list[EventRow]:
        head = event_log.last_position(connection, self.run_id)
        projector = self._projector
        if projector is None:
            projector = self._rebuild(connection, min(self.start, head + 1))
            self._session = seek.session_note(connection, self.run_id, head)
        elif event_log.has_erasures(connection, self.run_id, self._head + 1):
            # The text so far has what was erased.
            projector = self._rebuild(connection, projector.state.last_seq + 1)
        self._head = head
        start = projector.state.last_seq + 1
        stop = min(start + _PAGE, head + 1)
        rows = list(event_log.read(connection, self.run_id, start=start, stop=stop))
        if [row.seq for row in rows] == [*range(start, stop)]:
            return rows
        # Rows are only removed by pruning.
        found = stream_heads.first_and_last(connection, self.run_id)
        if found is None or not is_tombstone(found[0]):
            rows = seek.in_sequence(rows, start)
            if not rows:
                raise seek.missing(connection, self.run_id, start)
            return rows
        return [found[0]]

    def _rebuild(self, connection: Connection, stop: int) -> RunProjector:
        self._projector = seek.projector_at(connection, self.run_id, stop)
        return self._projector
