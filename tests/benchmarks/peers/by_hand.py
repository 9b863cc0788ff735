"""What one would write oneself: a table of whole events and one of runs, with the bare driver."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import raw
from tests.benchmarks.bench import DURABILITIES, POSTGRES, SQLITE
from tests.benchmarks.page import Goal
from tests.benchmarks.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData

_EVENTS = "run_id text, seq bigint, kind text, value text, PRIMARY KEY (run_id, seq)"
_RUNS = "number bigint PRIMARY KEY, run_id text, status text"


class ByHand:
    """Two tables. A row for each event, with its JSON as it came; one more for each run."""

    def __init__(self, connection: Any, url: str) -> None:
        self._connection, self._url = connection, url
        self._mark = "%s" if raw.is_postgres(url) else "?"
        self._insert = raw.insert(url, "whole_events", 4)
        self._insert_run = raw.insert(url, "whole_runs", 3)
        self._run_id, self._seq, self._number = "", 0, 0
        connection.execute(f"CREATE TABLE whole_events ({_EVENTS})")
        connection.execute(f"CREATE TABLE whole_runs ({_RUNS})")

    def begin(self, run: RunData) -> None:
        self._run_id, self._seq, self._number = run.run_id, 0, self._number + 1
        self._connection.execute(self._insert_run, (self._number, run.run_id, "running"))

    def append(self, kind: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False)
        self._connection.execute(self._insert, (self._run_id, self._seq, kind, text))
        self._seq += 1

    def end(self) -> None:
        sql = f"UPDATE whole_runs SET status = 'done' WHERE number = {self._mark}"
        self._connection.execute(sql, (self._number,))

    def read(self, run_id: str) -> int:
        sql = f"SELECT value FROM whole_events WHERE run_id = {self._mark} ORDER BY seq"
        return len([json.loads(value) for (value,) in self._connection.execute(sql, (run_id,))])

    def latest(self, count: int) -> int:
        sql = f"SELECT * FROM whole_runs ORDER BY number DESC LIMIT {count}"
        return len(self._connection.execute(sql).fetchall())

    def size(self) -> int:
        return raw.size(self._url)


@contextmanager
def opened(url: str, durability: str) -> Iterator[ByHand]:
    with raw.connected(url, durability) as connection:
        yield ByHand(connection, url)


_HOW = (
    "is a minimal implementation with the bare driver: one row with the JSON of each event, and one"
    " row per run. No hash chain, no usage, no triggers."
)
_GOALS = {"full": Goal(at_least=0.8), "normal": Goal(at_least=0.7)}
PEERS = [
    Peer("sqlite3 by hand", None, SQLITE, _HOW, opened, DURABILITIES, goals=_GOALS),
    Peer("psycopg by hand", None, POSTGRES, _HOW, opened, DURABILITIES, goals={}),
]
