"""Where a session writes to: from a thread that may block, or from an event loop."""

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


def _nothing() -> None:
    return None


class RecordingAdapter:
    """One run's recording, shared by the threads of a program. Its coroutines never suspend."""

    def __init__(self, keeper: GuardedRecorder) -> None:
        self._keeper = keeper
        # A generator that the garbage collector closes may come back in the thread that is here.
        self._lock = threading.RLock()

    @property
    def index(self) -> int:
        """The highest number of an event that the log has, -1 if it has none."""
        recorder = self._recorder()
        return -1 if recorder is None else recorder.index

    @property
    def state(self) -> RunState:
        """The run's state in the log."""
        recorder = self._recorder()
        return RunState() if recorder is None else recorder.state

    async def offer(
        self, kind: str, value: Any, shown: Callable[[], Any] = _nothing
    ) -> AppendOutcome | None:
        """Store a value unless the log has it; None where it is lost and that is put up with.

        Raises:
            RecordingError: if it cannot be stored; its ``event`` is what ``shown`` makes.
        """
        try:
            with self._lock:
                return self._keeper.offer(kind, value)
        except RecordingError as error:
            error.event = shown()
            raise

    async def append(self, kind: str, value: Any) -> int | None:
        """Store a new value; its row's seq, None where it is lost and that is put up with."""
        try:
            with self._lock:
                return self._keeper.recorder.append(kind, value).seq
        except RunreelError as error:
            self._keeper.failed(error, value)
            return None

    async def note(self, type_: str, value: dict[str, Any]) -> None:
        """Store a note of ours."""
        try:
            with self._lock:
                self._keeper.recorder.note(type_, value)
        except RunreelError as error:
            self._keeper.failed(error, value)

    async def close(self) -> None:
        """Say that the recording is complete, if the log does not say so."""
        try:
            with self._lock:
                self._keeper.close()
                if self._unclosed():
                    self._keeper.recorder.note(CLOSED, {})
        except RunreelError:
            self._not_closed()

    async def interrupt(self, reason: str) -> None:
        """Say that it was cut short."""
        self.interrupt_now(reason)

    def interrupt_now(self, reason: str) -> None:
        """The same, where nothing can be awaited."""
        with self._lock:
            self._keeper.interrupt(reason)

    async def ask(self, question: Callable[[], T], otherwise: T) -> T:
        """What ``question`` answers from the log; ``otherwise`` where errors are put up with."""
        try:
            return question()
        except LogError:
            if not self._keeper.warns:
                raise
            return otherwise

    async def ready(self) -> None:
        """See that the run can be recorded, and what the log has of it.

        Raises:
            RunreelError: if it cannot (with ``warn``: of all but the log's own failures).
        """
        self._recorder()

    async def to_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Await ``steps`` to their end, whatever cancels the task meanwhile."""
        return await steps

    async def read(self, rows: Iterator[T]) -> AsyncGenerator[T, None]:
        """Rows of the log as they are wanted."""
        while chunk := self._chunk(rows, 1):
            yield chunk[0]

    def _chunk(self, rows: Iterator[T], size: int) -> list[T]:
        try:
            return list(islice(rows, size))
        except LogError:
            if not self._keeper.warns:
                raise
            return []

    def _unclosed(self) -> bool:
        return self.state.last_seq >= 0 and self.state.recording != CLOSED

    def _not_closed(self) -> None:
        """Raise what was caught, unless that is to be put up with."""
        if not self._keeper.warns:
            raise  # noqa: PLE0704 - called where it was caught
        _log.exception("that the recording is complete could not be stored")

    def _recorder(self) -> Recorder | None:
        """The recorder; None where it cannot be made and that is put up with."""
        try:
            return self._keeper.recorder
        except LogError:
            if not self._keeper.warns:
                raise
            return None


class AsyncRecordingAdapter(RecordingAdapter):
    """The same for the tasks of an event loop, which share commits and never wait for them."""

    def __init__(self, keeper: GuardedRecorder) -> None:
        super().__init__(keeper)
        self._turn = asyncio.Lock()

    async def ready(self) -> None:
        """Like ``Store.ready``, in a thread."""
        try:
            async with self._turn:
                await self._keeper.arecorder()
        except LogError:
            if not self._keeper.warns:
                raise

    async def to_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Like ``Store.to_end``."""
        return await loops.run_to_end(steps)

    async def offer(
        self, kind: str, value: Any, shown: Callable[[], Any] = _nothing
    ) -> AppendOutcome | None:
        """Like ``Store.offer``."""
        try:
            async with self._turn:
                return await self._keeper.aoffer(kind, value)
        except RecordingError as error:
            error.event = shown()
            raise

    async def append(self, kind: str, value: Any) -> int | None:
        """Like ``Store.append``."""
        try:
            async with self._turn:
                return (await (await self._keeper.arecorder()).aappend(kind, value)).seq
        except RunreelError as error:
            self._keeper.failed(error, value)
            return None

    async def note(self, type_: str, value: dict[str, Any]) -> None:
        """Like ``Store.note``."""
        try:
            async with self._turn:
                await (await self._keeper.arecorder()).anote(type_, value)
        except RunreelError as error:
            self._keeper.failed(error, value)

    async def close(self) -> None:
        """Like ``Store.close``; a cancelled task leaves once it is said."""
        await loops.run_to_end(self._close())

    async def _close(self) -> None:
        try:
            async with self._turn:
                await self._keeper.aclose()
                if self._unclosed():
                    await (await self._keeper.arecorder()).anote(CLOSED, {})
        except RunreelError:
            self._not_closed()

    async def interrupt(self, reason: str) -> None:
        """Like ``Store.interrupt``; a cancelled task leaves once it is said."""
        await loops.run_to_end(self._interrupt(reason))

    async def _interrupt(self, reason: str) -> None:
        async with self._turn:
            await self._keeper.ainterrupt(reason)

    def _recorder(self) -> Recorder | None:
        # An event loop does not wait for one that is not made.
        return self._keeper.made

    async def ask(self, question: Callable[[], T], otherwise: T) -> T:
        """Like ``Store.ask``, in a thread."""
        answer = super().ask
        return await asyncio.to_thread(lambda: completed(answer(question, otherwise)))

    async def read(self, rows: Iterator[T]) -> AsyncGenerator[T, None]:
        """Like ``Store.read``, in a thread."""
        while chunk := await asyncio.to_thread(self._chunk, rows, _CHUNK):
            for row in chunk:
                yield row
