"""Comparing runs with their log on several cores: pieces of the log are split over processes.

Little is imported before the other processes are started, so that they start while we do.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from contextlib import closing, contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from runreel.model.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import IO, TypeVar

    from runreel.rebuild.comparison import RunComparison
    from runreel.store.connection import Connection
    from runreel.store.database import Database

    T = TypeVar("T")
    # The answer that is awaited, an error, or None where none can come.
    _Result = SimpleQueue[Any]

# So many pieces each of the other processes has, and so many are under way or wait for their turn
# in all.
_AHEAD = 2
_MOST = 64
# It finds our packages where we do; what is secret in a URL is no argument that others can see.
_BEGIN = (
    "import pickle, sys; path, url = pickle.load(sys.stdin.buffer); sys.path[:] = path;"
    "from runreel.rebuild import worker_pool; worker_pool.serve(url, sys.stdin.buffer)"
)


class WorkerLost(LogError):
    """A process that looked at runs has ended, and nobody told it to."""

    hint = "It may have been killed for want of memory. `-j 1` does without."


@contextmanager
def workers(database: Database, jobs: int) -> Iterator[WorkerPool | None]:
    """The other processes, where this one is to be one of ``jobs``; None if it is alone."""
    if jobs == 1:
        yield None
        return
    helpers: list[_Worker] = []
    try:
        helpers.extend(_Worker(database.url.text) for _ in range(jobs - 1))
        yield WorkerPool(database, helpers)
    finally:
        for helper in helpers:
            helper.end()


class WorkerPool:
    """Processes that work beside this one, each with a connection of its own."""

    def __init__(self, database: Database, helpers: Sequence[_Worker]) -> None:
        self._database = database
        self._helpers = helpers

    def start(self, work: Callable[[Connection], T]) -> Callable[[], T]:
        """Have one of them work; what is answered waits for what comes of it."""
        turn = self._helpers[0].ask(work)
        return partial(_answer, turn)

    def compared(self, pieces: Iterable[list[str]]) -> Iterator[list[RunComparison]]:
        """Pieces of the log examined, in order; this process does what the others do not.

        Each run is seen as it stands when somebody comes to it.
        """
        from runreel.rebuild.comparison import compare_runs

        more = iter(pieces)
        turns: deque[_Result] = deque()
        with self._database.reading() as connection:
            while True:
                room = len(turns) < _MOST
                free = min(self._helpers, key=_Worker.waiting)
                if room and free.waiting() < _AHEAD and (piece := next(more, None)):
                    turns.append(free.ask(partial(_compare, piece)))
                elif room and turns and turns[0].empty() and (piece := next(more, None)):
                    own: _Result = SimpleQueue()
                    own.put(compare_runs(connection, piece))
                    turns.append(own)
                elif turns:
                    yield _answer(turns.popleft())
                else:
                    return


def _compare(run_ids: list[str], connection: Connection) -> list[RunComparison]:
    from runreel.rebuild.comparison import compare_runs

    return compare_runs(connection, run_ids)


def _answer(turn: _Result) -> Any:
    found = turn.get()
    if found is None:
        raise WorkerLost("a process that was looking at runs has ended")
    if isinstance(found, Exception):
        raise found
    return found


class _Worker:
    """Another process; it does what it is asked in the order in which it is asked."""

    def __init__(self, url: str) -> None:
        self._turns: deque[_Result] = deque()
        self._lost = False
        told = [sys.executable, "-P", "-c", _BEGIN]
        self._process = subprocess.Popen(told, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - it is us
        self._asks, self._answers = cast("tuple[IO[bytes], IO[bytes]]", _pipes(self._process))
        # Nobody waits for somebody to read, however much there is to say.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send((sys.path, url))

    def waiting(self) -> int:
        """How much it has still to do."""
        return len(self._turns)

    def ask(self, work: Callable[[Connection], Any]) -> _Result:
        """Have it work; None comes where it cannot answer any more."""
        turn: _Result = SimpleQueue()
        self._turns.append(turn)
        self._send(work)
        if self._lost:
            turn.put(None)
        return turn

    def end(self) -> None:
        """Have it end; what it is in the middle of is left."""
        if self._turns:
            self._process.kill()
        with suppress(OSError):
            self._asks.close()
        self._reader.join()
        self._process.wait()

    def _send(self, value: object) -> None:
        # Where it has ended, whoever waits for its answer hears of that.
        with suppress(OSError):
            pickle.dump(value, self._asks, pickle.HIGHEST_PROTOCOL)
            self._asks.flush()

    def _read(self) -> None:
        for found in _received(self._answers):
            self._turns.popleft().put(found)
        self._lost = True
        while self._turns:
            self._turns.popleft().put(None)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes] | None, IO[bytes] | None]:
    return process.stdin, process.stdout


def _received(pipe: IO[bytes]) -> Iterator[Any]:
    """All values that come out of a pipe."""
    # Behind half a value there are no more.
    with pipe, suppress(Exception):
        while True:
            yield pickle.load(pipe)  # noqa: S301 - we wrote it


def serve(url: str, asks: IO[bytes]) -> None:
    """Be another process: look at the pieces that come in, until no more do."""
    # Whoever interrupts us all interrupts the first of us, who ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever else is printed is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_queue, args=(asks, asked), daemon=True).start()
    from runreel.rebuild.comparison import compare_runs  # noqa: F401 - while nothing has been asked
    from runreel.store.database import Database

    with closing(Database(url, create=False)) as database:
        while (work := asked.get()) is not None:
            try:
                with database.reading() as connection:
                    found = work(connection)
            except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
                found = error
            pickle.dump(found, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _queue(asks: IO[bytes], asked: SimpleQueue[Any]) -> None:
    for work in _received(asks):
        asked.put(work)
    asked.put(None)
