"""Closes a stream of the openai client together with its recording, on every way to end."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from runreel.system import loops

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from runreel.capture.openai.response_recording import ResponseRecording
    from runreel.capture.openai.sse_tap import SseTap

ABANDONED = "the program stopped reading"
# Seconds that a blocking program waits for the end of the recording of a dropped stream.
_JOIN_SECONDS = 1.0

_log = logging.getLogger("runreel")
# Tasks that close dropped streams; the event loop itself holds only weak references.
_closing: set[asyncio.Task[None]] = set()


class Exit:
    """Closes the client's stream and ends its recording, for a blocking stream.

    ``reader`` identifies the iterator that reads now. ``closed`` is True once the client's stream
    needs no closing any more.
    """

    def __init__(self, stream: Any, recording: ResponseRecording, tap: SseTap) -> None:
        self.reader: object = None
        self.closed = False
        self._stream = stream
        self._recording = recording
        self._tap = tap
        self._pid = os.getpid()

    async def close(self, reason: str) -> None:
        """Close both at the program's request."""
        await self._run(self._close_stream(self._recording.end(reason), quiet=False))

    async def close_after_error(self, end_recording: Coroutine[Any, Any, None]) -> None:
        """Close both after an error, which the caller raises; ``end_recording`` ends the recording.

        An error while closing the client's stream is logged only.
        """
        await self._run(self._close_stream(end_recording, quiet=True))

    def reader_dropped(self, reader: object) -> None:
        """End the recording if ``reader`` was dropped and no other iterator has taken over."""
        if self.reader is reader:
            self._finish(close_stream=False)

    def stream_dropped(self) -> None:
        """Close both after the program dropped the stream."""
        # A forked child has a copy of its parent's stream, which it must not close.
        if os.getpid() == self._pid:
            self._finish(close_stream=not self.closed)

    async def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        await steps

    async def _close(self) -> None:
        self._stream.close()

    def _finish(self, *, close_stream: bool) -> None:
        # The garbage collector may call this within a commit, so end the recording in a thread.
        thread = self._recording.end_in_thread(
            ABANDONED, self._stream.close if close_stream else None, daemon=True
        )
        if thread is not None:
            thread.join(_JOIN_SECONDS)

    async def _close_stream(self, end_recording: Coroutine[Any, Any, None], *, quiet: bool) -> None:
        self.closed = True
        try:
            await self._close()
        except Exception:
            if not quiet:
                raise
            _log.debug("a stream could not be closed after an error", exc_info=True)
        finally:
            await end_recording


class AsyncExit(Exit):
    """The same for an asynchronous stream; closes both even if the task is cancelled again."""

    def __init__(self, stream: Any, recording: ResponseRecording, tap: SseTap) -> None:
        super().__init__(stream, recording, tap)
        self._loop = loops.current()

    def check_loop(self) -> None:
        """Check that asyncio runs the task that is about to read.

        Raises:
            UsageError: if another event loop does.
        """
        self._loop = loops.running()

    async def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        await loops.run_to_end(steps)

    async def _close(self) -> None:
        try:
            await self._stream.close()
        finally:
            await self._tap.drain()

    def _finish(self, *, close_stream: bool) -> None:
        # The thread outlives the event loop, which may be about to end.
        thread = self._recording.end_in_thread(ABANDONED, None, daemon=False)
        if close_stream and self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._close_soon, self._loop)
        if thread is not None and loops.current() is None:
            thread.join(_JOIN_SECONDS)

    def _close_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._close())
        _closing.add(task)
        task.add_done_callback(_closed)


def _closed(task: asyncio.Task[None]) -> None:
    _closing.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("a dropped stream could not be closed", exc_info=error)
