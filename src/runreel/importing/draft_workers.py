"""Worker processes that draft the runs of segments, while this process stores them.

They have no connection to the log. They are started as those of ``rebuild``: without the program's
main module, which may be a script that does not guard its code.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, cast

from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.importing.drafted_run import Draft
    from runreel.importing.drafts import Segment
    from runreel.store.database import Database
    from runreel.system.process_identity import Process

# The worker uses the module path of this process.
_WORKER_PROGRAM = (
    "import pickle, sys; path, url, process = pickle.load(sys.stdin.buffer); sys.path[:] = path;"
    "from runreel.importing import draft_workers; draft_workers.serve(url, process)"
)
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
        workers = DraftWorkers(database.url.text, threads, jobs - 1)
        try:
            yield workers
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            workers.end()


class DraftWorkers:
    """Up to ``count`` worker processes; a thread waits for each draft."""

    def __init__(self, url: str, threads: ThreadPoolExecutor, count: int) -> None:
        self.count = count
        self._lost = False
        self._url = url
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
        while len(self._workers) < self.count and not self._lost:
            try:
                self._workers.append(_Worker(self._url))
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
            except Exception:  # noqa: BLE001 - the import goes on without it
                # A thread that waits for it gets none.
                worker, self._lost = None, True
            else:
                self._idle.put(worker)
                return found
        self._idle.put(worker)
        return None


class _Worker:
    """A worker process; it drafts one segment at a time."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-P", "-c", _WORKER_PROGRAM]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        self._pipes = cast("tuple[IO[bytes], IO[bytes]]", (self.process.stdin, self.process.stdout))
        # If it has already ended, its first segment shows that.
        with suppress(OSError):
            # The URL may hold a password: other users can see the arguments of a process.
            _send((sys.path, url, process_identity.this()), self._pipes[0])

    def draft(self, segment: Segment) -> Draft | None:
        """Draft a segment in the process; raises any error if it has ended."""
        requests, responses = self._pipes
        _send(segment, requests)
        return cast("Draft | None", pickle.load(responses))  # noqa: S301 - we wrote it

    def end(self) -> None:
        """Stop the process."""
        self.process.kill()
        with suppress(OSError), self.process:
            pass


def _send(value: object, pipe: IO[bytes]) -> None:
    pickle.dump(value, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def serve(url: str, process: Process) -> None:
    """Run a worker process of the import in ``process``: draft segments until there are no more."""
    # Ctrl-C reaches the whole process group; the main process then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Anything else printed must not be mixed with the drafts.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from runreel.importing import drafts
    from runreel.store.database import Database

    # The notes of the runs name the process that imports them.
    process_identity.stand_for(process)
    database = Database(url, create=False)
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            segment = cast("Segment", pickle.load(sys.stdin.buffer))  # noqa: S301 - we wrote it
            try:
                found = drafts.draft(database, segment)
            except Exception:  # noqa: BLE001 - the import tries the same, and reports what fails
                found = None
            _send(found, responses)
