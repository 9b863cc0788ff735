"""``mlflow`` tracing: a span for each run, with the events in it."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import raw
from tests.benchmarks.bench import SQLITE
from tests.benchmarks.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData

_SETTINGS = {
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class Traces:
    """Events wait in memory until their span ends."""

    def __init__(self, mlflow: Any, url: str) -> None:
        from mlflow.entities import SpanEvent

        self._mlflow, self._event, self._url = mlflow, SpanEvent, url
        self._span: Any = None
        self._traces: dict[str, str] = {}

    def begin(self, run: RunData) -> None:
        self._span = self._mlflow.start_span_no_context(run.run_id)
        self._traces[run.run_id] = self._span.trace_id

    def append(self, kind: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False)
        self._span.add_event(self._event(kind, attributes={"value": text}))

    def end(self) -> None:
        self._span.end()

    def read(self, run_id: str) -> int:
        (span,) = self._mlflow.get_trace(self._traces[run_id]).data.spans
        return len([json.loads(event.attributes["value"]) for event in span.events])

    def latest(self, count: int) -> int:
        return len(
            self._mlflow.search_traces(max_results=count, include_spans=False, return_type="list")
        )

    def size(self) -> int:
        return raw.size(self._url)


@contextmanager
def opened(url: str, durability: str) -> Iterator[Traces]:
    os.environ.update(_SETTINGS)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(f"sqlite:///{url}")
    mlflow.set_experiment("runs")
    yield Traces(mlflow, url)


PEER = Peer(
    "mlflow",
    "mlflow-skinny",
    SQLITE,
    "(tracing) has a span for each run with the events in it, exported as the span ends: one commit"
    " for a run, with SQLite's old journal, as durable as our `full`. A crash loses the run.",
    opened,
    commits=False,
)
