"""Verification of one run: its hash chain and its projection together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.audit.chain_verifier import ChainVerifier
from runreel.model.finding import Finding
from runreel.projection.projector import DamagedRow
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.rebuild.comparison import ProjectionComparer
    from runreel.store.events.full_scan import Row, Unreadable

_MAX_VALUE_LENGTH = 60


class RunVerifier:
    """Verification of one run: its hash chain, its projection and the findings so far.

    ``verifier`` or ``comparer`` is None once its part cannot be continued.
    """

    __slots__ = ("_intact", "_masks", "_name", "_read_masks", "comparer", "found", "verifier")

    def __init__(self, run_id: Any, read_masks: Callable[[], dict[int, str]]) -> None:
        self._name = _name(run_id)
        # Read at the first erased payload.
        self._read_masks = read_masks
        self._masks: dict[int, str] | None = None
        self._intact = True
        self.found: list[Finding] = []
        self.comparer: ProjectionComparer | None = None
        # A damaged id may have any type, or be invalid UTF-8.
        valid = isinstance(run_id, str) and self._name == run_id
        self.verifier = ChainVerifier(run_id, self.add_finding) if valid else None

    def add_finding(self, seq: Any, what: str, detail: str) -> None:
        """Add a finding."""
        self._intact = False
        position = seq if type(seq) is int else None
        self.found.append(Finding(self._name, position, what, detail))

    def check_rows(self, rows: list[Row]) -> None:
        """Verify the next rows; any problem in them becomes a finding, never an exception."""
        if self.verifier is None:
            for row in rows:
                self.add_finding(row[1], "column", "run_id is not text")
            return
        failure = self._apply_rows(rows)
        if failure is None:
            self._check_chain(self.verifier, rows)
            return
        for row in rows:
            self._check_chain(self.verifier, [row])
            if row[1] == failure[0]:
                self._add_damage(*failure)
        if failure[0] is None:
            self._add_damage(*failure)

    def _check_chain(self, verifier: ChainVerifier, rows: Iterable[Row]) -> None:
        check, found = verifier.check, self.found
        for row in rows:
            before = len(found)
            try:
                check(row)
            except Exception as error:  # noqa: BLE001 - columns may hold anything
                verifier.skip_row(row)
                if len(found) == before:
                    self.add_finding(row[1], "column", f"invalid value: {_short(error)}")

    def _apply_rows(self, rows: list[Row]) -> tuple[Any, BaseException] | None:
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
            self._masks = self._read_masks()
        return self._masks

    def stop(self, row: Unreadable) -> None:
        """Report that the rest of the run, or of the log, cannot be read."""
        self.verifier = self.comparer = None
        what = "the rest of the log" if row.run_id is None else "the rest of the run"
        self.add_finding(row.seq, "unreadable", f"{what} cannot be read: {row.reason}")

    def end(self) -> None:
        """Finish the chain and compare the projection, after the last row."""
        if self.verifier is not None:
            self.verifier.end()
        if self.comparer is None:
            return
        try:
            for wrong in self.comparer.compare().differences:
                stored, expected = _short(wrong.stored), _short(wrong.rebuilt)
                detail = f"{wrong.column} is {stored}, but {expected} according to the log"
                self.add_finding(None, "projection", detail)
        except Exception as error:  # noqa: BLE001 - columns may hold anything
            self._add_damage(None, error)

    def _add_damage(self, seq: Any, error: BaseException) -> None:
        # A row that is already reported as changed may well be undecodable: one finding is enough.
        if self._intact:
            self.add_finding(seq, "damaged", f"cannot be decoded: {_short(error)}")


def _name(run_id: Any) -> str | None:
    if not isinstance(run_id, str):
        return None if run_id is None else repr(run_id)
    return run_id.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, BaseException) else repr(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[:_MAX_VALUE_LENGTH] + "…"
