"""Worker processes for work on several cores: each has a connection of its own to one log."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from runreel.store import worker_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.worker_process import Worker

T = TypeVar("T")

# Parts of the work that are queued or whose results are not yielded, per worker. Where workers take
# long to start, another one is started only when there are as many.
_PENDING = 8


@contextmanager
def workers(
    database: Database, jobs: int, modules: Iterable[str] = ()
) -> Iterator[WorkerPool | None]:
    """Start up to ``jobs`` worker processes; None for one job, which this process does itself.

    ``modules`` are those that the work needs: workers import them before they are given any. Call
    it while this thread uses no connection, as workers then start in less time.
    """
    if jobs == 1:
        yield None
        return
    with ThreadPoolExecutor(jobs) as threads:
        pool = WorkerPool(database, threads, jobs, tuple(modules))
        try:
            yield pool
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in pool.workers:
                worker.end()


class WorkerPool:
    """Worker processes of one log; a thread waits for each result.

    Work is a function that can be pickled and gets the connection of the worker.
    """

    def __init__(
        self, database: Database, threads: ThreadPoolExecutor, jobs: int, modules: tuple[str, ...]
    ) -> None:
        self.workers: list[Worker] = []
        self.jobs = jobs
        self._start = worker_process.starter(database, modules)
        self._threads = threads
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        # Threads make forks unsafe, and start with the first work.
        for _ in range(jobs if self._start.is_quick else 1):
            self._add_worker()

    def start(self, work: Callable[[Connection], T]) -> Future[T]:
        """Do ``work`` in a worker; returns its future result."""
        return self._threads.submit(self._run, work)

    def on_each(self, work: Callable[[Connection], object]) -> None:
        """Do ``work`` in each worker, before any other; each uses one connection for all its work.

        Raises:
            WorkerLost: if a worker has ended.
        """
        while len(self.workers) < self.jobs:
            self._add_worker()
        for done in [self._threads.submit(worker.run, work) for worker in self.workers]:
            done.result()

    def map(self, parts: Iterable[Callable[[Connection], T]]) -> Iterator[T]:
        """Do parts of work in the workers; yields the results in order.

        Few parts are begun before the results of earlier ones are taken.

        Raises:
            WorkerLost: if a worker has ended.
        """
        results: deque[Future[T]] = deque()
        for work in parts:
            results.append(self.start(work))
            if len(results) < _PENDING * len(self.workers):
                continue
            if len(self.workers) < self.jobs:
                self._add_worker()
            else:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()

    def _add_worker(self) -> None:
        self.workers.append(self._start())
        self._idle.put(self.workers[-1])

    def _run(self, work: Callable[[Connection], T]) -> T:
        worker = self._idle.get()
        try:
            return worker.run(work)
        finally:
            self._idle.put(worker)
