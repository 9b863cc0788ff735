"""Comparing runs with their log on several cores: pieces of the log are split over processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TYPE_CHECKING

from runreel.examining import Examined, examine
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# So many pieces are on their way to each of the other processes, and so many are under way or
# wait for their turn in all.
_AHEAD = 3
_MOST = 64

_ours: Database | None = None


def examining(
    database: Database, jobs: int
) -> Callable[[Iterable[list[str]]], Iterator[list[Examined]]]:
    """What ``rebuild`` and ``check`` look at runs with: the same answers, in the same order.

    This process is one of ``jobs``, and looks at runs itself while the others do. Each has a
    connection of its own, and sees each run as it stands when it comes to it.
    """
    url = database.url.text

    def look(pieces: Iterable[list[str]]) -> Iterator[list[Examined]]:
        # A fork would take our connections along.
        context = multiprocessing.get_context("spawn")
        others = ProcessPoolExecutor(jobs - 1, context, initializer=_open, initargs=(url,))
        with database.reading() as connection, others:
            more = iter(pieces)
            turns: deque[Future[list[Examined]]] = deque()
            try:
                while True:
                    away = sum(not turn.done() for turn in turns)
                    room = len(turns) < _MOST
                    if away < _AHEAD * (jobs - 1) and room and (piece := next(more, None)):
                        turns.append(others.submit(_examine, piece))
                    elif away and not turns[0].done() and room and (piece := next(more, None)):
                        turns.append(_done(examine(connection, piece)))
                    elif turns:
                        yield turns.popleft().result()
                    else:
                        return
            finally:
                others.shutdown(cancel_futures=True)

    return look


def _open(url: str) -> None:
    global _ours  # noqa: PLW0603 - a process of the pool has one
    _ours = Database(url, create=False)


def _examine(run_ids: list[str]) -> list[Examined]:
    assert _ours is not None  # noqa: S101 - the pool begins with ``_open``
    with _ours.reading() as connection:
        return examine(connection, run_ids)


def _done(runs: list[Examined]) -> Future[list[Examined]]:
    turn: Future[list[Examined]] = Future()
    turn.set_result(runs)
    return turn
