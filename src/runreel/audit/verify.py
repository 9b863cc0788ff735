"""Whether a log is what was recorded, as far as it can prove that by itself.

What it cannot: a tail that was cut off, a run that was removed whole, an older copy in its place,
a chain that was recomputed. A checkpoint that was put elsewhere shows those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from runreel.audit.chain_verifier import ChainVerifier
from runreel.model.finding import Finding
from runreel.projection.projector import DamagedRow
from runreel.rebuild.comparison import ProjectionComparer
from runreel.rebuild.rebuild import require
from runreel.store.events import damage as integrity
from runreel.store.events import event_log, stream_ids
from runreel.store.events.full_scan import Unreadable, count, scan
from runreel.store.projections import run_prefetch
from runreel.store.projections.run_prefetch import ProjectionPrefetch
from runreel.store.schema import comparison, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.store.connection import Connection
    from runreel.store.events.full_scan import Row
    from runreel.store.projections.run_prefetch import StoredProjection

    Progress = Callable[[int, int], None]

_SHOWN = 60


@dataclass(slots=True)
class VerifiedCounts:
    """How much of a log was looked at."""

    runs: int = 0
    events: int = 0


def verify(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    extent: VerifiedCounts | None = None,
) -> Iterator[Finding]:
    """Everything that is wrong with a log, or with some of its runs; nothing if it is intact.

    Of the whole log: the file, the schema and its triggers, then all rows in one pass as they
    stood at one moment, and what the projections make of them. Of named runs: all but the file.
    However long the log or a run is, little is held at a time. ``progress`` is told events done
    and events in all, ``extent`` counts along.

    Raises:
        RunNotFound: if a named run is neither in the log nor in the projections.
        LogError: if the database cannot be reached, or its tables are not those of this version.
    """
    migrations.require(connection)
    require(connection, run_ids or ())
    yield from _database(connection, whole=run_ids is None)
    with integrity.snapshot(connection):
        audit = _Audit(connection, extent or VerifiedCounts())
        if progress is not None:
            audit.report_progress(progress, run_ids)
        yield from audit.version()
        if run_ids is None:
            yield from audit.runs(None)
            yield from audit.orphan_projections()
        for run_id in run_ids or ():
            yield from audit.runs(run_id)
        audit.step(0)


def _database(connection: Connection, *, whole: bool) -> Iterator[Finding]:
    looks: list[tuple[str, Callable[[Connection], Iterable[str]]]]
    looks = [("file", integrity.file_problems)] if whole else []
    looks += [("schema", comparison.differences), ("meta", integrity.meta_problems)]
    for what, look in looks:
        try:
            for problem in look(connection):
                yield Finding(None, None, what, problem)
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            yield Finding(None, None, what, f"cannot be looked at: {_reason(error)}")


def _reason(error: Exception) -> str:
    reason = integrity.damage_reason(error)
    if reason is None:
        raise error
    return reason


class _Audit:
    """One pass over the rows of runs, and over what the projections say of them."""

    def __init__(self, connection: Connection, extent: VerifiedCounts) -> None:
        self._connection = connection
        self._extent = extent
        self._progress: Progress | None = None
        self._total = 0
        self._projected = True
        self._ahead = ProjectionPrefetch(connection)

    def report_progress(self, progress: Progress, run_ids: Sequence[str] | None) -> None:
        """Tell of the progress from now on."""
        self._progress = progress
        try:
            self._total = count(self._connection, run_ids)
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            self._damaged_while_reading(error)
        self.step(0)

    def step(self, events: int) -> None:
        """Count events of the log."""
        self._extent.events += events
        if self._progress is not None:
            done = self._extent.events
            self._progress(done, max(self._total, done))

    def version(self) -> Iterator[Finding]:
        """See whether the projections may be compared at all."""
        ours = migrations.PROJECTION_VERSION
        try:
            version = migrations.projection_version(self._connection)
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            version = self._damaged_while_reading(error)
        if version != ours:
            self._projected = False
            detail = f"they are of version {version}, not {ours}, and were not compared"
            yield Finding(None, None, "projections", f"{detail}: see `runreel rebuild`")

    def runs(self, run_id: str | None) -> Iterator[Finding]:
        """What is wrong with all runs of the log, or with one."""
        name = None
        for name, parts in groupby(scan(self._connection, run_id), key=itemgetter(0)):
            yield from self._run(name, (part for _, part in parts))
        if run_id is not None and name is None:
            yield _orphan(run_id)

    def orphan_projections(self) -> Iterator[Finding]:
        """What only the projections know."""
        try:
            yield from map(_orphan, stream_ids.orphan_projections(self._connection))
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            detail = f"not all can be read: {self._damaged_while_reading(error)}"
            yield Finding(None, None, "projections", detail)

    def _run(self, run_id: Any, parts: Iterable[list[Row] | Unreadable]) -> Iterator[Finding]:
        run = _Run(run_id, partial(event_log.masked_payloads, self._connection, run_id))
        self._extent.runs += run_id is not None
        if run.links is not None and self._projected:
            try:
                run.beside = ProjectionComparer(run_id, self._known(run_id))
            except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
                run.add_finding(
                    None, "projection", f"it cannot be read: {self._damaged_while_reading(error)}"
                )
        for part in parts:
            if isinstance(part, Unreadable):
                run.give_up(part)
            else:
                run.check_rows(part)
                self.step(len(part))
            yield from run.found
            run.found.clear()
        run.end()
        yield from run.found

    def _known(self, run_id: str) -> StoredProjection:
        try:
            return self._ahead.get(run_id)
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            # It may be another run's that cannot be read.
            self._damaged_while_reading(error)
            return run_prefetch.stored_projections(self._connection, [run_id])[run_id]

    def _damaged_while_reading(self, error: Exception) -> str:
        """The damage that an error tells of; reading goes on in another snapshot."""
        reason = _reason(error)
        integrity.restart_snapshot(self._connection)
        return reason


class _Run:
    """A run that is being looked at: its chain, its fold, and what was found so far.

    ``links`` or ``beside`` is None where they can be followed no further.
    """

    __slots__ = ("_intact", "_look", "_masks", "_name", "beside", "found", "links")

    def __init__(self, run_id: Any, look: Callable[[], dict[int, str]]) -> None:
        self._name = _name(run_id)
        # What is left of erased payloads, read once one is met.
        self._look = look
        self._masks: dict[int, str] | None = None
        self._intact = True
        self.found: list[Finding] = []
        self.beside: ProjectionComparer | None = None
        # It may be of any type, or no UTF-8.
        known = isinstance(run_id, str) and self._name == run_id
        self.links = ChainVerifier(run_id, self.add_finding) if known else None

    def add_finding(self, seq: Any, what: str, detail: str) -> None:
        """Add a finding."""
        self._intact = False
        place = seq if type(seq) is int else None
        self.found.append(Finding(self._name, place, what, detail))

    def check_rows(self, rows: list[Row]) -> None:
        """Look at the rows that come next; whatever is in them is a finding at the worst."""
        if self.links is None:
            for row in rows:
                self.add_finding(row[1], "column", "run_id is no text")
            return
        broken = self._apply_rows(rows)
        if broken is None:
            self._check_links(self.links, rows)
            return
        for row in rows:
            self._check_links(self.links, [row])
            if row[1] == broken[0]:
                self._damaged(*broken)
        if broken[0] is None:
            self._damaged(*broken)

    def _check_links(self, links: ChainVerifier, rows: Iterable[Row]) -> None:
        take, found = links.check, self.found
        for row in rows:
            before = len(found)
            try:
                take(row)
            except Exception as error:  # noqa: BLE001 - columns may hold anything
                links.lose_row(row)
                if len(found) == before:
                    self.add_finding(
                        row[1], "column", f"a value is not what it should be: {_short(error)}"
                    )

    def _apply_rows(self, rows: list[Row]) -> tuple[Any, BaseException] | None:
        """Move what the projections are compared with along; the row that it stopped at, and why.

        None for the row: it is one of these.
        """
        if self.beside is None:
            return None
        try:
            self.beside.apply_rows(event_log.with_masked_payloads(rows, self._masked_payloads))
        except DamagedRow as error:
            self.beside = None
            return error.row.seq, error.__cause__ or error
        except Exception as error:  # noqa: BLE001 - columns may hold anything
            self.beside = None
            return None, error
        return None

    def _masked_payloads(self) -> dict[int, str]:
        if self._masks is None:
            self._masks = self._look()
        return self._masks

    def give_up(self, row: Unreadable) -> None:
        """Take note that no more of the run, or of the log, can be read."""
        self.links = self.beside = None
        what = "whatever comes behind" if row.run_id is None else "the rest of the run"
        self.add_finding(row.seq, "unreadable", f"{what} cannot be read: {row.reason}")

    def end(self) -> None:
        """Compare what is left to compare when there are no more rows."""
        if self.links is not None:
            self.links.end()
        if self.beside is None:
            return
        try:
            for wrong in self.beside.compared().differences:
                told, due = _short(wrong.stored), _short(wrong.rebuilt)
                self.add_finding(
                    None, "projection", f"{wrong.column} is {told}, by the log it is {due}"
                )
        except Exception as error:  # noqa: BLE001 - as above
            self._damaged(None, error)

    def _damaged(self, seq: Any, error: BaseException) -> None:
        # What is said to be changed need not make sense; the rest has to.
        if self._intact:
            self.add_finding(seq, "damaged", f"it cannot be decoded: {_short(error)}")


def _name(run_id: Any) -> str | None:
    if not isinstance(run_id, str):
        return None if run_id is None else repr(run_id)
    return run_id.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _orphan(run_id: str) -> Finding:
    return Finding(run_id, None, "stray", "the projections know the run, the log does not")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, BaseException) else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
