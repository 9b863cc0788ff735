"""The write side of a session: for threads that may block, or for an event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.model.errors import LogError, RecordingError, RunreelError
from runreel.model.events import CLOSED
from runreel.projection.run_state import RunState
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder
from runreel.sources.yandex.reader import reader
from runreel.system import sync_bridge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from runreel.recording.deduplication import AppendOutcome
    from runreel.store.database import Database

T = TypeVar("T")

_log = logging.getLogger("runreel")

_CHUNK = 100


def _ignore(*_: object) -> None:
    return None


class RecordingAdapter:
    """The recording of one run, shared by threads, or by the tasks of an event loop.

    With ``blocking`` its coroutines never suspend; without, they never block the event loop.
    ``on_outcome`` gets the outcome of each value offered.
    """

    def __init__(  # noqa: PLR0913 - options of a recording
        self,
        database: Database,
        run_id: str,
        *,
        blocking: bool,
        on_error: str = "raise",
        identity: dict[str, object] | None = None,
        on_outcome: Callable[[AppendOutcome | None], None] = _ignore,
    ) -> None:
        self.database = database
        make_recorder = partial(
            Recorder, database, run_id, source=reader.name, via="live", identity=identity
        )
        self._guarded = GuardedRecorder(make_recorder, on_error, blocking=blocking)
        self.blocking = blocking
        self._on_outcome = on_outcome
        # Reentrant: the garbage collector may close a generator in the thread that holds the lock.
        self._lock, self._task_lock = threading.RLock(), asyncio.Lock()

    @property
    def index(self) -> int:
        """The highest event number in the log, -1 without events."""
        recorder = self._recorder()
        return -1 if recorder is None else recorder.index

    @property
    def state(self) -> RunState:
        """The run's state in the log."""
        recorder = self._recorder()
        return RunState() if recorder is None else recorder.state

    async def offer(
        self, kind: str, value: object, make_event: Callable[[], object] = _ignore
    ) -> AppendOutcome | None:
        """Store a value unless the log has it; None if it is lost and errors only warn.

        Raises:
            RecordingError: if it cannot be stored; its ``event`` is what ``make_event`` returns.
        """
        try:
            outcome = await self._locked(self._guarded.offer(kind, value))
        except RecordingError as error:
            error.event = make_event()
            raise
        self._on_outcome(outcome)
        return outcome

    async def append(self, kind: str, value: object) -> int | None:
        """Append a value; returns its position, None if it is lost and errors only warn."""
        row = await self._locked(self._guarded.append(kind, value, value))
        return None if row is None else row.seq

    async def note(self, type_: str, value: dict[str, object]) -> None:
        """Append a note."""
        try:
            await self._locked(self._guarded.note(type_, value))
        except RunreelError as error:
            self._guarded.failed(error, value)

    async def close(self) -> None:
        """Close the recording, even if the task is cancelled; not if the log has it closed."""
        await self.to_end(self._close())

    async def interrupt(self, reason: str) -> None:
        """Mark the recording as interrupted, even if the task is cancelled."""
        await self.to_end(self._locked(self._guarded.end(reason)))

    def interrupt_now(self, reason: str) -> None:
        """Like ``interrupt``, for callers that cannot await."""
        with self._lock:
            sync_bridge.completed(self._guarded.end(reason, blocking=True))

    async def query(self, read: Callable[[], T], default: T) -> T:
        """Return what ``read`` reads from the log; ``default`` on errors that only warn."""
        try:
            return read() if self.blocking else await asyncio.to_thread(read)
        except LogError:
            if not self._guarded.warns:
                raise
            return default

    async def ready(self) -> None:
        """Check that the run can be recorded, and read its state from the log.

        Raises:
            RunreelError: if it cannot be recorded; with ``warn``, errors of the log are ignored.
        """
        try:
            await self._locked(self._guarded.recorder())
        except LogError:
            if not self._guarded.warns:
                raise

    async def to_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Await ``steps`` to completion, even if the task is cancelled meanwhile."""
        return await sync_bridge.to_end(steps, blocking=self.blocking)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        if self.blocking:
            time.sleep(seconds)  # noqa: ASYNC251 - the thread may block
        else:
            await asyncio.sleep(seconds)

    async def read(self, rows: Iterator[T]) -> AsyncGenerator[T, None]:
        """Yield rows of the log lazily."""
        size = 1 if self.blocking else _CHUNK
        nothing: list[T] = []
        while chunk := await self.query(lambda: list(islice(rows, size)), nothing):
            for row in chunk:
                yield row

    async def _locked(self, steps: Coroutine[Any, Any, T]) -> T:
        try:
            if self.blocking:
                with self._lock:
                    return await steps
            async with self._task_lock:
                return await steps
        finally:
            steps.close()  # if a cancellation came before them

    async def _close(self) -> None:
        try:
            await self._locked(self._close_unlocked())
        except RunreelError:
            if not self._guarded.warns:
                raise
            _log.exception("the note that closes the recording could not be stored")

    async def _close_unlocked(self) -> None:
        await self._guarded.end()
        if self.state.last_seq >= 0 and self.state.recording != CLOSED:
            await self._guarded.note(CLOSED, {})

    def _recorder(self) -> Recorder | None:
        """The recorder; None if it is not open, in an event loop or as errors only warn."""
        if not self.blocking:
            # Opening it would block the event loop.
            return self._guarded.made
        try:
            return self._guarded.open()
        except LogError:
            if not self._guarded.warns:
                raise
            return None
