"""A pool without processes, for work whose result does not depend on where it is done."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from runreel.store.events import damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.database import Database


class Inline:
    """Stands for ``WorkerPool``: each part of work gets a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._in_snapshots = False

    def start(self, work: Callable[[Connection], Any]) -> Future[Any]:
        """Do the work."""
        done: Future[Any] = Future()
        try:
            with (
                self._database.reading(checked=False) as connection,
                damage.snapshot(connection) if self._in_snapshots else nullcontext(),
            ):
                done.set_result(work(connection))
        except Exception as error:  # noqa: BLE001 - raised where the result is awaited
            done.set_exception(error)
        return done

    def map(self, parts: Iterable[Callable[[Connection], Any]]) -> Iterator[Any]:
        """Do each part when its result is asked for."""
        for work in parts:
            yield self.start(work).result()

    def on_each(self, _: Callable[[Connection], object]) -> None:
        """Work is done in snapshots from now on, but in different ones."""
        self._in_snapshots = True
