"""Worker processes that draft the runs of segments, while this process stores them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from runreel.importing import drafts
from runreel.store import worker_process
from runreel.store.worker_process import WorkerLost
from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.importing.drafted_run import Draft
    from runreel.importing.drafts import Segment
    from runreel.store.database import Database
    from runreel.store.worker_process import Process, Starter

# Segments that are queued or whose drafts are not stored, per worker.
PENDING = 2
# Bytes of files from which on it is certain that the processes will be needed.
_EARLY = 1_000_000


@contextmanager
def drafting(database: Database, jobs: int) -> Iterator[DraftWorkers | None]:
    """Provide the workers of an import with this many processes, with this one; None without any.

    Secrets are masked as they are appended to the log, which only this process does.
    """
    if jobs == 1 or database.masking is not None:
        yield None
        return
    with ThreadPoolExecutor(jobs - 1) as threads:
        workers = DraftWorkers(database, threads, jobs - 1)
        try:
            yield workers
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            workers.end()


class DraftWorkers:
    """Up to ``count`` worker processes; a thread waits for each draft."""

    def __init__(self, database: Database, threads: ThreadPoolExecutor, count: int) -> None:
        self.count = count
        self._lost = False
        self._database = database
        self._threads = threads
        self._workers: list[_Worker] = []
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()

    def expect(self, size: int) -> None:
        """Start the processes now if this many bytes are much: they start while files are read."""
        if size >= _EARLY:
            self._start()

    def notices(self) -> list[str]:
        """Return what the report of the import has to say about the workers."""
        lost = "a worker process did not start or ended unexpectedly: the others did its part"
        return [lost] if self._lost else []

    def _start(self) -> None:
        if self._workers or self._lost:
            return
        start = worker_process.starter(self._database, [drafts.__name__])
        while len(self._workers) < self.count and not self._lost:
            try:
                self._workers.append(_Worker(start, self._database.url.text))
            except OSError:
                # There may be too many processes, or too little memory.
                self._lost = True
                self._idle.put(None)
            else:
                self._idle.put(self._workers[-1])

    def draft(self, segment: Segment) -> Callable[[], Draft | None]:
        """Draft a segment in a worker; returns a function that waits for the draft.

        It returns None if the segment cannot be drafted, or the worker has ended.
        """
        self._start()
        return self._threads.submit(self._draft, segment).result

    def end(self) -> None:
        """Stop the processes; unfinished drafts are abandoned."""
        for worker in self._workers:
            worker.end()

    def _draft(self, segment: Segment) -> Draft | None:
        worker = self._idle.get()
        if worker is not None:
            try:
                found = worker.draft(segment)
            except WorkerLost:
                # The import goes on without it. A thread that waits for it gets none.
                worker, self._lost = None, True
            else:
                self._idle.put(worker)
                return found
        self._idle.put(worker)
        return None


class _Worker:
    """A worker process; it drafts one segment at a time."""

    def __init__(self, start: Starter, url: str) -> None:
        self._worker = start()
        self._url = url

    @property
    def process(self) -> Process:
        """The process."""
        return self._worker.process

    def draft(self, segment: Segment) -> Draft | None:
        """Draft a segment in the process.

        Raises:
            WorkerLost: if it has ended.
        """
        # The notes of the runs name the process that imports them.
        ours = process_identity.this()
        return self._worker.run(partial(drafts.in_worker, segment, self._url, ours))

    def end(self) -> None:
        """Stop the process."""
        self._worker.end()
