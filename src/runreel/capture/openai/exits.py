"""How a recorded stream of the openai client ends: whatever the way out, both ends are closed."""

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
# How long, in seconds, a blocking program waits for a recording to end that it has dropped.
_ABANDONED_HINT = 1.0

_log = logging.getLogger("runreel")
# Tasks that close streams which nobody holds any more.
_closing: set[asyncio.Task[None]] = set()


class Exit:
    """Closes the client's stream and ends its recording, for a blocking stream.

    ``reader`` identifies the loop that reads now. ``closed`` is whether the client's stream needs
    no closing any more.
    """

    def __init__(self, stream: Any, take: ResponseRecording, wire: SseTap) -> None:
        self.reader: object = None
        self.closed = False
        self._stream = stream
        self._take = take
        self._wire = wire
        self._pid = os.getpid()

    async def abandon(self, reason: str) -> None:
        """Close both because the program does so."""
        await self._run(self._close_stream(self._take.end(reason), quiet=False))

    async def leave_for(self, ending: Coroutine[Any, Any, None]) -> None:
        """Close both because of an error, which the caller raises; ``ending`` ends the recording.

        What closing the client's stream fails with is logged.
        """
        await self._run(self._close_stream(ending, quiet=True))

    def reader_dropped(self, reader: object) -> None:
        """End the recording of a stream that a loop has stopped reading; another may go on."""
        if self.reader is reader:
            self._finish(closes=False)

    def dropped(self) -> None:
        """Close both of a stream that the program holds no more."""
        # A forked child has its own copy of what its parent reads.
        if os.getpid() == self._pid:
            self._finish(closes=not self.closed)

    async def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        await steps

    async def _close(self) -> None:
        self._stream.close()

    def _finish(self, *, closes: bool) -> None:
        # The garbage collector may have called us from within a commit, which must go on.
        thread = self._take.end_in_thread(
            ABANDONED, self._stream.close if closes else None, daemon=True
        )
        if thread is not None:
            thread.join(_ABANDONED_HINT)

    async def _close_stream(self, ending: Coroutine[Any, Any, None], *, quiet: bool) -> None:
        self.closed = True
        try:
            await self._close()
        except Exception:
            if not quiet:
                raise
            _log.debug("a stream that is left could not be closed", exc_info=True)
        finally:
            await ending


class AsyncExit(Exit):
    """The same for an asynchronous stream; both are closed even if the task is cancelled again."""

    def __init__(self, stream: Any, take: ResponseRecording, wire: SseTap) -> None:
        super().__init__(stream, take, wire)
        self._loop = loops.current()

    def entered(self) -> None:
        """Check that asyncio runs the task that is about to read.

        Raises:
            UsageError: if something else does.
        """
        self._loop = loops.running()

    async def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        await loops.run_to_end(steps)

    async def _close(self) -> None:
        try:
            await self._stream.close()
        finally:
            await self._wire.run_out()

    def _finish(self, *, closes: bool) -> None:
        # The thread outlives the event loop, which may be about to end.
        thread = self._take.end_in_thread(ABANDONED, None, daemon=False)
        if closes and self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._close_soon, self._loop)
        if thread is not None and loops.current() is None:
            thread.join(_ABANDONED_HINT)

    def _close_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._close())
        _closing.add(task)
        task.add_done_callback(_closed)


def _closed(task: asyncio.Task[None]) -> None:
    _closing.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("a stream that was dropped could not be closed", exc_info=error)
