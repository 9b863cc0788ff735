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


def until(deadline: float) -> Iterator[bool]:
    """Sleep and yield True before each retry, until ``deadline`` (of ``time.monotonic``)."""
    pause = _FIRST
    while (remaining := deadline - time.monotonic()) > 0:
        # Jitter, so that processes that failed together do not retry together.
        time.sleep(min(remaining, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - spreads retries
        yield True
        pause = min(pause * 2, _LONGEST)
