"""The application: which page answers a URL, and what an error looks like."""

from __future__ import annotations

from functools import partial
from importlib import import_module, resources
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from runreel.model.errors import (
    DatabaseUnavailable,
    RunNotFound,
    RunreelError,
    UsageError,
)
from runreel.model.passwords import mask_passwords
from runreel.web.guard import Guard
from runreel.web.query import Moved, Page, Query
from runreel.web.rendering import render
from runreel.web.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from runreel.api.reel import Reel
    from runreel.web.access import Access

# The paths of pages, and the modules that make them.
_PAGES = {
    "/": "runs",
    "/run": "run",
    "/run/{id:path}": "run",
    "/diff": "diff",
    "/usage": "usage",
    "/log": "log",
}
_FILES = {"page.css": "text/css"}


class _PageModule(Protocol):
    """A module of ``pages``: the parameters of its URLs, and the function that makes the page."""

    PARAMETERS: tuple[str, ...]

    def answer(self, reel: Reel, query: Query) -> Page | Moved:
        """Return the page for these parameters."""


def create_app(reel: Reel, access: Access) -> ASGIApp:
    """Return the application that shows the log of ``reel`` to whom ``access`` admits."""
    threads = Threads()
    routes = [Route(path, _endpoint(reel, name, threads)) for path, name in _PAGES.items()]
    app = Starlette(
        routes=[*routes, Route("/static/{name}", _file)],
        exception_handlers={404: _unknown_page, Exception: _bug},
    )
    return Guard(app, access)


def _endpoint(reel: Reel, name: str, threads: Threads) -> Callable[[Request], Awaitable[Response]]:
    module: _PageModule = import_module(f"runreel.web.pages.{name}")

    async def endpoint(request: Request) -> Response:
        pairs = [*request.query_params.multi_items(), *request.path_params.items()]
        # Reading a log blocks; other requests are answered meanwhile.
        make = partial(module.answer, reel)
        return await threads.run(partial(_answer, make, module, pairs))

    return endpoint


def _answer(
    make: Callable[[Query], Page | Moved], module: _PageModule, pairs: list[tuple[str, str]]
) -> Response:
    try:
        found = make(Query(pairs, module.PARAMETERS))
    except RunreelError as error:
        return _error(error)
    if isinstance(found, Moved):
        return RedirectResponse(found.location, 303)
    return HTMLResponse(render(found.template, found.values))


def _error(error: RunreelError) -> Response:
    return _problem(_status(error), mask_passwords(str(error)), error.hint)


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
    if name not in _FILES:
        return _problem(404, "There is no such page.")
    file = resources.files("runreel.web").joinpath("static", name)
    return Response(file.read_bytes(), media_type=_FILES[name])


async def _unknown_page(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _problem(404, "There is no such page.")


async def _bug(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _problem(500, f"This is a bug in runreel: {type(error).__name__}.")
