"""Comparing runs with their log on several cores: run ids are split over processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from runreel.rebuild import Examined, one_by_one
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

# So many runs go to a process at a time, and so many such pieces are on their way to each.
_PIECE = 50
_AHEAD = 3

_ours: Database | None = None


def examining(database: Database, jobs: int) -> Callable[[Iterable[str]], Iterator[Examined]]:
    """What ``rebuild`` and ``check`` look at runs with: the same answers, in the same order.

    Each process has a connection of its own, and sees each run as it stands when it comes to it.
    """
    url = database.url.render_as_string(hide_password=False)

    def examine(run_ids: Iterable[str]) -> Iterator[Examined]:
        # A fork would take our connections along.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, initializer=_open, initargs=(url,)) as pool:
            ids = iter(run_ids)
            waiting: deque[Future[list[Examined]]] = deque()
            try:
                while True:
                    while len(waiting) < jobs * _AHEAD and (piece := list(islice(ids, _PIECE))):
                        waiting.append(pool.submit(_examine, piece))
                    if not waiting:
                        return
                    yield from waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    return examine


def _open(url: str) -> None:
    global _ours  # noqa: PLW0603 - a process of the pool has one
    _ours = Database(url, create=False)


def _examine(run_ids: list[str]) -> list[Examined]:
    assert _ours is not None  # noqa: S101 - the pool begins with ``_open``
    with _ours.reading() as connection:
        return list(one_by_one(connection, run_ids))
