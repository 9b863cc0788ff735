"""Checks of every request before a page is made, and the headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runreel.web.access import Access

TOKEN = "token"  # noqa: S105 - the name of the parameter
_METHODS = ("GET", "HEAD")
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A redaction must be gone from the next view.
    "Cache-Control": "no-store",
}


class Guard:
    """Passes requests of the right browser on to ``app``, and refuses all others."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        answer = self._answer(scope)
        await (self._app if answer is None else answer)(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not passed on.

        The token is looked at last, so that a refused request does not use it up.
        """
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.allows_host(hosts[0]):
            return _refused(400, "This server does not answer to that host name.")
        # Browsers send it; a link or a form on another site has another value.
        if any(site not in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
            return _refused(403, "Requests from other sites are refused.")
        if scope["method"] not in _METHODS:
            allowed = {"Allow": ", ".join(_METHODS)}
            return _refused(405, "The pages can only be read.", allowed)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == TOKEN]
        if tokens:
            return self._redeem(scope, query, tokens)
        if self._access.admits(headers.getlist("cookie")):
            return None
        return _refused(401, "Open the URL that `runreel ui` printed when it started.")

    def _redeem(self, scope: Scope, query: list[tuple[str, str]], tokens: list[str]) -> Response:
        """Exchange a token for the cookie, and leave the token out of the URL."""
        if scope["method"] != "GET" or len(tokens) != 1 or not self._access.redeem(tokens[0]):
            return _refused(
                401,
                "This token is wrong, or was used already. The browser that used it may open"
                f" {self._access.origin}/ ; for another one, start `runreel ui` again.",
            )
        rest = [(name, value) for name, value in query if name != TOKEN]
        # Never "//HOST", which would be another site.
        path = "/" + quote(scope["path"].lstrip("/"))
        location = f"{path}?{urlencode(rest)}" if rest else path
        return RedirectResponse(location, 303, {"Set-Cookie": self._access.set_cookie})


def _refused(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, headers)
