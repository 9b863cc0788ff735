"""The application: which page answers a URL, and what an error looks like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from functools import cache, partial
from importlib import import_module, resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeAlias

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from runreel.model.errors import (
    DatabaseUnavailable,
    RunNotFound,
    RunreelError,
    UsageError,
)
from runreel.model.passwords import mask_passwords
from runreel.web.guard import Guard
from runreel.web.query import Attachment, Data, Moved, Page, Query
from runreel.web.rendering import pieces, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from importlib.resources.abc import Traversable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from runreel.api.reel import Reel
    from runreel.web.access import Access
    from runreel.web.live.streams import Streams
    from runreel.web.threads import Threads

Answer: TypeAlias = Page | Moved | Data | Attachment

# The paths of pages, and the modules that make them.
_PAGES = {
    "/": "runs",
    "/run": "run",
    "/run/{id:path}": "run",
    "/diff": "diff",
    "/usage": "usage",
    "/log": "log",
}
# What scripts ask for; the second path is for the IDs "." and "..".
_DATA = {"/api/run/{id:path}/{what}": "run_data", "/api/{what}": "run_data"}
# Types of the files in `static`.
_TYPES = {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}


class _PageModule(Protocol):
    """A module of ``pages``: the parameters of its URLs, and the function that makes the page."""

    PARAMETERS: tuple[str, ...]

    def answer(self, reel: Reel, query: Query) -> Answer:
        """Return the page for these parameters."""


def create_app(reel: Reel, access: Access, threads: Threads, streams: Streams) -> ASGIApp:
    """Return the application that shows the log of ``reel`` to whom ``access`` admits."""
    known = {**_PAGES, **_DATA}
    routes = [Route(path, _endpoint(reel, name, threads)) for path, name in known.items()]
    routes += [
        Route("/live/runs", streams.runs),
        Route("/live/run", streams.run),
        Route("/live/run/{id:path}", streams.run),
        Route("/static/{name:path}", _file),
    ]
    handlers = {404: _unknown_page, RunreelError: _problem_of, Exception: _bug}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), access)


def _endpoint(reel: Reel, name: str, threads: Threads) -> Callable[[Request], Awaitable[Response]]:
    module: _PageModule = import_module(f"runreel.web.pages.{name}")

    async def endpoint(request: Request) -> Response:
        pairs = [*request.query_params.multi_items(), *request.path_params.items()]
        # Reading a log blocks; other requests are answered meanwhile.
        make = partial(module.answer, reel)
        answer = await threads.run(partial(_answer, make, module, pairs))
        if isinstance(answer, Iterator):
            return StreamingResponse(_read(threads, answer), media_type="text/html")
        return answer

    return endpoint


def _answer(
    make: Callable[[Query], Answer], module: _PageModule, pairs: list[tuple[str, str]]
) -> Response | Iterator[str]:
    try:
        found = make(Query(pairs, module.PARAMETERS))
    except RunreelError as error:
        return _error(error, as_data="what" in module.PARAMETERS)
    match found:
        case Moved():
            return RedirectResponse(found.location, 303)
        case Data():
            return Response(
                json.dumps(found.value, separators=(",", ":")), media_type="application/json"
            )
        case Attachment():
            headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
            return Response(found.content, 200, headers, "application/octet-stream")
        case Page(streams=True):
            return pieces(found.template, found.values)
    return HTMLResponse(render(found.template, found.values))


async def _read(threads: Threads, parts: Iterator[str]) -> AsyncIterator[str]:
    while (part := await threads.run(partial(next, parts, None))) is not None:
        yield part


def _error(error: RunreelError, *, as_data: bool) -> Response:
    message = mask_passwords(str(error))
    if as_data:
        body = json.dumps({"error": message, "hint": error.hint and mask_passwords(error.hint)})
        return Response(body, _status(error), media_type="application/json")
    return _problem(_status(error), message, error.hint)


def _status(error: RunreelError) -> int:
    if isinstance(error, RunNotFound):
        return 404
    if isinstance(error, UsageError):
        return 400
    return 503 if isinstance(error, DatabaseUnavailable) else 500


def _problem(status: int, message: str, hint: str | None = None) -> Response:
    values = {"status": status, "message": message, "hint": hint and mask_passwords(hint)}
    return HTMLResponse(render("problem.html", values), status)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _files():
        return _problem(404, "There is no such page.")
    path = resources.files("runreel.web").joinpath("static", name)
    return Response(path.read_bytes(), media_type=_TYPES[PurePosixPath(name).suffix])


@cache
def _files() -> frozenset[str]:
    """Return the names of the files that are served: those that are there, and no other."""
    return frozenset(_names(resources.files("runreel.web").joinpath("static"), ""))


def _names(folder: Traversable, start: str) -> Iterator[str]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _names(one, f"{start}{one.name}/")
        elif PurePosixPath(one.name).suffix in _TYPES:
            yield f"{start}{one.name}"


async def _problem_of(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RunreelError)  # noqa: S101 - it is called for these
    return _error(error, as_data=True)


async def _unknown_page(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _problem(404, "There is no such page.")


async def _bug(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _problem(500, f"This is a bug in runreel: {type(error).__name__}.")
