"""Compares the projections of runs with those computed from the log."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.columns import RUNS
from runreel.model.errors import LogError
from runreel.model.finding import Finding
from runreel.model.run_keys import sort_keys
from runreel.model.runs import Difference
from runreel.projection import key_frames, run_mapper
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.store.events import damage, event_log
from runreel.store.projections import key_frame_table, run_prefetch, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.model.events import EventRow
    from runreel.model.run_keys import RunKey
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.projector import Row
    from runreel.projection.run_projection import Label, RunProjection, Texts
    from runreel.store.connection import Connection
    from runreel.store.projections.run_prefetch import StoredProjection

_SEQ = event_log.COLUMNS.index("seq")
_PROJECTED_SEQ = RUNS.index("projected_seq")
_seq = itemgetter(_SEQ)


class DamagedRun(LogError):
    """The log of a run is damaged at ``finding``; ``other_runs`` is the number of further ones."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, finding: Finding, *, other_runs: int = 0) -> None:
        self.finding = finding
        more = "; so is another run" * other_runs
        if other_runs > 1:
            more = f"; so are {other_runs} other runs"
        super().__init__(
            f"row {finding.seq} of run {finding.run_id} is damaged: {finding.detail}{more}"
        )


class RunComparison(NamedTuple):
    """The result of comparing one run with its log.

    ``expected`` is the row of ``runs``, ``labels``, ``keys``, ``texts`` and ``frames`` are those
    that a differing run should have; None and empty if nothing differs, or if it should have no
    projection. ``damage`` is set instead if the log is damaged.
    """

    run_id: str
    differences: Sequence[Difference] = ()
    expected: Row | None = None
    labels: Sequence[Label] = ()
    keys: Sequence[RunKey] = ()
    texts: Texts = ()
    frames: Sequence[KeyFrame] = ()
    damage: Finding | None = None


class ProjectionComparer:
    """Compares the stored projection of a run with that of its rows, which are applied in order.

    A stored projection may lag behind the log, but only by events that do not change it.
    """

    __slots__ = (
        *("_last_change_at", "_projection_then", "_projector"),
        *("_frames", "_stored", "_stored_seq"),
    )

    def __init__(self, run_id: str, stored: StoredProjection) -> None:
        self._projector = RunProjector(run_id, frames=KeyFrames())
        self._stored = stored
        self._stored_seq = -1 if stored.row is None else stored.row[_PROJECTED_SEQ]
        self._frames: list[KeyFrame] = []
        self._last_change_at = -1
        self._projection_then: RunProjection | None = None

    def apply_rows(self, rows: Sequence[Row]) -> None:
        """Apply the next rows; see ``RunProjector.apply_rows``.

        Raises:
            DamagedRow: if one is damaged.
        """
        if self._stored.row is not None:
            if rows[-1][_SEQ] == self._stored_seq:
                # The usual case: the stored projection is that of the last row.
                end = len(rows)
            else:
                end = bisect_right(rows, self._stored_seq, key=_seq)
            if end:
                self._apply(rows[:end])
                if rows[end - 1][_SEQ] == self._stored_seq:
                    self._projection_then = self._projector.projection()
                rows = rows[end:]
        if rows:
            self._apply(rows)

    def compare(self, frames: Sequence[KeyFrame] | None = None) -> RunComparison:
        """Compare the stored projection with that of the rows applied so far.

        ``frames`` are the stored key-frames up to the last row if they were read again.
        """
        if frames is not None:
            self._stored = self._stored._replace(frames=frames)
        run_id, found = self._projector.run_id, list(self.differences())
        if not found or not self._has_projection:
            return RunComparison(run_id, found)
        projected = self._projector.projection()
        labels = run_mapper.label_rows(projected.summary)
        row = run_mapper.to_row(projected)
        keys, texts = sort_keys(projected.keys), projected.texts or ()
        return RunComparison(run_id, found, row, labels, keys, texts, self._taken())

    @property
    def last_seq(self) -> int:
        """The last row applied, -1 if there is none."""
        return self._projector.state.last_seq

    def _taken(self) -> list[KeyFrame]:
        """Return the key-frames of the rows applied so far."""
        self._frames += self._projector.drain_frames()
        return self._frames

    def _differing_frames(self) -> Iterator[Difference]:
        """Yield the first difference between the stored key-frames and those of the rows."""
        taken = self._taken()
        if not taken and not self._stored.frames:
            return
        stored = {frame.seq: key_frames.content(frame) for frame in self._stored.frames}
        expected = {frame.seq: key_frames.content(frame) for frame in taken}
        wrong = [seq for seq in stored | expected if stored.get(seq) != expected.get(seq)]
        if wrong:
            seq = min(wrong)
            both = seq in stored and seq in expected
            values = f"{'another' if both else 'a'} state after row {seq}", f"that after row {seq}"
            known = seq in stored, seq in expected
            yield Difference(
                self._projector.run_id,
                "key_frames",
                *(value if there else None for value, there in zip(values, known, strict=True)),
            )

    def differences(self) -> Iterator[Difference]:
        """Yield the differences between the stored projection and that of the rows applied."""
        run_id, (row, labels, keys, texts, frames) = self._projector.run_id, self._stored
        if not self._has_projection:
            if row or labels or keys or texts or frames:
                stored = row and run_mapper.as_dict(row)
                found = stored or labels or _listed(keys) or text_table.summary(texts)
                yield Difference(run_id, "*", found or "key-frames", None)
        elif row is None:
            yield Difference(run_id, "*", None, "a row")
        else:
            expected = self._expected()
            for wrong in run_mapper.differing_columns(row, expected):
                yield Difference(run_id, *wrong)
            expected_labels = run_mapper.label_rows(expected.summary)
            # SQLite may store a number with another type, which compares equal in Python.
            if repr(labels) != repr(expected_labels):
                yield Difference(run_id, "labels", labels, expected_labels)
            expected_keys = sort_keys(expected.keys)
            if repr(keys) != repr(expected_keys):
                yield Difference(run_id, "keys", _listed(keys), _listed(expected_keys))
            expected_texts = expected.texts or ()
            if texts != expected_texts:
                summaries = map(text_table.summary, (texts, expected_texts))
                yield Difference(run_id, "texts", *summaries)
            yield from self._differing_frames()

    def _expected(self) -> RunProjection:
        if self._projection_then is not None and self._stored_seq >= self._last_change_at:
            return self._projection_then
        return self._projector.projection()

    def _apply(self, rows: Sequence[Row]) -> None:
        self._last_change_at = max(self._last_change_at, self._projector.apply_rows(rows))

    @property
    def _has_projection(self) -> bool:
        state = self._projector.state
        return state.last_seq >= 0 and state.has_projection


def _listed(keys: list[RunKey]) -> list[tuple[object, ...]]:
    return [tuple(key) for key in keys]


def compare_runs(connection: Connection, run_ids: Sequence[str]) -> list[RunComparison]:
    """Compare neighbouring runs of the log; a damaged one is reported with its ``damage``.

    Runs that differ are compared again if another process has changed them meanwhile.
    """
    stored = run_prefetch.stored_projections(connection, run_ids)
    comparers = {run_id: ProjectionComparer(run_id, stored[run_id]) for run_id in run_ids}
    try:
        _compare_rows(connection, comparers)
    except DamagedRun as error:
        if len(run_ids) == 1:
            return [RunComparison(run_ids[0], damage=error.finding)]
        # Compare one by one, so that a damaged run does not affect the others.
        return [run for run_id in run_ids for run in compare_runs(connection, [run_id])]
    found = {run_id: comparer.compare() for run_id, comparer in comparers.items()}
    wrong = [run_id for run_id, run in found.items() if run.differences]
    current_rows = run_prefetch.rows_of(connection, wrong) if wrong else {}
    for run_id in wrong:
        if current_rows.get(run_id) != stored[run_id].row:
            (found[run_id],) = compare_runs(connection, [run_id])
        elif any(one.column == "key_frames" for one in found[run_id].differences):
            frames = _frames_of(connection, run_id, comparers[run_id].last_seq)
            found[run_id] = comparers[run_id].compare(frames)
    return list(found.values())


def _frames_of(connection: Connection, run_id: str, last_seq: int) -> list[KeyFrame]:
    """Return the stored key-frames of a run, without those of rows added after ``last_seq``.

    They are stored with their rows: read after these, none is missing.
    """
    frames = key_frame_table.of_runs(connection, [run_id]).get(run_id, [])
    head = event_log.last_position(connection, run_id)
    return [frame for frame in frames if frame.seq <= last_seq or frame.seq > head]


def _compare_rows(connection: Connection, comparers: dict[str, ProjectionComparer]) -> None:
    """Apply the rows of all runs to their comparers.

    Raises:
        DamagedRun: if a row is damaged, or cannot be read.
    """
    run_id, seq = min(comparers), -1
    try:
        for run_id, rows in event_log.read_range(connection, min(comparers), max(comparers)):
            seq = _seq(rows[-1])
            # The range may contain runs that were added meanwhile.
            if run_id in comparers:
                comparers[run_id].apply_rows(rows)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def for_each_row(connection: Connection, run_id: str, apply: Callable[[EventRow], object]) -> None:
    """Call ``apply`` with each row of a run, in order.

    Raises:
        DamagedRun: if ``apply`` raises DamagedRow, or a row cannot be read.
    """
    seq = -1
    try:
        for row in event_log.read(connection, run_id):
            seq = row.seq
            apply(row)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def _damaged(run_id: str, seq: int, error: Exception) -> DamagedRun:
    """Convert an error after row ``seq`` to DamagedRun; raises it again if it is no damage."""
    if isinstance(error, DamagedRow):
        reason = str(error.__cause__ or error)
        return DamagedRun(Finding(run_id, error.row.seq, "damaged", reason))
    detail = f"what comes after row {seq} cannot be read: {damage.require_reason(error)}"
    return DamagedRun(Finding(run_id, seq + 1, "unreadable", detail))
