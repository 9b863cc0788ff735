"""The object that users hold: one log, everything that can be done with it.

What records, replays or reports is imported by whoever does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from runreel.rules import arguments
from runreel.rules.filters import run_filter
from runreel.store.database import Database
from runreel.store.location import located
from runreel.upkeep import Upkeep
from runreel.words.errors import UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from runreel.recording import Recording
    from runreel.replay import Timeline
    from runreel.rules.masking import Masking, Rule
    from runreel.words.log import (
        Page,
        RunSummary,
        StoredEvent,
        UsageReport,
    )
    from runreel.words.results import RunResult, RunStreamEvent
    from runreel.words.status import RunStatus


def open(  # noqa: A001, PLR0913 - runreel.open reads as it should
    url: str | os.PathLike[str] | None = None,
    *,
    durability: str = "full",
    on_error: str = "raise",
    create: bool = True,
    patience: float = 0.0,
    mask: Sequence[Rule] = (),
) -> Reel:
    """The log at ``url``: a path (SQLite) or a Postgres URL; None is RUNREEL_DB or the default.

    ``durability`` ``full`` keeps through a power loss what your code saw; ``normal`` is faster
    and may then lose the last moments. ``on_error`` ``warn`` keeps your stream alive where the log
    fails. ``patience`` is for how many seconds the opening of a recording, and each append, tries
    again to reach the database. ``mask`` is what no event may bring into the log: ``"secrets"``
    (keys and tokens of well-known services), patterns, or functions that get and answer each
    string; how often that was needed stands in the note that ends a recording. Nothing is opened
    before it is needed.

    Raises:
        BadDatabaseUrl, UsageError: if an argument makes no sense.
    """
    if durability not in ("full", "normal"):
        raise UsageError("durability is 'full' or 'normal'")
    if on_error not in ("raise", "warn"):
        raise UsageError("on_error is 'raise' or 'warn'")
    if patience < 0:
        raise UsageError("patience is a number of seconds from 0")
    database = Database(
        located(url),
        durability=durability,
        create=create,
        patience=patience,
        masking=_masking(mask) if mask else None,
    )
    return Reel(database, on_error=on_error)


def _masking(rules: Sequence[Rule]) -> Masking:
    from runreel.rules.masking import Masking

    return Masking(rules)


class Reel(Upkeep):
    """A log of runs. A context manager; may be shared by threads, and used by forked children."""

    def __init__(self, database: Database, *, on_error: str = "raise") -> None:
        self.db = database
        self._on_error = on_error

    @property
    def url_shown(self) -> str:
        """The database as it may be printed: without passwords."""
        return self.db.shown

    def record(
        self,
        stream: Any,
        *,
        request: dict[str, Any] | None = None,
        assistant: Any = None,
        labels: dict[str, str] | None = None,
    ) -> Any:
        """The like of ``stream`` that stores each event before it yields it, the vendor's own.

        ``stream`` is a run of the Yandex SDK, or a stream or response of the openai client, sync
        or async. ``request`` is what a response was asked for, ``assistant`` the SDK's object.

        Raises:
            UsageError: if it is neither.
            MissingExtra: if the vendor's package is of a version that cannot be recorded.
            SourceMismatch: if the log has the run from another source.
        """
        from runreel.live.dispatch import recorded
        from runreel.rules.plain_json import as_labels

        return recorded(
            stream,
            self.db,
            request=request,
            assistant=assistant,
            labels=as_labels(labels),
            on_error=self._on_error,
        )

    def interceptors(self) -> list[Any]:
        """For ``AIStudio(interceptors=…)``: every run of that SDK object is recorded.

        Raises:
            MissingExtra: if the SDK is not installed, or is one without assistants.
        """
        from runreel.live.interceptors import interceptors

        return interceptors(self.db, self._on_error)

    def recording(  # noqa: PLR0913 - what can be said of a run beforehand
        self,
        run_id: str,
        *,
        source: str = "plain",
        assistant_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        labels: dict[str, str] | None = None,
    ) -> Recording:
        """Record a run of one's own, event by event; goes on where the log has it already.

        A label that is no string is stored as its JSON text; one that is None is left out.

        Raises:
            BadValue: if a label is no JSON value.
            BadInput: if a run cannot be called so.
            SourceMismatch: if the log has the run from another source.
        """
        from runreel.recorder import Recorder
        from runreel.recording import Recording
        from runreel.rules.plain_json import as_labels

        names = {"assistant_id": assistant_id, "thread_id": thread_id, "model": model}
        for name, text in {"source": source, **names}.items():
            arguments.require(f"recording({name}=…)", text, str, optional=name in names)
        arguments.require("recording(labels=…)", labels, dict, optional=True)

        told = {
            "assistant_id": assistant_id,
            "thread_id": thread_id,
            "model": model,
            "labels": as_labels(labels),
        }
        recorder = Recorder(
            self.db,
            run_id,
            source=source,
            via="program",
            identity={key: value for key, value in told.items() if value},
            lenient=self._on_error == "warn",
        )
        return Recording(recorder, on_error=self._on_error)

    def runs(  # noqa: PLR0913 - the filters of a list
        self,
        *,
        status: RunStatus | str | None = None,
        source: str | None = None,
        assistant: str | None = None,
        thread: str | None = None,
        model: str | None = None,
        labels: dict[str, str] | None = None,
        recording: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        has_error: bool = False,
        no_usage: bool = False,
        limit: int = 20,
        after: str | None = None,
    ) -> Page[RunSummary]:
        """The runs that all these conditions hold for, newest first.

        ``since`` is inclusive, ``until`` exclusive, both of the runs' start; naive times are UTC.
        ``limit`` 0 is all; ``after`` is ``next`` of the page before.

        Raises:
            UsageError: if a status, a recording state or the cursor is none.
        """
        from runreel import queries

        if limit < 0:
            raise UsageError("the limit is a number from 0 (all)")
        chosen = run_filter(
            status=status,
            source=source,
            assistant=assistant,
            thread=thread,
            model=model,
            recording=recording,
            labels=labels,
            since=since,
            until=until,
            has_error=has_error,
            no_usage=no_usage,
        )
        with self.db.reading() as connection:
            return queries.list_runs(connection, chosen, limit=limit, after=after)

    def resolve(self, text: str) -> str:
        """The id of the run that ``text`` is: an id, the beginning of one, or ``latest``.

        Raises:
            RunNotFound, AmbiguousRun: if it is none, or several.
        """
        from runreel import queries

        with self.db.reading() as connection:
            return queries.resolve(connection, text)

    def run(self, run_id: str) -> RunSummary:
        """What is known of a run.

        Raises:
            RunNotFound: if the log has no such run.
        """
        return self.state(run_id)[0]

    def result(self, run_id: str, at: int | datetime | None = None) -> RunResult:
        """The result of a run, now, or as of a row's seq or a time.

        Raises:
            RunNotFound: if the log has no such run, or had none then.
        """
        return self.state(run_id, at)[1]

    def state(self, run_id: str, at: int | datetime | None = None) -> tuple[RunSummary, RunResult]:
        """Both ``run`` and ``result``, as of one moment."""
        from runreel import queries

        with self.db.reading() as connection:
            projected = queries.state(connection, run_id, at)
        return projected.summary, projected.result

    def reasoning(self, run_id: str, at: int | datetime | None = None) -> str | None:
        """The reasoning beside a run's last answer, now, or as of a row's seq or a time.

        None where its server returned none. Its parts are separated by an empty line.

        Raises:
            RunNotFound: if the log has no such run, or had none then.
        """
        from runreel import queries

        with self.db.reading() as connection:
            summary = queries.state(connection, run_id, at).summary
            return queries.reasoning(connection, run_id, summary.last_seq + 1)

    def events(
        self,
        run_id: str,
        *,
        start: int = 0,
        stop: int | None = None,
        type: str | None = None,  # noqa: A002
    ) -> Iterator[StoredEvent]:
        """The rows of a run from ``start`` up to but not ``stop``, in order, of one type or all.

        As of when the first is asked for. No connection is held while the iterator is suspended.

        Raises:
            RunNotFound: if the log has no such run.
        """
        from runreel import queries

        yield from queries.paged_events(self.db, run_id, start=start, stop=stop, type_=type)

    def timeline(self, run_id: str, *, start: int = 0, stop: int | None = None) -> Timeline:
        """When a run's stream events came, and whose clock says so."""
        from runreel import replay as replays

        return replays.timeline(self.db, run_id, start=start, stop=stop)

    def replay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> Iterator[RunStreamEvent]:
        """The stream of a run once more, sleeping between events as it did then.

        Raises:
            RunNotFound: if the log has no such run.
            UsageError: if ``speed`` or ``max_gap`` (s) is out of range.
        """
        from runreel import replay as replays

        found = self.timeline(run_id)
        return replays.replay(found, speed=speed, max_gap=max_gap, instant=instant)

    def areplay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> AsyncIterator[RunStreamEvent]:
        """``replay`` for ``async for``."""
        from runreel import replay as replays

        return replays.areplay(
            lambda: self.timeline(run_id), speed=speed, max_gap=max_gap, instant=instant
        )

    def usage(  # noqa: PLR0913 - the filters of a report
        self,
        by: str | Sequence[str] = ("day",),
        *,
        tz: str | None = None,
        status: RunStatus | str | None = None,
        source: str | None = None,
        assistant: str | None = None,
        thread: str | None = None,
        model: str | None = None,
        labels: dict[str, str] | None = None,
        recording: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        has_error: bool = False,
        no_usage: bool = False,
    ) -> UsageReport:
        """Tokens by day, week, month, assistant, thread, model, source, status or ``label:K``.

        A run counts where it started, in the time zone ``tz`` (None: the machine's); its usage is
        what its source reported last. Filters as in ``runs``.

        Raises:
            UsageError: if a grouping, the time zone or a filter is none.
        """
        chosen = run_filter(
            status=status,
            source=source,
            assistant=assistant,
            thread=thread,
            model=model,
            recording=recording,
            labels=labels,
            since=since,
            until=until,
            has_error=has_error,
            no_usage=no_usage,
        )
        by = arguments.several("usage(by=…)", by)
        from runreel.rules import usage as usages
        from runreel.store import reports, schema

        place, name = usages.zone(tz)
        timed = any(grouping in usages.TIMES for grouping in by)
        columns = [usages.column_of(item) for item in by if item not in usages.TIMES]
        with self.db.reading() as connection:
            schema.require_projections(connection)
            ahead = usages.ahead(place, reports.days(connection, chosen)) if timed else None
            rows = reports.usage(connection, columns, chosen, ahead=ahead)
        return usages.report(by, rows, tz_name=name)

    def close(self) -> None:
        """Give up the connections; the reel may be used again."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
