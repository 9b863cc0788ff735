"""Work that several tasks of an event loop ask for in one turn of it, done together."""

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

# Seconds: what takes longer than this in the loop itself is done in the thread for a while.
_SLOW = 0.03
# How many groups that while lasts, and how many are measured in the thread at first.
_WHILE = 16
_FIRST = 4
# After so many items in the loop one group goes to the thread, which does what is put off there.
_PUT_OFF = 1_000


class EventLoopBatcher(Generic[T, R]):
    """Does what tasks of one event loop ask for, in order, one group at a time.

    ``wait`` does the items of a group in a thread and answers an outcome for each. ``at_once``,
    where there is one, does them in the loop: None means that it would have had to wait, and
    the thread does them. ``slow`` is whether ``wait`` measures the same work, so that it is left
    to the thread for as long as it is slow there. ``most`` is the size of a group.
    """

    def __init__(
        self,
        run_blocking: Callable[[Sequence[T]], Sequence[R | BaseException]],
        run_inline: Callable[[Sequence[T]], Sequence[R | BaseException] | None] | None,
        *,
        measured: bool,
        max_group: int,
    ) -> None:
        self._wait = run_blocking
        self._at_once = run_inline
        self._slow = measured
        self._most = max_group
        self._waiting: list[tuple[T, Pending[R]]] = []
        self._busy = False
        self._in_thread = _FIRST if measured else 0
        self._put_off = 0
        self._thread: ThreadPoolExecutor | None = None

    def add(self, item: T, loop: asyncio.AbstractEventLoop) -> Pending[R]:
        """Ask for ``item``; its outcome."""
        pending: Pending[R] = Pending(loop)
        self._waiting.append((item, pending))
        if not self._busy:
            # What other tasks ask for in this turn of the loop comes along.
            self._busy = True
            loop.call_soon(self._next, loop)
        return pending

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not self._done_at_once(group):
                self._hand_over(group, loop)
                return
        self._busy = False

    def _done_at_once(self, group: list[tuple[T, Pending[R]]]) -> bool:
        if self._at_once is None or self._in_thread > 0 or self._put_off >= _PUT_OFF:
            return False
        began = time.perf_counter()
        try:
            outcomes = self._at_once([item for item, _ in group])
        except BaseException:
            # An interrupt leaves open what was done: the thread finds out.
            self._hand_over(group, group[0][1].loop)
            raise
        if time.perf_counter() - began > _SLOW:
            self._in_thread = _WHILE
        if outcomes is None:
            return False
        self._put_off += len(group)
        _settle(group, outcomes)
        return True

    def _hand_over(
        self, group: list[tuple[T, Pending[R]]], loop: asyncio.AbstractEventLoop
    ) -> None:
        items = [item for item, _ in group]
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="runreel-commit")
        try:
            doing = loop.run_in_executor(self._thread, self._timed, items)
        except RuntimeError:
            # The interpreter is about to end, and starts no threads any more.
            _settle(group, self._wait(items))
            loop.call_soon(self._next, loop)
        else:
            doing.add_done_callback(partial(self._handed_back, group, loop))

    def _timed(self, items: list[T]) -> tuple[Sequence[R | BaseException], float]:
        began = time.perf_counter()
        return self._wait(items), time.perf_counter() - began

    def _handed_back(
        self,
        group: list[tuple[T, Pending[R]]],
        loop: asyncio.AbstractEventLoop,
        doing: asyncio.Future[Any],
    ) -> None:
        error = None if doing.cancelled() else doing.exception()
        if error is not None or doing.cancelled():
            _settle(group, [error or RuntimeError("the event loop has ended")] * len(group))
        else:
            outcomes, seconds = doing.result()
            self._put_off = 0
            slow = self._slow and seconds > _SLOW
            self._in_thread = _WHILE if slow else max(0, self._in_thread - 1)
            _settle(group, outcomes)
        self._next(loop)


def _settle(group: list[tuple[T, Pending[R]]], outcomes: Sequence[R | BaseException]) -> None:
    for (_, pending), outcome in zip(group, outcomes, strict=True):
        pending.resolve(outcome)
