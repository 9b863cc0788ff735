"""Runs coroutines that never suspend in a plain thread, so that sync and async share code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Generator

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
