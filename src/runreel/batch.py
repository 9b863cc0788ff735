"""Many recorders' rows in one transaction: how an import commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.store import event_log
from runreel.store.connection import GiveUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.recorder import Recorder
    from runreel.store.database import Database
    from runreel.words.log import EventRow

ROWS = 1_000


class Batch:
    """Holds rows back until there are ``size`` of them, then commits them all at once."""

    def __init__(self, database: Database, size: int = ROWS) -> None:
        self._database = database
        self._size = size
        self._rows: list[EventRow] = []
        self._redo: list[Callable[[], object]] = []
        self._recorders: dict[str, Recorder] = {}

    def add(
        self, recorder: Recorder, rows: list[EventRow], redo: Callable[[], object] | None
    ) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        self._rows += rows
        self._recorders[recorder.run_id] = recorder
        if redo is not None:
            self._redo.append(redo)

    @property
    def full(self) -> bool:
        """Whether it is time to flush."""
        return len(self._rows) >= self._size

    def flush(self) -> None:
        """Commit what is held.

        Raises:
            LogError: if the database does not take it; nothing of the batch is stored then.
        """
        rows, redo, recorders = self._rows, self._redo, self._recorders
        self._rows, self._redo, self._recorders = [], [], {}
        if rows and not self._stored(rows, recorders):
            # Somebody else records one of these runs: each event by itself then.
            for recorder in recorders.values():
                recorder.batch = None
                recorder.opened = False
                recorder.reload()
            for again in redo:
                again()

    def _stored(self, rows: list[EventRow], recorders: dict[str, Recorder]) -> bool:
        stored = False
        with self._database.writing() as connection, connection.transaction():
            stored = event_log.append(connection, rows, durable=self._database.durable)
            if not stored:
                raise GiveUp
            for recorder in recorders.values():
                if recorder.owes_projection:
                    recorder.save_projection(connection)
        return stored
