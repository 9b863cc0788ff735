"""Compares runs with their log on several cores: batches of runs are split over processes.

Imports are deferred, so that the worker processes start while this one imports.
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
    # Receives the result, an error, or None if the worker has ended.
    _Result = SimpleQueue[Any]

# Maximum number of batches queued at each worker, and of batches whose results are not yielded.
_MAX_WAITING = 2
_MAX_PENDING = 64
# The worker uses the module path of this process. The URL, which may hold a password, is sent over
# the pipe, because other users can see the arguments of a process.
_WORKER_PROGRAM = (
    "import pickle, sys; path, url = pickle.load(sys.stdin.buffer); sys.path[:] = path;"
    "from runreel.rebuild import worker_pool; worker_pool.serve(url, sys.stdin.buffer)"
)


class WorkerLost(LogError):
    """A worker process ended unexpectedly."""

    hint = "It may have been killed because memory ran out. `-j 1` uses no workers."


@contextmanager
def workers(database: Database, jobs: int) -> Iterator[WorkerPool | None]:
    """Start ``jobs - 1`` worker processes in addition to this one; None for one job."""
    if jobs == 1:
        yield None
        return
    processes: list[_Worker] = []
    try:
        processes.extend(_Worker(database.url.text) for _ in range(jobs - 1))
        yield WorkerPool(database, processes)
    finally:
        for worker in processes:
            worker.end()


class WorkerPool:
    """Worker processes, each with its own connection."""

    def __init__(self, database: Database, processes: Sequence[_Worker]) -> None:
        self._database = database
        self._workers = processes

    def start(self, work: Callable[[Connection], T]) -> Callable[[], T]:
        """Run ``work`` in a worker; returns a function that waits for the result."""
        result = self._workers[0].submit(work)
        return partial(_wait_for, result)

    def compare_batches(self, batches: Iterable[list[str]]) -> Iterator[list[RunComparison]]:
        """Compare batches of runs, in order, in the workers and in this process.

        Each run is compared in the state it has when its batch is read.
        """
        from runreel.rebuild.comparison import compare_runs

        remaining = iter(batches)
        results: deque[_Result] = deque()
        with self._database.reading() as connection:
            while True:
                has_room = len(results) < _MAX_PENDING
                worker = min(self._workers, key=_Worker.waiting)
                is_ready = has_room and worker.waiting() < _MAX_WAITING
                if is_ready and (batch := next(remaining, None)):
                    results.append(worker.submit(partial(_compare, batch)))
                elif has_room and _is_awaited(results) and (batch := next(remaining, None)):
                    own: _Result = SimpleQueue()
                    own.put(compare_runs(connection, batch))
                    results.append(own)
                elif results:
                    yield _wait_for(results.popleft())
                else:
                    return


def _compare(run_ids: list[str], connection: Connection) -> list[RunComparison]:
    from runreel.rebuild.comparison import compare_runs

    return compare_runs(connection, run_ids)


def _is_awaited(results: deque[_Result]) -> bool:
    """True if the next result to yield is not there yet."""
    return bool(results) and results[0].empty()


def _wait_for(result: _Result) -> Any:
    found = result.get()
    if found is None:
        raise WorkerLost("a worker process has ended unexpectedly")
    if isinstance(found, Exception):
        raise found
    return found


class _Worker:
    """A worker process; it runs submitted functions in order."""

    def __init__(self, url: str) -> None:
        self._pending_results: deque[_Result] = deque()
        self._has_ended = False
        command = [sys.executable, "-P", "-c", _WORKER_PROGRAM]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        self._requests, self._responses = cast("tuple[IO[bytes], IO[bytes]]", _pipes(self._process))
        # A reader thread drains results, so that neither pipe can block.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send((sys.path, url))

    def waiting(self) -> int:
        """Return the number of submitted functions without a result."""
        return len(self._pending_results)

    def submit(self, work: Callable[[Connection], Any]) -> _Result:
        """Send a function to the worker; the result is None if the worker has ended."""
        result: _Result = SimpleQueue()
        self._pending_results.append(result)
        self._send(work)
        if self._has_ended:
            result.put(None)
        return result

    def end(self) -> None:
        """Stop the worker; unfinished work is abandoned."""
        if self._pending_results:
            self._process.kill()
        with suppress(OSError):
            self._requests.close()
        self._reader.join()
        self._process.wait()

    def _send(self, value: object) -> None:
        # If the worker has ended, the reader thread reports that to those who wait.
        with suppress(OSError):
            pickle.dump(value, self._requests, pickle.HIGHEST_PROTOCOL)
            self._requests.flush()

    def _read(self) -> None:
        for found in _received(self._responses):
            self._pending_results.popleft().put(found)
        self._has_ended = True
        while self._pending_results:
            self._pending_results.popleft().put(None)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes] | None, IO[bytes] | None]:
    return process.stdin, process.stdout


def _received(pipe: IO[bytes]) -> Iterator[Any]:
    """Yield the values read from a pipe."""
    # A truncated value is the end of the stream.
    with pipe, suppress(Exception):
        while True:
            yield pickle.load(pipe)  # noqa: S301 - we wrote it


def serve(url: str, requests: IO[bytes]) -> None:
    """Run a worker process: answer requests until there are no more."""
    # Ctrl-C reaches the whole process group; the main process then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Anything else printed must not be mixed with the responses.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    queue: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_queue, args=(requests, queue), daemon=True).start()
    from runreel.rebuild.comparison import compare_runs  # noqa: F401 - imported while there are no requests
    from runreel.store.database import Database

    with closing(Database(url, create=False)) as database:
        while (work := queue.get()) is not None:
            try:
                with database.reading() as connection:
                    found = work(connection)
            except Exception as error:  # noqa: BLE001 - raised where the result is awaited
                found = error
            pickle.dump(found, responses, pickle.HIGHEST_PROTOCOL)
            responses.flush()


def _queue(requests: IO[bytes], queue: SimpleQueue[Any]) -> None:
    for work in _received(requests):
        queue.put(work)
    queue.put(None)
