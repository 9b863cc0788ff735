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
    answers = _Answers(player, on_problem)
    routes = [
        *_routes("/models", answers.models, "GET"),
        *_routes("/responses/{id}", answers.retrieve, "GET"),
        *_routes("/{path:path}", answers.create, "POST"),
    ]
    handlers = {404: answers.unknown, 405: answers.unknown}
    return requests_in.guarded(Starlette(routes=routes, exception_handlers=handlers), host)


class _Answers:
    """What each path is answered with."""

    def __init__(self, player: Player, on_problem: Callable[[str], None]) -> None:
        self._player = player
        self._on_problem = on_problem
        # Threads that compute at once delay the answers that are being sent.
        self._one_by_one = asyncio.Semaphore(1)

    async def create(self, request: Request) -> TimedResponse:
        path = request.url.path
        try:
            content = await requests_in.body_of(request.scope, request.receive)
        except TooLarge as error:
            source = requests.source_of_path(path)
            make = partial(refusal, source, str(error), code="too_large", status=_TOO_LARGE)
            return await self._answered(make)
        return await self._answered(partial(self._player.create, path, content))

    async def retrieve(self, request: Request) -> TimedResponse:
        after = request.query_params.get("starting_after", "")
        make = partial(
            self._player.retrieve,
            request.path_params["id"],
            streamed=request.query_params.get("stream") == "true",
            after=int(after) if after.isdecimal() else None,
        )
        return await self._answered(make)

    async def models(self, _request: Request) -> TimedResponse:
        return await self._answered(self._player.models)

    async def unknown(self, request: Request, _error: Exception) -> TimedResponse:
        message = f"nothing is recorded of {request.method} {request.url.path}"
        return await self._answered(partial(refusal, None, message, code="not_recorded"))

    async def _answered(self, make: Callable[[], Reply]) -> TimedResponse:
        # Reading a log blocks; other answers go on meanwhile.
        async with self._one_by_one:
            reply = await asyncio.to_thread(make)
        if reply.problem is not None:
            self._on_problem(reply.problem)
        return TimedResponse(reply)


def _routes(
    path: str, endpoint: Callable[[Request], Awaitable[TimedResponse]], method: str
) -> list[Route]:
    """Return routes with and without ``/v1``, which a client may leave out."""
    paths = [path] if "path:path" in path else [f"/v1{path}", path]
    return [Route(one, endpoint, methods=[method]) for one in paths]
