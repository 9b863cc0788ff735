"""One headless Chromium, driven by Playwright in a thread of its own.

Playwright's calls that block keep an event loop running in their thread: other tests of the same
process could not start one there.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Playwright

T = TypeVar("T")
# A program or its name; without it, the first of these that is installed.
VARIABLE = "RUNREEL_TEST_BROWSER"
REQUIRED = "RUNREEL_REQUIRE_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = (
    "no Chromium was found: `apt-get install chromium` installs it on Debian;"
    f" {VARIABLE} names another one"
)
_RULES = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
# Of one wait; it only stops what hangs.
PATIENCE_MS = 30_000


def find() -> str | None:
    """Return the path of the browser, None if none is installed."""
    named = os.environ.get(VARIABLE)
    for name in [named] if named else _NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


class Chromium:
    """A browser, and the thread that all its calls are made in."""

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1, "browser")
        self._playwright: Playwright
        self.browser: Browser
        self.call(lambda: self._start(path))

    def call(self, work: Callable[[], T]) -> T:
        """Do something in the thread, and return its result."""
        return self._thread.submit(work).result()

    def close(self) -> None:
        """End the browser and the thread."""
        self.call(self._stop)
        self._thread.shutdown()

    def _start(self, path: str) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        try:
            self.browser = self._playwright.chromium.launch(
                executable_path=path,
                # Names of other hosts lead nowhere, whatever a page asks for.
                args=[f"--host-resolver-rules={_RULES}"],
            )
        except BaseException:
            self._playwright.stop()
            raise

    def _stop(self) -> None:
        self.browser.close()
        self._playwright.stop()
