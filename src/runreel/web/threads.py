"""Work that blocks, in threads that do not keep the process alive."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Fewer than the connections of a pool.
_MOST = 32


class Threads:
    """Runs functions of one event loop in threads, at most 32 at a time.

    When the loop ends, the process can end as well: an executor, or the threads of anyio, would
    first wait for a search that is still reading.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MOST)

    async def run(self, function: Callable[[], T]) -> T:
        """Return the result of the function, or raise its error."""
        async with self._free:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[T] = loop.create_future()

            def work() -> None:
                try:
                    result = function()
                except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                    settle(partial(future.set_exception, error))
                else:
                    settle(partial(future.set_result, result))

            def settle(report: Callable[[], None]) -> None:
                # The loop may be closed by now.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(lambda: None if future.done() else report())

            threading.Thread(target=work, name="runreel page", daemon=True).start()
            return await future
