"""One body for sync and async: coroutines that never suspend run in a plain thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator

T = TypeVar("T")


def completed(awaitable: Awaitable[T]) -> T:
    """Return the result of an awaitable that never suspends."""
    steps: Any = awaitable
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("the coroutine suspended")


def blocking(steps: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Convert an asynchronous generator that never suspends to a plain one."""
    try:
        while True:
            try:
                item = completed(anext(steps))
            except StopAsyncIteration:
                return
            yield item
    finally:
        completed(steps.aclose())


async def to_end(steps: Coroutine[Any, Any, T], *, blocking: bool) -> T:
    """Await ``steps`` to their end, even if the task of an event loop is cancelled meanwhile."""
    return await (steps if blocking else loops.run_to_end(steps))
