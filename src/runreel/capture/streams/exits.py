"""Closes a stream of a client together with its recording, on every way to end."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from runreel.system import loops
from runreel.system.sync_bridge import completed, to_end

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from runreel.capture.streams.response_recording import ResponseRecording

ABANDONED = "the program stopped reading"
# Seconds that a blocking program waits for the end of the recording of a dropped stream.
_JOIN_SECONDS = 1.0

_log = logging.getLogger("runreel")
# Tasks that close dropped streams; the event loop itself holds only weak references.
_closing: set[asyncio.Task[None]] = set()


class Exit:
    """Closes the client's stream and ends its recording, even if the task is cancelled again.

    ``close_stream`` closes the client's stream; for a blocking recording, it never suspends.
    ``reader`` identifies the iterator that reads now. ``closed`` is True once the client's stream
    needs no closing any more.
    """

    def __init__(
        self, recording: ResponseRecording, close_stream: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self.reader: object = None
        self.closed = False
        self._recording = recording
        self._close_stream = close_stream
        self._pid = os.getpid()
        self._loop = None if recording.blocking else loops.current()

    def check_loop(self) -> None:
        """Check that asyncio runs the task that is about to read.

        Raises:
            UsageError: if another event loop does.
        """
        self._loop = loops.running()

    async def close(self, reason: str) -> None:
        """Close both at the program's request."""
        await self._close(self._recording.end(reason), quiet=False)

    async def close_after_error(self, end_recording: Coroutine[Any, Any, None]) -> None:
        """Close both after an error, which the caller raises; ``end_recording`` ends the recording.

        An error while closing the client's stream is logged only.
        """
        await self._close(end_recording, quiet=True)

    def reader_dropped(self, reader: object) -> None:
        """End the recording if ``reader`` was dropped and no other iterator has taken over."""
        if self.reader is reader:
            self._finish(close_stream=False)

    def stream_dropped(self) -> None:
        """Close both after the program dropped the stream."""
        # A forked child has a copy of its parent's stream, which it must not close.
        if os.getpid() == self._pid:
            self._finish(close_stream=not self.closed)

    async def _close(self, end_recording: Coroutine[Any, Any, None], *, quiet: bool) -> None:
        steps = self._close_both(end_recording, quiet=quiet)
        await to_end(steps, blocking=self._recording.blocking)

    async def _close_both(self, end_recording: Coroutine[Any, Any, None], *, quiet: bool) -> None:
        self.closed = True
        try:
            await self._close_stream()
        except Exception:
            if not quiet:
                raise
            _log.debug("a stream could not be closed after an error", exc_info=True)
        finally:
            await end_recording

    def _finish(self, *, close_stream: bool) -> None:
        blocking = self._recording.blocking
        # The garbage collector may call this within a commit, so end the recording in a thread.
        close = (lambda: completed(self._close_stream())) if close_stream and blocking else None
        thread = self._recording.end_in_thread(ABANDONED, close)
        if close_stream and self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._close_soon, self._loop)
        if thread is not None and (blocking or loops.current() is None):
            thread.join(_JOIN_SECONDS)

    def _close_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._close_stream())
        _closing.add(task)
        task.add_done_callback(_closed)


def _closed(task: asyncio.Task[None]) -> None:
    _closing.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("a dropped stream could not be closed", exc_info=error)
