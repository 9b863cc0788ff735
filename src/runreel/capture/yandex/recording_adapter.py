"""The write side of a session: for threads that may block, and for event loops."""

from __future__ import annotations

import asyncio
import logging
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.capture.sync_bridge import completed
from runreel.model.errors import LogError, RecordingError, RunreelError
from runreel.model.events import CLOSED
from runreel.projection.run_state import RunState
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from runreel.recording.deduplication import AppendOutcome
    from runreel.recording.error_policy import GuardedRecorder
    from runreel.recording.recorder import Recorder

T = TypeVar("T")

_log = logging.getLogger("runreel")

_CHUNK = 100


def _no_event() -> None:
    return None


class RecordingAdapter:
    """The recording of one run, shared by threads. Its coroutines never suspend."""

    def __init__(self, recorder: GuardedRecorder) -> None:
        self._guarded = recorder
        # Reentrant: the garbage collector may close a generator in the thread that holds the lock.
        self._lock = threading.RLock()

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
        self, kind: str, value: Any, make_event: Callable[[], Any] = _no_event
    ) -> AppendOutcome | None:
        """Store a value unless the log has it; None if it is lost and errors only warn.

        Raises:
            RecordingError: if it cannot be stored; its ``event`` is what ``make_event`` returns.
        """
        try:
            with self._lock:
                return self._guarded.offer(kind, value)
        except RecordingError as error:
            error.event = make_event()
            raise

    async def append(self, kind: str, value: Any) -> int | None:
        """Append a value; returns its position, None if it is lost and errors only warn."""
        try:
            with self._lock:
                return self._guarded.recorder.append(kind, value).seq
        except RunreelError as error:
            self._guarded.failed(error, value)
            return None

    async def note(self, type_: str, value: dict[str, Any]) -> None:
        """Append a note."""
        try:
            with self._lock:
                self._guarded.recorder.note(type_, value)
        except RunreelError as error:
            self._guarded.failed(error, value)

    async def close(self) -> None:
        """Close the recording; does nothing if the log has it closed already."""
        try:
            with self._lock:
                self._guarded.close()
                if self._is_unclosed():
                    self._guarded.recorder.note(CLOSED, {})
        except RunreelError:
            self._handle_close_error()

    async def interrupt(self, reason: str) -> None:
        """Mark the recording as interrupted."""
        self.interrupt_now(reason)

    def interrupt_now(self, reason: str) -> None:
        """Like ``interrupt``, for callers that cannot await."""
        with self._lock:
            self._guarded.interrupt(reason)

    async def query(self, read: Callable[[], T], default: T) -> T:
        """Return what ``read`` reads from the log; ``default`` on errors that only warn."""
        try:
            return read()
        except LogError:
            if not self._guarded.warns:
                raise
            return default

    async def ready(self) -> None:
        """Check that the run can be recorded, and read its state from the log.

        Raises:
            RunreelError: if it cannot be recorded; with ``warn``, errors of the log are ignored.
        """
        self._recorder()

    async def to_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Await ``steps`` to completion, even if the task is cancelled meanwhile."""
        return await steps

    async def read(self, rows: Iterator[T]) -> AsyncGenerator[T, None]:
        """Yield rows of the log lazily."""
        while chunk := self._read_chunk(rows, 1):
            yield chunk[0]

    def _read_chunk(self, rows: Iterator[T], size: int) -> list[T]:
        try:
            return list(islice(rows, size))
        except LogError:
            if not self._guarded.warns:
                raise
            return []

    def _is_unclosed(self) -> bool:
        return self.state.last_seq >= 0 and self.state.recording != CLOSED

    def _handle_close_error(self) -> None:
        """Re-raise the current exception, unless errors only warn."""
        if not self._guarded.warns:
            raise  # noqa: PLE0704 - called from an except block
        _log.exception("the note that closes the recording could not be stored")

    def _recorder(self) -> Recorder | None:
        """The recorder; None if it cannot be created and errors only warn."""
        try:
            return self._guarded.recorder
        except LogError:
            if not self._guarded.warns:
                raise
            return None


class AsyncRecordingAdapter(RecordingAdapter):
    """The same for the tasks of an event loop: never blocks the loop, and tasks share commits."""

    def __init__(self, recorder: GuardedRecorder) -> None:
        super().__init__(recorder)
        self._task_lock = asyncio.Lock()

    async def ready(self) -> None:
        """Like ``RecordingAdapter.ready``, in a thread."""
        try:
            async with self._task_lock:
                await self._guarded.arecorder()
        except LogError:
            if not self._guarded.warns:
                raise

    async def to_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Like ``RecordingAdapter.to_end``."""
        return await loops.run_to_end(steps)

    async def offer(
        self, kind: str, value: Any, make_event: Callable[[], Any] = _no_event
    ) -> AppendOutcome | None:
        """Like ``RecordingAdapter.offer``."""
        try:
            async with self._task_lock:
                return await self._guarded.aoffer(kind, value)
        except RecordingError as error:
            error.event = make_event()
            raise

    async def append(self, kind: str, value: Any) -> int | None:
        """Like ``RecordingAdapter.append``."""
        try:
            async with self._task_lock:
                return (await (await self._guarded.arecorder()).aappend(kind, value)).seq
        except RunreelError as error:
            self._guarded.failed(error, value)
            return None

    async def note(self, type_: str, value: dict[str, Any]) -> None:
        """Like ``RecordingAdapter.note``."""
        try:
            async with self._task_lock:
                await (await self._guarded.arecorder()).anote(type_, value)
        except RunreelError as error:
            self._guarded.failed(error, value)

    async def close(self) -> None:
        """Like ``RecordingAdapter.close``; completes even if the task is cancelled."""
        await loops.run_to_end(self._close())

    async def _close(self) -> None:
        try:
            async with self._task_lock:
                await self._guarded.aclose()
                if self._is_unclosed():
                    await (await self._guarded.arecorder()).anote(CLOSED, {})
        except RunreelError:
            self._handle_close_error()

    async def interrupt(self, reason: str) -> None:
        """Like ``RecordingAdapter.interrupt``; completes even if the task is cancelled."""
        await loops.run_to_end(self._interrupt(reason))

    async def _interrupt(self, reason: str) -> None:
        async with self._task_lock:
            await self._guarded.ainterrupt(reason)

    def _recorder(self) -> Recorder | None:
        # Creating one would block the event loop.
        return self._guarded.made

    async def query(self, read: Callable[[], T], default: T) -> T:
        """Like ``RecordingAdapter.query``, in a thread."""
        query = super().query
        return await asyncio.to_thread(lambda: completed(query(read, default)))

    async def read(self, rows: Iterator[T]) -> AsyncGenerator[T, None]:
        """Like ``RecordingAdapter.read``, in a thread."""
        while chunk := await asyncio.to_thread(self._read_chunk, rows, _CHUNK):
            for row in chunk:
                yield row
