"""Both databases for every test of the store, the work and the doors."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import tempfile
import threading
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import runreel
from runreel.recording.group_commit import Committer
from runreel.store.database import Database
from runreel.system import wall_clock
from tests import postgres
from tests.postgres import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.postgres import Server

BACKENDS = ("sqlite", "postgresql")
# The third kind, for tests that ask for it: Postgres with a log in so many partitions.
PARTITIONED, PARTITIONS = "partitioned", 4
_SERVED = ("postgresql", PARTITIONED)
# The fixtures that make a log for a module, of the kind that is their parameter.
_SHARED = ("shared_url", "second_url")

# However slow the machine is just now. Every run draws others, so few for each are enough.
settings.register_profile(
    "patient", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

# How many bytes must be free in a file system in memory.
_MEMORY_FREE = 6 * 2**30


def pytest_configure() -> None:
    """Prepare the process, before the workers of pytest-xdist inherit its environment."""
    _take_signals()
    _keep_temporary_files_in_memory()
    # Hundreds of programs import the same modules: each would compile them again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _take_signals() -> None:
    """Take signals also where a shell runs pytest in the background.

    Such a shell ignores SIGINT, and nohup SIGHUP; children inherit what is ignored, no handlers.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


def _keep_temporary_files_in_memory() -> None:
    """Use a file system in memory, if there is a large one and nobody asks for another.

    Most tests commit a few times to a new log: on a disk they wait for it longer than they compute.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(MEMORY).free >= _MEMORY_FREE:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a parameter of binary data by its argument.

    Packed data holds the time of packing: workers that collect in different seconds would
    otherwise name the same test differently, and pytest-xdist refuses that.
    """
    binary = isinstance(val, bytes) and not val.decode("latin-1").isprintable()
    return argname if binary else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a Postgres server, and what needs a browser."""
    fixtures = getattr(item, "fixturenames", ())
    kinds = _kinds(item, ("backend", *_SHARED))
    if "postgres_server" in fixtures or any(kind in _SERVED for kind in kinds):
        item.add_marker("postgres")
    if "chromium" in fixtures:
        item.add_marker("browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep apart, in a module, the tests of each shared log.

    The order is random otherwise. A log that a module shares would be made again at each change
    from one kind to the other.
    """
    modules = groupby(items, key=lambda item: item.getparent(pytest.Module))
    items[:] = [
        item
        for _, of_module in modules
        for item in sorted(of_module, key=lambda item: _kinds(item, _SHARED))
    ]


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of each later search for garbage.

    Tests search for what a program has dropped; modules and thousands of tests are most of what
    they would look at each time.
    """
    gc.collect()
    gc.freeze()


def _kinds(item: pytest.Item, fixtures: tuple[str, ...]) -> list[str]:
    callspec = getattr(item, "callspec", None)
    return [] if callspec is None else [str(callspec.params.get(name, "")) for name in fixtures]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A real server: the one of RUNREEL_TEST_POSTGRES_URL, else one that is started here."""
    with postgres.serving() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Server) -> str:
    """Where the server is."""
    return postgres_server.url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    with postgres_server.template(None) as name:
        yield name


@pytest.fixture(scope="session")
def partitioned_template(postgres_server: Server) -> Iterator[str]:
    """The same with a log in partitions."""
    with postgres_server.template(PARTITIONS) as name:
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "log.db"
    database = Database(str(path))
    database.upgrade()
    database.close()
    return path


@pytest.fixture
def empty_postgres(postgres_server: Server) -> Iterator[str]:
    """A Postgres database with nothing in it."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def db_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A log with nothing in it yet, ready to be written."""
    with new_log(backend, tmp_path, request) as url:
        yield url


@pytest.fixture(scope="module", params=BACKENDS)
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A log that the tests of a module share: each leaves it as it was."""
    with new_log(request.param, tmp_path_factory.mktemp("shared"), request) as url:
        yield url


@pytest.fixture(scope="module", params=BACKENDS)
def second_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Another log that the tests of a module share, with other runs than ``shared_url``."""
    with new_log(request.param, tmp_path_factory.mktemp("second"), request) as url:
        yield url


@contextlib.contextmanager
def new_log(backend: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A log with nothing in it yet, of this kind."""
    if backend == "sqlite":
        yield str(shutil.copy(request.getfixturevalue("sqlite_template"), folder / "log.db"))
        return
    server: Server = request.getfixturevalue("postgres_server")
    kind = "partitioned" if backend == PARTITIONED else "postgres"
    template: str = request.getfixturevalue(f"{kind}_template")
    with server.database(template) as url:
        yield url


@pytest.fixture
def reel(db_url: str) -> Iterator[Reel]:
    """A reel on an empty log."""
    with runreel.open(db_url) as opened:
        yield opened


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """``clock_at(moment)``: from then on it is this time for commands and queries of this process.

    What a test says about a day or month holds only so: midnight may be between any two lines.
    """
    return lambda moment: monkeypatch.setattr(wall_clock, "now", lambda: moment)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that read the log or wait for a commit, from now on."""
    found: set[int] = set()
    reading, commit_all = Database.reading, Committer.commit_all

    def watched_reading(database, **more):
        found.add(threading.get_ident())
        return reading(database, **more)

    def watched_commit(committer, units):
        found.add(threading.get_ident())
        return commit_all(committer, units)

    monkeypatch.setattr(Database, "reading", watched_reading)
    monkeypatch.setattr(Committer, "commit_all", watched_commit)
    return found
