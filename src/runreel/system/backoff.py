"""Growing pauses between retries."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds.
_FIRST = 0.05
_LONGEST = 2.0


def pauses(first: float, longest: float) -> Iterator[float]:
    """Yield the seconds of each pause, which doubles from ``first`` to ``longest``.

    It is cut at random, so that processes that failed together do not retry together.
    """
    while True:
        yield first * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries
        first = min(first * 2, longest)


def until(deadline: float) -> Iterator[bool]:
    """Sleep and yield True before each retry, until ``deadline`` (of ``time.monotonic``)."""
    for pause in pauses(_FIRST, _LONGEST):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        time.sleep(min(remaining, pause))
        yield True
