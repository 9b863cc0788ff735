"""The application of ``runreel proxy``: forwards requests, and records the calls of models.

The client below it is recorded like that of any program, so each chunk of an answer is in the log
before it is passed on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from runreel.capture.http import patching
from runreel.model.errors import MissingExtra, RunreelError, UsageError
from runreel.serving import wire
from runreel.sources import requests

try:
    import httpx

    from runreel.serving import requests_in
    from runreel.serving.requests_in import TooLarge
except ImportError as error:
    raise MissingExtra(
        f"the proxy needs a package that is not installed: {error.name}",
        hint="pip install 'runreel[serve]'",
    ) from None

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runreel.capture.http.hook import CallHook

# Headers of one connection, which are not passed on.
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
# Codings that are read without another package.
_CODINGS = (b"gzip", b"deflate", b"identity")
_BASE = "/v1"
# No read limit: a model may think for long, and the program has a limit of its own.
_LIMITS = httpx.Timeout(None, connect=30.0)
_NOT_FOUND, _TOO_LARGE, _UNRECORDED, _BAD_GATEWAY = 404, 413, 500, 502
# For clients that would try again at once.
_NO_RETRY = ((b"x-should-retry", b"false"),)

_Headers = list[tuple[bytes, bytes]]


class _Problem(NamedTuple):
    """Why a request is not answered by the upstream."""

    status: int
    message: str
    code: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


def upstream_url(text: str) -> httpx.URL:
    """Parse the base URL of a service.

    Raises:
        UsageError: if it is none.
    """
    try:
        url = httpx.URL(text.rstrip("/"))
    except (httpx.InvalidURL, ValueError) as error:
        raise UsageError(f"invalid URL {text!r}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            f"invalid URL {text!r}", hint="Use the base URL of a service: https://HOST/v1"
        )
    if url.query or url.fragment:
        raise UsageError(
            f"invalid URL {text!r}: a base URL has no query and no fragment",
            hint="The program sends its own query, which is forwarded.",
        )
    return url


def create_app(
    upstream: httpx.URL, hook: CallHook, host: str, *, on_problem: Callable[[str], None]
) -> ASGIApp:
    """Return the application; ``on_problem`` receives why a request was not answered."""
    proxy = _Proxy(upstream, hook, on_problem)
    return requests_in.guarded(proxy, host)


class _Proxy:
    def __init__(
        self, upstream: httpx.URL, hook: CallHook, on_problem: Callable[[str], None]
    ) -> None:
        self._upstream = upstream
        self._hook = hook
        self._on_problem = on_problem
        self._made: httpx.AsyncClient | None = None

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._made is None:
            # The program's own settings for proxies hold for this client as well.
            limits = httpx.Limits(max_connections=None)
            self._made = httpx.AsyncClient(timeout=_LIMITS, limits=limits)
            patching.attach(self._made, self._hook)
        return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with what the upstream answers."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path: str = scope["path"]
        target = self._target(path, scope["query_string"])
        if target is None:
            message = f"{path} is not below {_BASE}"
            await self._refuse(send, path, _Problem(_NOT_FOUND, message, "not_found"))
            return
        try:
            content = await requests_in.body_of(scope, receive)
        except TooLarge as error:
            await self._refuse(send, path, _Problem(_TOO_LARGE, str(error), "too_large"))
            return
        headers = [_readable(*header) for header in _passed_on(scope["headers"])]
        request = httpx.Request(scope["method"], target, headers=headers, content=content)
        answering = asyncio.ensure_future(self._answer(request, path, send))
        gone = asyncio.ensure_future(requests_in.gone(receive))
        try:
            await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not answering.done():
                answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering

    async def _live(self, receive: Receive, send: Send) -> None:
        """Close the connections to the upstream at the end."""
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        if self._made is not None:
            await self._made.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    def _target(self, path: str, query: bytes) -> httpx.URL | None:
        if path != _BASE and not path.startswith(f"{_BASE}/"):
            return None
        base = self._upstream.raw_path.partition(b"?")[0].rstrip(b"/")
        rest = path.removeprefix(_BASE)
        raw = base + (httpx.URL(path=rest).raw_path if rest else b"")
        return self._upstream.copy_with(raw_path=raw + (b"?" + query if query else b""))

    async def _answer(self, request: httpx.Request, path: str, send: Send) -> None:
        try:
            response = await self._client.send(request, stream=True)
        except RunreelError as error:
            problem = _Problem(_UNRECORDED, str(error), "not_recorded", _NO_RETRY)
            await self._refuse(send, path, problem)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            message = f"{self._upstream.host} does not answer: {reason}"
            await self._refuse(send, path, _Problem(_BAD_GATEWAY, message, "bad_gateway"))
            return
        try:
            headers = _passed_on(response.headers.raw)
            # The server adds the date.
            headers = [(name, value) for name, value in headers if name != b"date"]
            await send(_start(response.status_code, headers))
            is_stream = "event-stream" in response.headers.get("content-type", "").lower()
            await _pass_on(response.aiter_raw(), send, at_once=is_stream)
        except (RunreelError, httpx.HTTPError) as error:
            # The server closes the connection, because the body is not complete.
            self._on_problem(f"{path}: the answer was cut off: {error or type(error).__name__}")
        finally:
            await response.aclose()

    async def _refuse(self, send: Send, path: str, problem: _Problem) -> None:
        self._on_problem(f"{path}: {problem.message}")
        source = requests.source_of_path(path)
        content = wire.body(
            wire.error(source, problem.message, code=problem.code, status=problem.status)
        )
        headers = [
            (b"content-type", wire.JSON.encode()),
            (b"content-length", str(len(content)).encode()),
            *problem.headers,
        ]
        await send(_start(problem.status, headers))
        await send({"type": "http.response.body", "body": content, "more_body": False})


async def _pass_on(chunks: AsyncIterable[bytes], send: Send, *, at_once: bool) -> None:
    """Pass chunks on; unless ``at_once``, each when the next one or the end has come.

    A whole answer is stored at its end, and the program must not have all of it before that.
    """
    held = b""
    async for chunk in chunks:
        ready, held = (chunk, b"") if at_once else (held, chunk)
        if ready:
            await send({"type": "http.response.body", "body": ready, "more_body": True})
    await send({"type": "http.response.body", "body": held, "more_body": False})


def _start(status: int, headers: _Headers) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _readable(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header of a request that asks for no coding of the answer that cannot be read."""
    if name != b"accept-encoding":
        return name, value
    kept = [one for one in value.split(b",") if one.partition(b";")[0].strip() in _CODINGS]
    return name, b",".join(kept).strip() or b"identity"


def _passed_on(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    """Return the headers of a message without those of its connection and its host."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = {
        one.strip().lower()
        for name, value in pairs
        if name == b"connection"
        for one in value.split(b",")
    }
    left_out = _HOP_BY_HOP | named | {b"host"}
    return [(name, value) for name, value in pairs if name not in left_out]
