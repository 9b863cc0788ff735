"""Asynchronous code that never waits, run by a plain thread: one body for both worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Generator

T = TypeVar("T")


def completed(awaitable: Awaitable[T]) -> T:
    """The result of something to be awaited that never suspends."""
    steps: Any = awaitable
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("this was not meant to wait")


def blocking(steps: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """An asynchronous generator that never suspends, as a plain one."""
    try:
        while True:
            try:
                item = completed(anext(steps))
            except StopAsyncIteration:
                return
            yield item
    finally:
        completed(steps.aclose())
