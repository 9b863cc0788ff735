"""Batches of the work that tasks of an event loop request in one iteration of the loop."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from runreel.system.loops import Pending

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

# Seconds: after a slower group, the next groups run in the thread.
_SLOW = 0.03
# Number of groups that run in the thread after a slow one, and at the start.
_THREAD_GROUPS = 16
_FIRST_THREAD_GROUPS = 4
# Items run in the loop before one group goes to the thread, which also does deferred work.
_MAX_INLINE_ITEMS = 1_000


class EventLoopBatcher(Generic[T, R]):
    """Runs the items that tasks of one event loop request, in order, one group at a time.

    ``run_blocking`` runs a group in a thread and returns one outcome for each item.
    ``run_inline``, if given, runs a group in the loop; it returns None if it would block, and the
    group then runs in the thread. ``measured``: the duration of ``run_blocking`` decides too how
    long groups stay in the thread. ``max_group`` is the maximum number of items in a group.
    """

    def __init__(
        self,
        run_blocking: Callable[[Sequence[T]], Sequence[R | BaseException]],
        run_inline: Callable[[Sequence[T]], Sequence[R | BaseException] | None] | None,
        *,
        measured: bool,
        max_group: int,
    ) -> None:
        self._run_blocking = run_blocking
        self._run_inline = run_inline
        self._measured = measured
        self._max_group = max_group
        self._queue: list[tuple[T, Pending[R]]] = []
        self._busy = False
        self._thread_groups = _FIRST_THREAD_GROUPS if measured else 0
        self._inline_items = 0
        self._thread: ThreadPoolExecutor | None = None

    def add(self, item: T, loop: asyncio.AbstractEventLoop) -> Pending[R]:
        """Queue ``item`` and return its pending outcome."""
        pending: Pending[R] = Pending(loop)
        self._queue.append((item, pending))
        if not self._busy:
            # Deferred, so that items of other tasks in this iteration join the group.
            self._busy = True
            loop.call_soon(self._next, loop)
        return pending

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._queue:
            group, self._queue = self._queue, []
            if len(group) > self._max_group:
                group, self._queue = group[: self._max_group], group[self._max_group :]
            if not self._ran_inline(group):
                self._submit(group, loop)
                return
        self._busy = False

    def _ran_inline(self, group: list[tuple[T, Pending[R]]]) -> bool:
        if (
            self._run_inline is None
            or self._thread_groups > 0
            or self._inline_items >= _MAX_INLINE_ITEMS
        ):
            return False
        started_at = time.perf_counter()
        try:
            outcomes = self._run_inline([item for item, _ in group])
        except BaseException:
            # After an interrupt it is unknown what was done; the thread determines it.
            self._submit(group, group[0][1].loop)
            raise
        if time.perf_counter() - started_at > _SLOW:
            self._thread_groups = _THREAD_GROUPS
        if outcomes is None:
            return False
        self._inline_items += len(group)
        _resolve(group, outcomes)
        return True

    def _submit(self, group: list[tuple[T, Pending[R]]], loop: asyncio.AbstractEventLoop) -> None:
        items = [item for item, _ in group]
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="runreel-commit")
        try:
            future = loop.run_in_executor(self._thread, self._timed, items)
        except RuntimeError:
            # The interpreter is shutting down and starts no more threads.
            _resolve(group, self._run_blocking(items))
            loop.call_soon(self._next, loop)
        else:
            future.add_done_callback(partial(self._finish, group, loop))

    def _timed(self, items: list[T]) -> tuple[Sequence[R | BaseException], float]:
        started_at = time.perf_counter()
        return self._run_blocking(items), time.perf_counter() - started_at

    def _finish(
        self,
        group: list[tuple[T, Pending[R]]],
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None or future.cancelled():
            _resolve(group, [error or RuntimeError("the event loop has ended")] * len(group))
        else:
            outcomes, seconds = future.result()
            self._inline_items = 0
            slow = self._measured and seconds > _SLOW
            self._thread_groups = _THREAD_GROUPS if slow else max(0, self._thread_groups - 1)
            _resolve(group, outcomes)
        self._next(loop)


def _resolve(group: list[tuple[T, Pending[R]]], outcomes: Sequence[R | BaseException]) -> None:
    for (_, pending), outcome in zip(group, outcomes, strict=True):
        pending.resolve(outcome)
