"""Whether anything was committed to the log: one poller, however many pages wait for it."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runreel.model.errors import RunreelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.web.threads import Threads

# Seconds between two looks; they grow while nothing is committed.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.25
# Seconds after which pages are made again although the hint is the same: processes end, `since=1h`
# moves on, and other nodes of a server commit.
_REFRESH = 5.0


class Changes:
    """Counts the changes of a log while a page listens; otherwise the log is not read.

    ``look`` returns a hint: a value that is another one after a commit. It is called in a thread.
    """

    def __init__(self, look: Callable[[], object], threads: Threads) -> None:
        self._look = look
        self._threads = threads
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.version = 0
        self.is_over = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count changes until the end of the block."""
        self._listeners += 1
        if self._poller is None:
            # The log may have changed since the last listener left.
            self._count()
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def after(self, version: int) -> None:
        """Wait until ``version`` has passed, or the server ends."""
        while self.version == version and not self.is_over:
            await self._changed.wait()

    def end(self) -> None:
        """Let all listeners leave."""
        self.is_over = True
        self._count()

    async def _poll(self) -> None:
        mark: object = None
        pause, refreshed = _FIRST_PAUSE, time.monotonic()
        while True:
            found = await self._mark()
            now = time.monotonic()
            if found != mark:
                mark, pause = found, _FIRST_PAUSE
            else:
                pause = min(pause * 1.5, _LONGEST_PAUSE)
            if pause == _FIRST_PAUSE or now >= refreshed + _REFRESH:
                refreshed = now
                self._count()
            await asyncio.sleep(pause)

    async def _mark(self) -> object:
        """Return the mark; of a log that cannot be read, the error, which pages report."""
        try:
            return await self._threads.run(self._look)
        except RunreelError as error:
            return type(error), str(error)

    def _count(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
