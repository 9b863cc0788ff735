"""The projections against the log: compared with it run by run, and made anew from it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.projector import Fold
from runreel.rules.ids import check_asked_id
from runreel.store import (
    event_log,
    integrity,
    known_runs,
    read_models,
    rollup_check,
    rollups,
    schema,
    staging,
)
from runreel.words.audit import Finding
from runreel.words.errors import LogError, RunNotFound
from runreel.words.log import Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from runreel.store.connection import Connection
    from runreel.store.read_models import Label, Projected
    from runreel.store.rollups import Counted, Move, Wrong
    from runreel.words.log import EventRow

    Progress = Callable[[int, int], None]
    # What happens to a run whose log is damaged; it is left as it is.
    OnDamage = Callable[[Finding], None]
    # What looks at runs, one after the other or several at once; the answers are in order.
    Look = Callable[[Iterable[str]], Iterator["Examined"]]


class DamagedRun(LogError):
    """A run's log is damaged: ``finding`` says where; so are so many ``others``."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, finding: Finding, *, others: int = 0) -> None:
        self.finding = finding
        more = f"; so are {others} other runs" if others > 1 else "; so is another run" * others
        super().__init__(
            f"row {finding.seq} of run {finding.run_id} is damaged: {finding.detail}{more}"
        )


class Examined(NamedTuple):
    """A run beside its log: what differs, what the projections are to hold, or what is damaged."""

    run_id: str
    differences: list[Difference]
    projected: Projected | None
    damage: Finding | None


class Beside:
    """The fold of a run, moved along its rows, beside what the projections say of the run.

    Their row may lag behind the log by events that a list does not show, and by no others.
    """

    __slots__ = ("_fold", "_labels", "_owed", "_seq", "_stored", "_then")

    def __init__(self, fold: Fold, stored: dict[str, Any] | None, labels: list[Label]) -> None:
        self._fold = fold
        self._stored = stored
        self._labels = labels
        self._seq = -1 if stored is None else stored["projected_seq"]
        self._owed = -1
        self._then: Projected | None = None

    def take(self, row: EventRow) -> None:
        """Move over the row that comes next.

        Raises:
            LogError: if the row is damaged.
        """
        if self._fold.advance(row):
            self._owed = row.seq
        if row.seq == self._seq:
            self._then = self._fold.projected()

    def differences(self) -> list[Difference]:
        """Where the projections are not what the rows so far say."""
        run_id, stored, labels = self._fold.run_id, self._stored, self._labels
        if not self._has_row:
            return [Difference(run_id, "*", stored or labels, None)] if stored or labels else []
        if stored is None:
            return [Difference(run_id, "*", None, "a row")]
        lags = self._then is not None and self._seq >= self._owed
        expected = self._then if self._then is not None and lags else self._fold.projected()
        found = [Difference(run_id, *wrong) for wrong in read_models.differing(stored, expected)]
        expected_labels = read_models.label_rows(expected.summary)
        # SQLite may hold a number of another type, which Python calls equal.
        if repr(labels) != repr(expected_labels):
            found.append(Difference(run_id, "labels", labels, expected_labels))
        return found

    def projected(self) -> Projected | None:
        """What the projections are to hold, None where they are to have nothing of the run."""
        return self._fold.projected() if self._has_row else None

    @property
    def _has_row(self) -> bool:
        state = self._fold.state
        return state.last_seq >= 0 and state.listed


def require(connection: Connection, run_ids: Iterable[str]) -> None:
    """See that each run is in the log or in the projections.

    Raises:
        RunNotFound: if one is in neither.
    """
    for run_id in run_ids:
        check_asked_id(run_id)
        known = event_log.head(connection, run_id) >= 0 or read_models.load_row(connection, run_id)
        if not known:
            raise RunNotFound(f"no run is called {run_id!r}")


def check(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    look: Look | None = None,
) -> Iterator[Difference]:
    """Where the projections are not what the log says, run by run.

    If all runs are compared, so is the usage that they add up to.

    Raises:
        DamagedRun: if a run's log is damaged and nobody takes care of that.
    """
    wrong = []
    look = look or partial(one_by_one, connection)
    for run in look(_told(connection, run_ids, progress)):
        _take_care(run, on_damage)
        if run.differences:
            wrong.append(run.run_id)
        yield from run.differences
    if run_ids is None:
        yield from _usage(connection, wrong)


def rebuild(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    look: Look | None = None,
) -> Iterator[Difference]:
    """Make the projections what the log says, in one step for whoever reads; what differed.

    What differs is staged outside of any lock, and moved into place at once when the iteration
    ends: nothing is changed before. Runs whose log is damaged stay as they are.

    Raises:
        DamagedRun: if a run's log is damaged and nobody takes care of that; nothing is changed.
    """
    whole = connection.transaction() if connection.postgres else contextlib.nullcontext()
    with whole, staging.room(connection):
        look = look or partial(one_by_one, connection, attempt=staging.attempt)
        for run in look(_told(connection, run_ids, progress)):
            _take_care(run, on_damage)
            if run.differences:
                staging.stage(connection, run.run_id, run.projected)
            yield from run.differences
        place = contextlib.nullcontext() if connection.postgres else connection.transaction()
        with place:
            wrong = staging.place(connection, whole=run_ids is None)
            if run_ids is None:
                schema.set_projection_version(connection)
    yield from map(_of_usage, wrong)


def one_by_one(
    connection: Connection,
    run_ids: Iterable[str],
    *,
    attempt: Callable[[Connection], AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Iterator[Examined]:
    """Each run compared with its log, in order; ``attempt`` is what it is done inside of."""
    for run_id in run_ids:
        try:
            with attempt(connection):
                differences, projected = examine(connection, run_id)
        except DamagedRun as error:
            yield Examined(run_id, [], None, error.finding)
        else:
            yield Examined(run_id, differences, projected, None)


def examine(connection: Connection, run_id: str) -> tuple[list[Difference], Projected | None]:
    """The differences of a run that nobody moved while it was compared, and what is right.

    Raises:
        DamagedRun: if the run's log is damaged.
    """
    while True:
        stored = read_models.load_row(connection, run_id)
        beside = Beside(Fold(run_id), stored, read_models.labels_of(connection, run_id))
        follow(connection, run_id, beside.take)
        found = beside.differences()
        if not found:
            return found, None
        if read_models.load_row(connection, run_id) == stored:
            return found, beside.projected()


def _usage(connection: Connection, run_ids: Iterable[str]) -> Iterator[Difference]:
    """Where usage is not what runs add up to, once those that are wrong are what the log says."""
    moves: list[Move] = []
    with integrity.snapshot(connection):
        for run_id in run_ids:
            found, projected = examine(connection, run_id)
            if found:
                stored = read_models.load_row(connection, run_id)
                due = None if projected is None else read_models.named_row_of(projected)
                moves.append((_counted(stored), _counted(due)))
        yield from map(_of_usage, rollup_check.differences(connection, moves))


def _counted(row: dict[str, Any] | None) -> Counted | None:
    return None if row is None else read_models.counted(row)


def _of_usage(wrong: Wrong) -> Difference:
    return Difference(
        "*", wrong.bucket.name, rollups.totals(wrong.stored), rollups.totals(wrong.due)
    )


def follow(connection: Connection, run_id: str, take: Callable[[EventRow], object]) -> None:
    """Hand each row of a run to ``take``, in order.

    Raises:
        DamagedRun: if that raises LogError, or a row cannot be read.
    """
    seq = -1
    try:
        for row in event_log.read(connection, run_id):
            seq = row.seq
            take(row)
    except LogError as error:
        reason = str(error.__cause__ or error)
        raise DamagedRun(Finding(run_id, seq, "damaged", reason)) from error
    except Exception as error:
        if (broken := integrity.damage(error)) is None:
            raise
        behind = f"what comes after row {seq} cannot be read: {broken}"
        raise DamagedRun(Finding(run_id, seq + 1, "unreadable", behind)) from error


def _take_care(run: Examined, on_damage: OnDamage | None) -> None:
    if run.damage is None:
        return
    if on_damage is None:
        raise DamagedRun(run.damage)
    on_damage(run.damage)


def _told(
    connection: Connection, run_ids: Sequence[str] | None, progress: Progress | None
) -> Iterator[str]:
    """The runs to look at, each told to ``progress`` before it is begun."""
    if progress is None:
        yield from known_runs.every(connection) if run_ids is None else run_ids
        return
    total = known_runs.count(connection) if run_ids is None else len(run_ids)
    done = 0
    for run_id in known_runs.every(connection) if run_ids is None else run_ids:
        # Runs may begin meanwhile.
        progress(done, max(total, done))
        yield run_id
        done += 1
    progress(done, done)
