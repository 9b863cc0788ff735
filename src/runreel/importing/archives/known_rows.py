"""The events of a run that the log has, by the identity that their archive gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import RunPruned, SourceMismatch
from runreel.model.events import NOTE
from runreel.projection.projector import RunProjector
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.recording.deduplication import fingerprint
from runreel.sources.archives.lines import identity_of
from runreel.store.events import event_log

if TYPE_CHECKING:
    from runreel.store.connection import Connection

Identity = str | bytes


class KnownRows:
    """The identities of a run's events, each with its place among them.

    An event whose content is erased has none: it is the one after the last that was matched.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._places: dict[Identity, int] = {}
        self._erased: set[int] = set()
        self._count = 0
        self._last = -1

    @classmethod
    def read(cls, connection: Connection, run_id: str, source: str) -> KnownRows:
        """Return those of a run in the log.

        Raises:
            RunPruned: if the run was pruned.
            SourceMismatch: if the log has the run from another source.
        """
        known, projector = cls(source), RunProjector(run_id)
        for row in event_log.read(connection, run_id):
            if is_tombstone(row):
                raise RunPruned(pruned_message(row))
            value = projector.apply(row).value
            if projector.state.source != source:
                raise SourceMismatch(
                    f"run {run_id} is recorded from {projector.state.source}, not from {source}"
                )
            if row.kind == NOTE:
                continue
            identity = identity_of(source, value, known._count)
            if value is None and identity is None:
                known._erased.add(known._count)
                known._count += 1
            else:
                known.add(identity, row.kind, value)
        known._last = -1
        return known

    def add(self, identity: str | None, kind: str, value: object) -> None:
        """Add an event that was stored."""
        self._places[identity or fingerprint(kind, value)] = self._count
        self._last = self._count
        self._count += 1

    def has(self, identity: str | None, kind: str, value: object) -> bool:
        """Return whether the log has an event already."""
        place = self._places.get(identity or fingerprint(kind, value))
        if place is None and self._last + 1 in self._erased:
            place = self._last + 1
        if place is None:
            return False
        self._last = place
        return True
