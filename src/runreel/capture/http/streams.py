"""Streams of httpx whose bytes are passed on once what they complete is stored."""

from __future__ import annotations

import functools
import logging
import weakref
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from runreel.capture.http.late_errors import as_recording_error
from runreel.capture.http.read_ahead import ReadAhead
from runreel.capture.streams.exits import ABANDONED
from runreel.model.errors import RunreelError
from runreel.system import loops
from runreel.system.sync_bridge import completed, to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runreel.capture.http.answers import Answer
    from runreel.model.errors import RecordingError

_log = logging.getLogger("runreel")

# Seconds that a blocking program waits for the end of the recording of a stream it has left.
_JOIN_SECONDS = 1.0


def recorded_stream(
    stream: Any,
    answer: Answer,
    failed: Callable[[RecordingError], None] | None,
    *,
    asynchronous: bool,
) -> Any:
    """Return a stream like ``stream`` that stores each chunk before it is passed on.

    ``failed`` receives an error of the end of the body instead of the program.
    """
    mixin, name = (_AsyncStream, "AsyncByteStream") if asynchronous else (_Stream, "SyncByteStream")
    base = next(kind for kind in type(stream).__mro__ if kind.__name__ == name)
    return _class_of(mixin, base)(stream, _Steps(answer, failed))


@functools.cache
def _class_of(mixin: type, base: type) -> type:
    return type("RecordedStream", (mixin, base), {})


class _Steps:
    """What is done with the chunks of one stream, for both kinds of streams."""

    def __init__(self, answer: Answer, failed: Callable[[RecordingError], None] | None) -> None:
        self._answer = answer
        self._failed = failed
        # Chunks whose events are stored.
        self.ready: deque[bytes] = deque()
        self._finished = False

    async def add(self, chunks: list[bytes]) -> None:
        """Store what chunks complete, in one commit, and make them ready."""
        if not chunks:
            return
        try:
            await self._answer.add(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        except RunreelError as error:
            await self.fail(error)
            late = as_recording_error(error)
            raise late from late.__cause__
        except BaseException as error:
            await self.fail(error)
            raise
        self.ready.extend(chunks)

    async def finish(self) -> None:
        """Store the rest at the end of the stream."""
        if self._finished:
            return
        self._finished = True
        try:
            await self._answer.finish()
        except RunreelError as error:
            late = as_recording_error(error)
            if self._failed is None:
                raise late from late.__cause__
            self._failed(late)

    async def fail(self, error: BaseException) -> None:
        """End the recording after an error, also if the task is cancelled again."""
        if isinstance(error, GeneratorExit):
            # The event loop is gone: nothing can be awaited.
            self.leave()
            return
        try:
            await self._to_end(self._answer.fail(error))
        except RunreelError:
            _log.exception("the end of a recording could not be stored")

    async def close(self) -> None:
        """End the recording in an event loop."""
        if self._answer.open:
            await self._to_end(self._answer.recording.end(ABANDONED))

    def leave(self) -> None:
        """End the recording in a thread: the garbage collector may call this within a commit."""
        if not self._answer.open:
            return
        thread = self._answer.recording.end_in_thread(ABANDONED)
        if thread is not None and loops.current() is None:
            thread.join(_JOIN_SECONDS)

    async def _to_end(self, steps: Coroutine[Any, Any, None]) -> None:
        await to_end(steps, blocking=self._answer.recording.blocking)


class _Recorded:
    """The common part: the stream that is read, and the steps for its chunks."""

    def __init__(self, stream: Any, steps: _Steps) -> None:
        self._stream = stream
        self._steps = steps
        self._dropped = weakref.finalize(self, steps.leave)

    def __getattr__(self, name: str) -> Any:
        # httpx2 keeps the elapsed time in the stream.
        return getattr(self._stream, name)


class _Stream(_Recorded):
    def __iter__(self) -> Iterator[bytes]:
        return _Chunks(self._stream, self._steps)

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._dropped()


class _AsyncStream(_Recorded):
    def __aiter__(self) -> AsyncIterator[bytes]:
        return _AsyncChunks(self._stream, self._steps)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._dropped.detach()
            await self._steps.close()


class _Chunks(Iterator[bytes]):
    def __init__(self, stream: Any, steps: _Steps) -> None:
        self._chunks = iter(stream)
        self._steps = steps
        self._ahead = ReadAhead(stream)
        self._end: Exception | None = None

    def __next__(self) -> bytes:
        steps = self._steps
        while not steps.ready:
            if self._end is None:
                completed(steps.add(self._read()))
                continue
            # Not kept, because its traceback leads back to this object.
            error, self._end = self._end, None
            if not isinstance(error, StopIteration):
                completed(steps.fail(error))
                raise error
            completed(steps.finish())
            raise StopIteration
        return steps.ready.popleft()

    def _read(self) -> list[bytes]:
        """The next chunk, and those after it that have arrived already."""
        read: list[bytes] = []
        try:
            read.append(next(self._chunks))
            while self._ahead.allows(read):
                read.append(next(self._chunks))
        except Exception as error:  # noqa: BLE001 - raised once what was read is passed on
            self._end = error
        except BaseException as error:
            completed(self._steps.fail(error))
            raise
        return read


class _AsyncChunks(AsyncGenerator[bytes, None]):
    """A generator, not only an iterator, so that httpx2 closes the inner one through it."""

    def __init__(self, stream: Any, steps: _Steps) -> None:
        self._chunks = aiter(stream)
        self._steps = steps
        self._ahead = ReadAhead(stream)
        self._end: Exception | None = None

    async def __anext__(self) -> bytes:
        steps = self._steps
        while not steps.ready:
            if self._end is None:
                await steps.add(await self._read())
                continue
            # Not kept, because its traceback leads back to this object.
            error, self._end = self._end, None
            if not isinstance(error, StopAsyncIteration):
                await steps.fail(error)
                raise error
            await steps.finish()
            raise StopAsyncIteration
        return steps.ready.popleft()

    async def _read(self) -> list[bytes]:
        read: list[bytes] = []
        try:
            read.append(await anext(self._chunks))
            while self._ahead.allows(read):
                read.append(await anext(self._chunks))
        except Exception as error:  # noqa: BLE001 - as above
            self._end = error
        except BaseException as error:
            await self._steps.fail(error)
            raise
        return read

    async def asend(self, _value: None) -> bytes:
        return await anext(self)

    async def athrow(self, *error: Any) -> bytes:
        await self.aclose()
        raise error[0]

    async def aclose(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()
