"""Verification of one run: its hash chain and its projection together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.finding import Finding
from runreel.projection.chain_verifier import ChainVerifier
from runreel.projection.projector import DamagedRow
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.rebuild.comparison import ProjectionComparer
    from runreel.store.connection import Connection
    from runreel.store.events.full_scan import Row, Unreadable

_MAX_VALUE_LENGTH = 60


class RunVerifier:
    """Verification of one run: its hash chain, its projection and the findings so far.

    ``run_id`` is None if it is damaged: it may then have any type, or be invalid UTF-8.
    ``comparer`` is None once the projection cannot be compared.
    """

    __slots__ = (
        *("_connection", "_intact", "_masks", "_name", "_verifier"),
        *("comparer", "found", "run_id"),
    )

    def __init__(self, connection: Connection, run_id: object) -> None:
        self._connection = connection
        self._name = _name(run_id)
        self.run_id = self._name if self._name == run_id else None
        # Read at the first erased payload.
        self._masks: dict[int, str] | None = None
        self._intact = True
        self.found: list[Finding] = []
        self.comparer: ProjectionComparer | None = None
        self._verifier = (
            None if self.run_id is None else ChainVerifier(self.run_id, self.add_finding)
        )

    def add_unreadable_projection(self, reason: str) -> None:
        """Add the finding that the stored projection cannot be read."""
        self.add_finding(None, "projection", f"cannot be read: {reason}")

    def add_finding(self, seq: object, what: str, detail: str) -> None:
        """Add a finding."""
        self._intact = False
        position = seq if type(seq) is int else None
        self.found.append(Finding(self._name, position, what, detail))

    def check_rows(self, rows: list[Row]) -> None:
        """Verify the next rows; any problem in them becomes a finding, never an exception."""
        if self._verifier is None:
            for row in rows:
                self.add_finding(row[1], "column", "run_id is not text")
            return
        failure = self._apply_rows(rows)
        if failure is None:
            self._check_chain(self._verifier, rows)
            return
        for row in rows:
            self._check_chain(self._verifier, [row])
            if row[1] == failure[0]:
                self._add_damage(*failure)
        if failure[0] is None:
            self._add_damage(*failure)

    def _check_chain(self, verifier: ChainVerifier, rows: Sequence[Row]) -> None:
        for _, row in verifier.suspects(rows):
            before = len(self.found)
            try:
                verifier.check(row)
            except Exception as error:  # noqa: BLE001 - columns may hold anything
                verifier.skip_row(row)
                if len(self.found) == before:
                    self.add_finding(row[1], "column", f"invalid value: {_short(error)}")

    def _apply_rows(self, rows: list[Row]) -> tuple[object, BaseException] | None:
        """Apply rows to the expected projection; return the failing row's position and the error.

        None if all were applied. The position is None if the failing row is not known.
        """
        if self.comparer is None:
            return None
        try:
            self.comparer.apply_rows(event_log.with_masked_payloads(rows, self._masked_payloads))
        except DamagedRow as error:
            self.comparer = None
            return error.row.seq, error.__cause__ or error
        except Exception as error:  # noqa: BLE001 - columns may hold anything
            self.comparer = None
            return None, error
        return None

    def _masked_payloads(self) -> dict[int, str]:
        if self._masks is None:
            self._masks = event_log.masked_payloads(self._connection, str(self.run_id))
        return self._masks

    def stop(self, row: Unreadable) -> None:
        """Report that the rest of the run, or of the log, cannot be read."""
        self._verifier = self.comparer = None
        what = "the rest of the log" if row.run_id is None else "the rest of the run"
        self.add_finding(row.seq, "unreadable", f"{what} cannot be read: {row.reason}")

    def end(self) -> None:
        """Finish the chain and compare the projection, after the last row."""
        if self._verifier is not None:
            self._verifier.end()
        if self.comparer is None:
            return
        try:
            for wrong in self.comparer.differences():
                stored, expected = _short(wrong.stored), _short(wrong.rebuilt)
                detail = f"{wrong.column} is {stored}, but {expected} according to the log"
                self.add_finding(None, "projection", detail)
        except Exception as error:  # noqa: BLE001 - columns may hold anything
            self._add_damage(None, error)

    def _add_damage(self, seq: object, error: BaseException) -> None:
        # A row that is already reported as changed may well be undecodable: one finding is enough.
        if self._intact:
            self.add_finding(seq, "damaged", f"cannot be decoded: {_short(error)}")


def _name(run_id: object) -> str | None:
    if not isinstance(run_id, str):
        return None if run_id is None else repr(run_id)
    if run_id.isascii():
        return run_id
    return run_id.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, BaseException) else repr(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[:_MAX_VALUE_LENGTH] + "…"
