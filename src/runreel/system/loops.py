"""The event loop of the calling task, and work that outlives the cancellation of a task."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

T = TypeVar("T")


class Pending(Generic[T]):
    """The outcome of work that continues even if the tasks awaiting it are cancelled."""

    __slots__ = ("_future", "_outcome", "_resolved")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._resolved = False
        self._outcome: T | BaseException | None = None
        self._future: asyncio.Future[Any] = loop.create_future()

    def __await__(self) -> Generator[Any, None, T]:
        """Return the outcome or raise it. After a cancellation it can be awaited again."""
        if self._resolved:
            return _unwrap(self._outcome)
        if self._future.cancelled():
            self._future = self._future.get_loop().create_future()
        outcome: T = yield from self._future
        return outcome

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop in which it is awaited."""
        return self._future.get_loop()

    def resolve(self, outcome: T | BaseException) -> None:
        """Set the outcome; an exception is raised in the awaiting task. Call it in the loop.

        The outcome is dropped silently if the last awaiting task was cancelled.
        """
        self._resolved, self._outcome = True, outcome
        if self._future.done():
            return
        if isinstance(outcome, BaseException):
            self._future.set_exception(outcome)
        else:
            self._future.set_result(outcome)


def current() -> asyncio.AbstractEventLoop | None:
    """Return the asyncio event loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def running() -> asyncio.AbstractEventLoop:
    """Return the asyncio event loop that runs the calling task.

    Raises:
        UsageError: if another library, such as trio, runs the task.
    """
    loop = current()
    if loop is None:
        raise _asyncio_required(_other_library() or "something other than asyncio")
    return loop


def require_asyncio() -> None:
    """Check that no library other than asyncio runs the caller, which may be synchronous code.

    Raises:
        UsageError: if another library runs it.
    """
    if (name := _other_library()) is not None:
        raise _asyncio_required(name)


def in_thread(function: Callable[[], T]) -> Pending[T]:
    """Call ``function`` in a thread of the running loop."""
    loop = asyncio.get_running_loop()
    pending: Pending[T] = Pending(loop)
    called = loop.run_in_executor(None, function)
    called.add_done_callback(lambda future: pending.resolve(future.exception() or future.result()))
    return pending


async def wait_finished(pending: Pending[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Await ``pending`` to its end, deferring cancellation.

    Returns the outcome and the cancellation that arrived meanwhile, or None.

    Raises:
        asyncio.CancelledError: if the work failed and the task was cancelled meanwhile.
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
    """Await ``pending`` to its end; raise a cancellation only then."""
    outcome, cancelled = await wait_finished(pending)
    if cancelled is not None:
        raise cancelled
    return outcome


async def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end in its own task; raise a cancellation only then."""
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


def _unwrap(outcome: T | BaseException | None) -> T:
    if isinstance(outcome, BaseException):
        raise outcome
    return cast("T", outcome)


def _asyncio_required(library: str) -> UsageError:
    return UsageError(
        f"the asynchronous calls of runreel need asyncio; this task is run by {library}",
        hint="Use the blocking calls in a thread, or run the program with asyncio.",
    )


def _other_library() -> str | None:
    """Return the library that runs the calling task, or None for asyncio or none."""
    # Every such library registers with sniffio; without the module only asyncio can run.
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        return None
    try:
        name = str(sniffio.current_async_library())
    except sniffio.AsyncLibraryNotFoundError:
        return None
    return None if name == "asyncio" else name
