"""Pages that are opened in the browser, and what goes wrong on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.browser.chromium import PATIENCE_MS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

    from runreel.web.access import Access

DESKTOP, PHONE = (1280, 800), (360, 740)
# Chromium prints violations of the policy; some it only reports.
_REPORT = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
}, true);
"""
_OWN = ("data:", "blob:", "about:")


class Visit(NamedTuple):
    """A page of the browser; ``requests`` are the URLs that were asked for."""

    page: Page
    origin: str
    problems: list[str]
    requests: list[str]
    expected: list[str]

    def goto(self, path: str, *, status: int = 200) -> Page:
        """Open a page of the server."""
        answer = self.page.goto(self.origin + path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        if status != 200:
            self.forgive(rf"Failed to load resource: .* status of {status}")
        return self.page

    def forgive(self, pattern: str) -> None:
        """Take problems of this kind for expected. The browser may report them later."""
        self.expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        """The other problems."""
        return [
            problem
            for problem in self.problems
            if not any(re.search(pattern, problem) for pattern in self.expected)
        ]

    @property
    def elsewhere(self) -> list[str]:
        """Requests to anything but the server."""
        return [
            url
            for url in self.requests
            if not url.startswith(_OWN) and urlsplit(url)[:2] != urlsplit(self.origin)[:2]
        ]


class Visits:
    """Opens pages, each in a browser profile of its own. Made and used in the browser's thread."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._visits: list[Visit] = []

    def __call__(
        self,
        server: Access | str,
        *,
        theme: str = "light",
        size: tuple[int, int] = DESKTOP,
        scripts: bool = True,
        **more: Any,
    ) -> Visit:
        """Return an empty page of someone who has the cookie of ``server``, or of this origin.

        ``more`` are options of Playwright's ``new_context``.
        """
        context = self._browser.new_context(
            color_scheme=theme,
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=scripts,
            timezone_id="UTC",
            locale="en-GB",
            **more,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if scripts:
            context.add_init_script(_REPORT)
        origin = server if isinstance(server, str) else server.origin
        if not isinstance(server, str):
            name, _, value = server.set_cookie.partition(";")[0].partition("=")
            context.add_cookies([{"name": name, "value": value, "url": origin}])
        visit = Visit(context.new_page(), origin, [], [], [])
        self._watch(context, visit)
        self._visits.append(visit)
        return visit

    def _watch(self, context: BrowserContext, visit: Visit) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                visit.problems.append(f"{message.text} ({message.location['url']})")

        def on_request(request: Request) -> None:
            visit.requests.append(request.url)

        context.on("console", on_console)
        context.on("weberror", lambda error: visit.problems.append(str(error.error)))
        context.on("request", on_request)
        context.on("dialog", lambda dialog: visit.problems.append(f"dialog {dialog.message}"))

    def wrong(self) -> list[list[str]]:
        """Return what went wrong on pages, and requests to elsewhere."""
        found = ([*visit.unexpected, *visit.elsewhere] for visit in self._visits)
        return [problems for problems in found if problems]

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()
