"""``eventsourcing``: its application recorders, below its aggregates."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from tests.benchmarks import raw
from tests.benchmarks.bench import POSTGRES, SQLITE
from tests.benchmarks.peers import AS_FAST, Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.workload import RunData

_PAGE = 200


class Recorder:
    """Each event is one stored event of an originator named after its run."""

    def __init__(self, recorder: Any, url: str) -> None:
        from eventsourcing.persistence import StoredEvent

        self._event, self._recorder, self._url = StoredEvent, recorder, url
        self._originator, self._version = uuid.UUID(int=0), 0

    def begin(self, run: RunData) -> None:
        self._originator, self._version = _named(run.run_id), 0

    def append(self, kind: str, value: Any) -> None:
        self._version += 1
        state = json.dumps(value, ensure_ascii=False).encode()
        event = self._event(self._originator, self._version, kind, state)
        self._recorder.insert_events([event])

    def end(self) -> None:
        pass

    def add(self, run_id: str, events: list[tuple[str, Any]]) -> None:
        originator = _named(run_id)
        stored = [
            self._event(originator, version, kind, json.dumps(value, ensure_ascii=False).encode())
            for version, (kind, value) in enumerate(events, 1)
        ]
        self._recorder.insert_events(stored)

    def read(self, run_id: str) -> int:
        found = self._recorder.select_events(_named(run_id))
        return len([json.loads(bytes(event.state)) for event in found])

    def latest(self, count: int) -> int:
        """There is no list of originators: its log from the end, until there are enough."""
        seen: dict[Any, None] = {}
        stop = self._recorder.max_notification_id() or 0
        while stop > 0 and len(seen) < count:
            start = max(1, stop - _PAGE + 1)
            found = self._recorder.select_notifications(start=start, limit=_PAGE, stop=stop)
            seen.update(dict.fromkeys(event.originator_id for event in reversed(found)))
            stop = start - 1
        return min(len(seen), count)

    def size(self) -> int:
        return raw.size(self._url)


def _named(run_id: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, run_id)


@contextmanager
def _factory(settings: dict[str, str]) -> Iterator[Any]:
    from eventsourcing.persistence import InfrastructureFactory
    from eventsourcing.utils import Environment

    factory: Any = InfrastructureFactory.construct(Environment("", settings))
    try:
        yield factory
    finally:
        factory.close()


@contextmanager
def on_sqlite(url: str, durability: str) -> Iterator[Recorder]:
    module = "eventsourcing.sqlite"
    with _factory({"PERSISTENCE_MODULE": module, "SQLITE_DBNAME": url}) as factory:
        recorder = factory.application_recorder()
        if durability != "full":
            # No setting of its own: one thread is given one connection, again and again.
            with factory.datastore.get_connection(commit=True) as connection:
                connection.cursor().execute(f"PRAGMA synchronous = {durability}")
        yield Recorder(recorder, url)


@contextmanager
def on_postgres(url: str, durability: str) -> Iterator[Recorder]:
    parts = conninfo_to_dict(url)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password") or "none"),
    }
    with _factory(settings) as factory:
        yield Recorder(factory.application_recorder(), url)


_HOW = (
    "is given each event as one `StoredEvent` of its application recorder, below its aggregates,"
    " which would cost more. Its default is as durable as our `full`"
)
PEERS = [
    Peer(
        "eventsourcing",
        "eventsourcing",
        SQLITE,
        f"{_HOW}; for `normal`, the SQLite pragma is set on its connection.",
        on_sqlite,
        ("full", "normal"),
        bulk=True,
        goals=AS_FAST,
    ),
    Peer("eventsourcing", "eventsourcing", POSTGRES, f"{_HOW}.", on_postgres, bulk=True),
]
