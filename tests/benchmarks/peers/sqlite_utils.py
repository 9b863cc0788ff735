"""``sqlite-utils``: rows of whole events, inserted one by one."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import raw
from tests.benchmarks.bench import SQLITE
from tests.benchmarks.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData


class Tables:
    """A table of events, whose values it spells as JSON, and one of runs."""

    def __init__(self, database: Any, url: str) -> None:
        self._database, self._url = database, url
        self._run_id, self._seq, self._number = "", 0, 0

    def begin(self, run: RunData) -> None:
        self._run_id, self._seq, self._number = run.run_id, 0, self._number + 1
        row = {"number": self._number, "run_id": run.run_id, "status": "running"}
        self._database["runs"].insert(row, pk="number")

    def append(self, kind: str, value: Any) -> None:
        row = {"run_id": self._run_id, "seq": self._seq, "kind": kind, "value": value}
        self._database["events"].insert(row, pk=("run_id", "seq"))
        self._seq += 1

    def end(self) -> None:
        self._database["runs"].update(self._number, {"status": "done"})

    def add(self, run_id: str, events: list[tuple[str, Any]]) -> None:
        rows = (
            {"run_id": run_id, "seq": seq, "kind": kind, "value": value}
            for seq, (kind, value) in enumerate(events)
        )
        self._database["events"].insert_all(rows, pk=("run_id", "seq"))

    def read(self, run_id: str) -> int:
        rows = self._database["events"].rows_where("run_id = ?", [run_id], order_by="seq")
        return len([json.loads(row["value"]) for row in rows])

    def latest(self, count: int) -> int:
        return len(list(self._database["runs"].rows_where(order_by="number desc", limit=count)))

    def size(self) -> int:
        return raw.size(self._url)


@contextmanager
def opened(url: str, durability: str) -> Iterator[Tables]:
    import sqlite_utils

    database = sqlite_utils.Database(url)
    if durability != "full":
        database.enable_wal()
        database.conn.execute(f"PRAGMA synchronous = {durability}")
    yield Tables(database, url)
    database.close()


PEER = Peer(
    "sqlite-utils",
    "sqlite-utils",
    SQLITE,
    "inserts a dictionary for each event and spells its value as JSON. By default SQLite keeps its"
    " old journal, as durable as our `full`; for `normal` it is switched to the write-ahead log.",
    opened,
    ("full", "normal"),
    bulk=True,
)
