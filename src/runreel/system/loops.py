"""The event loop of the calling task, and work that a cancelled task awaits to its end."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

T = TypeVar("T")


class Pending(Generic[T]):
    """The outcome of work that goes on whatever becomes of the tasks that await it."""

    __slots__ = ("_future", "_outcome", "_settled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._settled = False
        self._outcome: T | BaseException | None = None
        self._future: asyncio.Future[Any] = loop.create_future()

    def __await__(self) -> Generator[Any, None, T]:
        """The outcome, or raise it. A cancelled task may await it again."""
        if self._settled:
            return _given(self._outcome)
        if self._future.cancelled():
            self._future = self._future.get_loop().create_future()
        outcome: T = yield from self._future
        return outcome

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it is awaited in."""
        return self._future.get_loop()

    def resolve(self, outcome: T | BaseException) -> None:
        """Give the outcome, to be called in the loop; an exception is raised where it is awaited.

        Once nobody awaits any more, it is dropped without a word.
        """
        self._settled, self._outcome = True, outcome
        if self._future.done():
            return
        if isinstance(outcome, BaseException):
            self._future.set_exception(outcome)
        else:
            self._future.set_result(outcome)


def current() -> asyncio.AbstractEventLoop | None:
    """The asyncio event loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def running() -> asyncio.AbstractEventLoop:
    """The asyncio event loop that runs the calling task.

    Raises:
        UsageError: if the task is run by another library, such as trio.
    """
    loop = current()
    if loop is None:
        raise _refusal(_other_library() or "something other than asyncio")
    return loop


def require_asyncio() -> None:
    """Check, from plain code too, that no library other than asyncio runs the calling task.

    Raises:
        UsageError: if one does.
    """
    if (name := _other_library()) is not None:
        raise _refusal(name)


def in_thread(function: Callable[[], T]) -> Pending[T]:
    """Call ``function`` in a thread of the running loop."""
    loop = asyncio.get_running_loop()
    pending: Pending[T] = Pending(loop)
    called = loop.run_in_executor(None, function)
    called.add_done_callback(lambda future: pending.resolve(future.exception() or future.result()))
    return pending


async def wait_finished(pending: Pending[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Await ``pending`` to its end; its outcome, and the cancellation that came meanwhile, if any.

    Raises:
        asyncio.CancelledError: if the work failed, and the task was cancelled meanwhile.
    """
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            return await pending, cancelled
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException as error:
            if cancelled is not None:
                raise cancelled from error
            raise


async def wait_to_end(pending: Pending[T]) -> T:
    """Await ``pending`` to its end, and raise a cancellation only afterwards."""
    outcome, cancelled = await wait_finished(pending)
    if cancelled is not None:
        raise cancelled
    return outcome


async def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in a task of its own to its end, and raise a cancellation only afterwards."""
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


def _given(outcome: T | BaseException | None) -> T:
    if isinstance(outcome, BaseException):
        raise outcome
    return cast("T", outcome)


def _refusal(library: str) -> UsageError:
    return UsageError(
        f"the asynchronous calls of runreel need asyncio; this task is run by {library}",
        hint="Use the blocking calls in a thread, or run the program with asyncio.",
    )


def _other_library() -> str | None:
    """The asynchronous library that runs the calling task, where that is not asyncio."""
    # Every such library names itself there, and asyncio needs no package for it.
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        return None
    try:
        name = str(sniffio.current_async_library())
    except sniffio.AsyncLibraryNotFoundError:
        return None
    return None if name == "asyncio" else name
