"""The limit on connections that are open at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runreel.store.drivers.errors import too_many

if TYPE_CHECKING:
    from runreel.store.database_url import Url

# For one engine. The connection of its writer does not count.
MAX_CONNECTIONS = 64
MAX_IDLE = 4
WAIT_SECONDS = 30.0


class ConnectionLimit:
    """Counts the connections in use, up to ``MAX_CONNECTIONS``."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def acquire(self) -> None:
        """Count one more connection; wait up to ``WAIT_SECONDS`` while the limit is reached.

        Raises:
            DatabaseUnavailable: if no connection is returned in that time.
        """
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise too_many(self._url)

    def release(self) -> None:
        """Count one connection less."""
        self._free.release()
