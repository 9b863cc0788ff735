"""The application of ``runreel serve``: which path answers what."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from runreel.serving import requests_in
from runreel.serving.player import Player, Reply, refusal
from runreel.serving.requests_in import TooLarge
from runreel.serving.sending import TimedResponse
from runreel.sources import requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

_TOO_LARGE = 413


def create_app(player: Player, host: str, *, on_problem: Callable[[str], None]) -> ASGIApp:
    """Return the application; ``on_problem`` receives why a request was refused."""
    # Threads that compute at once delay the answers that are being sent.
    one_by_one = asyncio.Semaphore(1)

    async def answered(make: Callable[[], Reply]) -> TimedResponse:
        # Reading a log blocks; other answers go on meanwhile.
        async with one_by_one:
            reply = await asyncio.to_thread(make)
        if reply.problem is not None:
            on_problem(reply.problem)
        return TimedResponse(reply)

    async def create(request: Request) -> TimedResponse:
        path = request.url.path
        try:
            content = await requests_in.body_of(request.scope, request.receive)
        except TooLarge as error:
            return await answered(
                partial(
                    refusal,
                    requests.source_of_path(path),
                    str(error),
                    code="too_large",
                    status=_TOO_LARGE,
                )
            )
        return await answered(partial(player.create, path, content))

    async def retrieve(request: Request) -> TimedResponse:
        after = request.query_params.get("starting_after", "")
        return await answered(
            partial(
                player.retrieve,
                request.path_params["id"],
                streamed=request.query_params.get("stream") == "true",
                after=int(after) if after.isdecimal() else None,
            )
        )

    async def models(_request: Request) -> TimedResponse:
        return await answered(player.models)

    async def unknown(request: Request, _error: Exception) -> TimedResponse:
        message = f"nothing is recorded of {request.method} {request.url.path}"
        return await answered(partial(refusal, None, message, code="not_recorded"))

    routes = [
        *_routes("/models", models, "GET"),
        *_routes("/responses/{id}", retrieve, "GET"),
        *_routes("/{path:path}", create, "POST"),
    ]
    app = Starlette(routes=routes, exception_handlers={404: unknown, 405: unknown})
    return requests_in.guarded(app, host)


def _routes(
    path: str, endpoint: Callable[[Request], Awaitable[TimedResponse]], method: str
) -> list[Route]:
    """Return routes with and without ``/v1``, which a client may leave out."""
    paths = [path] if "path:path" in path else [f"/v1{path}", path]
    return [Route(one, endpoint, methods=[method]) for one in paths]
