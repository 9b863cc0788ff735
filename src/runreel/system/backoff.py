"""Pauses between tries, longer each time."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds.
_FIRST = 0.05
_LONGEST = 2.0


def until(deadline: float) -> Iterator[bool]:
    """Sleep before each next try, up to a moment of ``time.monotonic``; True while it is ahead."""
    pause = _FIRST
    while (left := deadline - time.monotonic()) > 0:
        # Processes that failed together do not come back together.
        time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - spreads retries
        yield True
        pause = min(pause * 2, _LONGEST)
