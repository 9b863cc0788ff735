"""``llm``: the log of its responses, which has the end of each alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import raw
from tests.benchmarks.bench import SQLITE
from tests.benchmarks.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData


class Log:
    """A run is a response of a model with a fixed answer."""

    def __init__(self, model: Any, database: Any, url: str) -> None:
        from llm.logs import LogStore, log_rows

        self._model, self._database, self._url = model, database, url
        self._store, self._rows = LogStore(database), log_rows
        self._threads: dict[str, str] = {}
        self._run: RunData | None = None

    def begin(self, run: RunData) -> None:
        self._run = run

    def append(self, kind: str, value: Any) -> None:  # noqa: ARG002 - it takes neither
        assert self._run is not None
        self._model.says = self._run.text
        response = self._model.prompt(f"What of {self._run.run_id}?")
        response.text()
        response.set_usage(input=12, output=8)
        response.log_to_db(self._database)
        self._threads[self._run.run_id] = response.id

    def end(self) -> None:
        pass

    def read(self, run_id: str) -> int:
        (row,) = self._rows(self._store, ids=[self._threads[run_id]])
        return len(self._store.thread_messages(row["conversation_id"]))

    def latest(self, count: int) -> int:
        return len(self._rows(self._store, count=count))

    def size(self) -> int:
        return raw.size(self._url)


@contextmanager
def opened(url: str, durability: str) -> Iterator[Log]:
    import llm
    import sqlite_utils
    from llm.migrations import migrate

    class FixedModel(llm.Model):
        model_id = "fixed"
        says = ""

        def execute(self, *_: Any, **__: Any) -> Iterator[str]:
            yield self.says

    database = sqlite_utils.Database(url)
    migrate(database)
    yield Log(FixedModel(), database, url)
    database.close()


PEER = Peer(
    "llm",
    "llm",
    SQLITE,
    "logs a response once it is over: its text and usage, in one commit, with SQLite's old journal,"
    " as durable as our `full`. It keeps none of the events, so we are given the end of each run"
    " alone, too.",
    opened,
    keeps=False,
)
