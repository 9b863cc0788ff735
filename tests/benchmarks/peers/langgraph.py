"""``langgraph-checkpoint-sqlite``: a checkpoint for each event, in a thread for each run."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import raw
from tests.benchmarks.bench import SQLITE
from tests.benchmarks.peers import AS_FAST, Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData


class Saver:
    """The event is the one channel of its checkpoint."""

    def __init__(self, saver: Any, url: str) -> None:
        from langgraph.checkpoint.base import empty_checkpoint

        self._saver, self._url, self._empty = saver, url, empty_checkpoint
        self._config: Any = {}
        self._step = 0

    def begin(self, run: RunData) -> None:
        self._config = {"configurable": {"thread_id": run.run_id, "checkpoint_ns": ""}}
        self._step = 0

    def append(self, kind: str, value: Any) -> None:
        checkpoint = self._empty()
        checkpoint["channel_values"] = {kind: value}
        metadata = {"source": "loop", "step": self._step, "parents": {}}
        self._config = self._saver.put(self._config, checkpoint, metadata, {})
        self._step += 1

    def end(self) -> None:
        pass

    def read(self, run_id: str) -> int:
        config = {"configurable": {"thread_id": run_id}}
        return len([one.checkpoint["channel_values"] for one in self._saver.list(config)])

    def latest(self, count: int) -> int:
        """There is no list of threads: checkpoints, the newest first, until there are enough."""
        seen = set()
        for one in self._saver.list(None):
            seen.add(one.config["configurable"]["thread_id"])
            if len(seen) == count:
                break
        return len(seen)

    def size(self) -> int:
        return raw.size(self._url)


@contextmanager
def opened(url: str, durability: str) -> Iterator[Saver]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    connection = sqlite3.connect(url, check_same_thread=False)
    connection.execute(f"PRAGMA synchronous = {durability}")
    saver = SqliteSaver(connection)
    saver.setup()
    yield Saver(saver, url)
    connection.close()


PEER = Peer(
    "langgraph-checkpoint-sqlite",
    "langgraph-checkpoint-sqlite",
    SQLITE,
    "puts a checkpoint for each event, with the event as its one channel, in a thread for each"
    " run. It has the connection that it is given: SQLite's default is our `full`.",
    opened,
    ("full", "normal"),
    goals=AS_FAST,
)
