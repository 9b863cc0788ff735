"""What several pages show is read once for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from runreel.web.threads import Threads

T = TypeVar("T")

# Answers that are kept, of one version of the log.
_MOST = 64


class SharedAnswers(Generic[T]):
    """Answers of one version of the log, by their keys; those of earlier ones are forgotten."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._version = -1
        self._answers: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, version: int, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer of ``make``, which is called in a thread, or raise its error."""
        if version > self._version or len(self._answers) >= _MOST:
            self._version = max(version, self._version)
            self._answers = {}
        task = self._answers.get(key)
        if task is None:
            task = asyncio.ensure_future(self._threads.run(make))
            task.add_done_callback(_retrieve)
            self._answers[key] = task
        # Others wait for the same answer, so the end of one page must not cancel it.
        return await asyncio.shield(task)


def _retrieve(task: asyncio.Task[T]) -> None:
    """Take note of an error that no page waits for any more."""
    if not task.cancelled():
        task.exception()
