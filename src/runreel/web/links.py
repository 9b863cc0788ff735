"""The URLs of pages: everything that they show is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable

Pairs = tuple[tuple[str, str], ...]


def run(run_id: str, seq: int | None = None, **more: str) -> str:
    """The page of a run, as of row ``seq``."""
    pairs = [] if seq is None else [("seq", str(seq))]
    pairs += more.items()
    if run_id in (".", ".."):
        # A browser takes them for folders.
        return page("/run", [("id", run_id), *pairs])
    return page(f"/run/{_quoted(run_id)}", pairs)


def data(run_id: str, what: str) -> str:
    """``what`` of a run for scripts, such as ``rows``."""
    if run_id in (".", ".."):
        return page(f"/api/{what}", [("id", run_id)])
    return f"/api/run/{_quoted(run_id)}/{what}"


def live(run_id: str) -> str:
    """The stream of a run."""
    if run_id in (".", ".."):
        return page("/live/run", [("id", run_id)])
    return f"/live/run/{_quoted(run_id)}"


def diff(a: str, b: str) -> str:
    """The comparison of two runs."""
    return page("/diff", [("a", a), ("b", b)])


def runs(*pairs: tuple[str, str]) -> str:
    """The list of runs that match these filters."""
    return page("/", pairs)


def page(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path with parameters."""
    parameters = [*pairs]
    return f"{path}?{urlencode(parameters, errors='replace')}" if parameters else path


def _quoted(text: str) -> str:
    # Most ids have nothing to quote, and a list has many of them.
    return text if text.isascii() and text.isalnum() else quote(text, safe="")
