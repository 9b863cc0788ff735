"""A worker process: forked where that is safe, or else a new interpreter.

A fork has all modules of this process; a new interpreter takes a fifth of a second of a core to
import them. The processes are not those of ``multiprocessing``: each of these would import the
program's main module, and so run a script that does not guard its code.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, Protocol, TypeVar, cast

from runreel.model.errors import LogError
from runreel.store.fork_guard import gate
from runreel.system.garbage import collect_less_often

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.store.connection import Connection
    from runreel.store.database import Database

    Work = Callable[[Connection], object]

T = TypeVar("T")

# The worker uses the module path of this process. The URL, which may hold a password, is sent over
# the pipe, because other users can see the arguments of a process.
_WORKER_PROGRAM = (
    "import pickle, sys; path, url, modules = pickle.load(sys.stdin.buffer); sys.path[:] = path;"
    "from runreel.store import worker_process; worker_process.serve_log(url, modules)"
)
# Of Linux: larger results take fewer switches between the processes.
_SET_PIPE_SIZE, _PIPE_SIZE = 1031, 1 << 20


class WorkerLost(LogError):
    """A worker process ended unexpectedly."""

    hint = "It may have been killed because memory ran out. `-j 1` uses no workers."


class Process(Protocol):
    """A child process."""

    returncode: int | None

    def kill(self) -> None:
        """Kill it."""

    def wait(self) -> int:
        """Wait for its end."""


class Worker:
    """A worker process; it runs one function at a time."""

    def __init__(self, process: Process, requests: IO[bytes], responses: IO[bytes]) -> None:
        self.process = process
        self._requests = requests
        self._responses = responses
        _enlarge(responses)

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run a function in the process and return its result, or raise its error.

        Raises:
            WorkerLost: if the process has ended.
        """
        try:
            send(work, self._requests)
            found, error = pickle.load(self._responses)  # noqa: S301 - we wrote it
        except Exception as lost:
            raise WorkerLost("a worker process has ended unexpectedly") from lost
        if error is not None:
            raise error
        return cast("T", found)

    def end(self) -> None:
        """Stop the process; unfinished work is abandoned."""
        self.process.kill()
        for pipe in (self._requests, self._responses):
            with suppress(OSError):
                pipe.close()
        self.process.wait()

    def close_pipes(self) -> None:
        """In a forked child: leave the worker to its parent, which it shall see go."""
        os.close(self._requests.fileno())
        os.close(self._responses.fileno())


class Starter(Protocol):
    """Starts workers; ``is_quick``: in so little time that all can be started at once."""

    is_quick: bool

    def __call__(self) -> Worker:
        """Start a worker."""


def starter(database: Database, modules: Iterable[str]) -> Starter:
    """Return what starts workers of a log, each with these modules imported."""
    if can_fork():
        for module in modules:
            import_module(module)
        # A first connection imports the driver, which the workers then have too.
        with suppress(LogError), database.reading(checked=False):
            pass
        return _Forks(database)
    return _Interpreters(database.url.text, tuple(modules))


def can_fork() -> bool:
    """Return whether a forked child can use the log: no thread may hold a lock, nor a file."""
    with suppress(OSError):
        threads = len(list(Path("/proc/self/task").iterdir()))
        return sys.platform == "linux" and threads == 1 and not gate.is_used
    return False


class _Interpreters:
    is_quick = False

    def __init__(self, url: str, modules: tuple[str, ...]) -> None:
        self._url = url
        self._modules = modules

    def __call__(self) -> Worker:
        command = [sys.executable, "-P", "-c", _WORKER_PROGRAM]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        requests, responses = cast("tuple[IO[bytes], IO[bytes]]", (process.stdin, process.stdout))
        # If it has already ended, its first function reports that.
        with suppress(OSError):
            send((sys.path, self._url, self._modules), requests)
        return Worker(process, requests, responses)


class _Forks:
    is_quick = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._earlier: list[Worker] = []

    def __call__(self) -> Worker:
        theirs, ours = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            self._serve(theirs, ours)
        os.close(theirs[0])
        os.close(ours[1])
        child = _Child(process)
        worker = Worker(child, os.fdopen(theirs[1], "wb"), os.fdopen(ours[0], "rb"))
        self._earlier.append(worker)
        return worker

    def _serve(self, requests: tuple[int, int], responses: tuple[int, int]) -> NoReturn:
        """Be the worker until there are no more requests."""
        # Nothing of the parent is to run here: no handler, and nothing that it does at its exit.
        try:
            os.close(requests[1])
            os.close(responses[0])
            for worker in self._earlier:
                worker.close_pipes()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            serve(self._database, os.fdopen(requests[0], "rb"), os.fdopen(responses[1], "wb"))
        finally:
            os._exit(0)


class _Child:
    """A forked process, with the part of ``subprocess.Popen`` that is needed."""

    def __init__(self, process: int) -> None:
        self.pid = process
        self.returncode: int | None = None

    def kill(self) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            try:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:
                # The program ignores the end of its children.
                self.returncode = 0
        return self.returncode


def send(value: object, pipe: IO[bytes]) -> None:
    """Write a value to a pipe."""
    # Nothing is written of a value that cannot be.
    pipe.write(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    pipe.flush()


def serve_log(url: str, modules: Iterable[str]) -> None:
    """Be a worker in a new interpreter: answer requests until there are no more."""
    # Anything else printed must not be mixed with the responses.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for module in modules:
        import_module(module)
    from runreel.store.database import Database

    with closing(Database(url, create=False)) as database:
        serve(database, sys.stdin.buffer, responses)


def serve(database: Database, requests: IO[bytes], responses: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    # Ctrl-C reaches the whole process group; the main process then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is there stays, and looking through it would copy what a forked worker shares.
    gc.freeze()
    collect_less_often()
    _enlarge(requests)
    # The main process may have ended.
    with suppress(OSError):
        while (work := _received(requests)) is not None:
            _answer(database, work, requests, responses)


def _answer(database: Database, work: Work, requests: IO[bytes], responses: IO[bytes]) -> None:
    """Do the work and what follows on one connection, up to a failure."""
    try:
        with database.reading() as connection:
            send((work(connection), None), responses)
            while (more := _received(requests)) is not None:
                send((more(connection), None), responses)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - raised where the result is awaited
        send((None, error), responses)


def _received(requests: IO[bytes]) -> Work | None:
    """Return the next function; None at the end of the input, which may cut one off."""
    try:
        return cast("Work", pickle.load(requests))  # noqa: S301 - we wrote it
    except (EOFError, pickle.UnpicklingError):
        return None


def _enlarge(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), _SET_PIPE_SIZE, _PIPE_SIZE)
