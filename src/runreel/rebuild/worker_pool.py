"""Compares runs with their log on several cores: batches of runs are split over processes.

The processes are not those of ``multiprocessing``: each of these would import the program's main
module, and so run a script that does not guard its code. Imports are deferred, so that the
processes start while this one imports.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, TypeVar, cast

from runreel.model.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.rebuild.comparison import RunComparison
    from runreel.store.connection import Connection
    from runreel.store.database import Database

T = TypeVar("T")

# Batches that are queued or whose results are not yielded, per process. Another process is started
# only when there are as many.
_PENDING = 8
# The worker uses the module path of this process. The URL, which may hold a password, is sent over
# the pipe, because other users can see the arguments of a process.
_WORKER_PROGRAM = (
    "import pickle, sys; path, url = pickle.load(sys.stdin.buffer); sys.path[:] = path;"
    "from runreel.rebuild import worker_pool; worker_pool.serve(url)"
)


class WorkerLost(LogError):
    """A worker process ended unexpectedly."""

    hint = "It may have been killed because memory ran out. `-j 1` uses no workers."


@contextmanager
def workers(database: Database, jobs: int) -> Iterator[WorkerPool | None]:
    """Start up to ``jobs`` worker processes; None for one job, which this process does itself."""
    if jobs == 1:
        yield None
        return
    with ThreadPoolExecutor(jobs) as threads:
        pool = WorkerPool(database.url.text, threads, jobs)
        try:
            yield pool
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in pool.workers:
                worker.end()


class WorkerPool:
    """Worker processes, each with its own connection; a thread waits for each result."""

    def __init__(self, url: str, threads: ThreadPoolExecutor, jobs: int) -> None:
        self.workers: list[_Worker] = []
        self._url = url
        self._threads = threads
        self._jobs = jobs
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._add_worker()

    def start(self, work: Callable[[Connection], T]) -> Callable[[], T]:
        """Run ``work`` in a worker; returns a function that waits for the result."""
        return self._threads.submit(self._run, work).result

    def compare_batches(self, batches: Iterable[list[str]]) -> Iterator[list[RunComparison]]:
        """Compare batches of runs in the workers; yields the results in order.

        Each run is compared in the state it has when its batch is read.
        """
        results: deque[Callable[[], list[RunComparison]]] = deque()
        for run_ids in batches:
            results.append(self.start(partial(_compare, run_ids)))
            if len(results) < _PENDING * len(self.workers):
                continue
            if len(self.workers) < self._jobs:
                self._add_worker()
            else:
                yield results.popleft()()
        while results:
            yield results.popleft()()

    def _add_worker(self) -> None:
        self.workers.append(_Worker(self._url))
        self._idle.put(self.workers[-1])

    def _run(self, work: Callable[[Connection], T]) -> T:
        worker = self._idle.get()
        try:
            return worker.run(work)
        finally:
            self._idle.put(worker)


def _compare(run_ids: list[str], connection: Connection) -> list[RunComparison]:
    from runreel.rebuild.comparison import compare_runs

    return compare_runs(connection, run_ids)


class _Worker:
    """A worker process; it runs one function at a time."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-P", "-c", _WORKER_PROGRAM]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        self._pipes = cast("tuple[IO[bytes], IO[bytes]]", (self.process.stdin, self.process.stdout))
        # If it has already ended, its first function reports that.
        with suppress(OSError):
            _send((sys.path, url), self._pipes[0])

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run a function in the process and return its result, or raise its error.

        Raises:
            WorkerLost: if the process has ended.
        """
        requests, responses = self._pipes
        try:
            _send(work, requests)
            found, error = pickle.load(responses)  # noqa: S301 - we wrote it
        except Exception as lost:
            raise WorkerLost("a worker process has ended unexpectedly") from lost
        if error is not None:
            raise error
        return cast("T", found)

    def end(self) -> None:
        """Stop the process; unfinished work is abandoned."""
        self.process.kill()
        with suppress(OSError), self.process:
            pass


def _send(value: object, pipe: IO[bytes]) -> None:
    pickle.dump(value, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def serve(url: str) -> None:
    """Run a worker process: answer requests until there are no more."""
    # Ctrl-C reaches the whole process group; the main process then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Anything else printed must not be mixed with the responses.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from runreel.rebuild.comparison import compare_runs  # noqa: F401 - imported while there are no requests
    from runreel.store.database import Database

    with closing(Database(url, create=False)) as database:
        while (work := _received(sys.stdin.buffer)) is not None:
            found = failure = None
            try:
                with database.reading() as connection:
                    found = work(connection)
            except Exception as error:  # noqa: BLE001 - raised where the result is awaited
                failure = error
            _send((found, failure), responses)


def _received(requests: IO[bytes]) -> Callable[[Connection], object] | None:
    """Return the next function; None at the end of the input, which may cut one off."""
    try:
        return cast("Callable[[Connection], object]", pickle.load(requests))  # noqa: S301 - we wrote it
    except (EOFError, pickle.UnpicklingError):
        return None
