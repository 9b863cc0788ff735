"""The object that users hold: one log, everything that can be done with it.

What records, replays or reports is imported by whoever does that.
"""

from __future__ import annotations

# Names of the signatures are imported at run time: their types are checked.
# ruff: noqa: TC001, TC003
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import runreel
from runreel.api.maintenance import MaintenanceMixin
from runreel.model.arguments import checked
from runreel.model.errors import UsageError
from runreel.model.events import StoredEvent
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.run_filter import Days, Status, Time, event_types, moment, run_filter
from runreel.model.runs import Listing, Page, RunSummary
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timeline import Timeline
from runreel.model.usage import UsageReport
from runreel.store.database import Database
from runreel.system.default_location import default_url

if TYPE_CHECKING:
    from runreel.codec.secret_masking import SecretFilter, SecretPattern


@checked
def open(  # noqa: A001, PLR0913 - runreel.open reads as it should
    url: str | os.PathLike[str] | None = None,
    *,
    durability: str = "full",
    on_error: str = "raise",
    create: bool = True,
    patience: float = 0.0,
    mask: Sequence[str | re.Pattern[str] | Callable[[str], str]] = (),
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
        default_url(url),
        durability=durability,
        create=create,
        patience=patience,
        masking=_masking(mask) if mask else None,
    )
    return Reel(database, on_error=on_error)


def _masking(rules: Sequence[SecretPattern]) -> SecretFilter:
    from runreel.codec.secret_masking import SecretFilter

    return SecretFilter(rules)


class Reel(MaintenanceMixin):
    """A log of runs. A context manager; may be shared by threads, and used by forked children."""

    def __init__(self, database: Database, *, on_error: str = "raise") -> None:
        self.db = database
        self._on_error = on_error

    @property
    def url_shown(self) -> str:
        """The database as it may be printed: without passwords."""
        return self.db.shown

    @checked
    def record(
        self,
        stream: Any,
        *,
        request: dict[str, Any] | None = None,
        assistant: Any = None,
        labels: dict[Any, Any] | None = None,
    ) -> Any:
        """The like of ``stream`` that stores each event before it yields it, the vendor's own.

        ``stream`` is a run of the Yandex SDK, or a stream or response of the openai client, sync
        or async. ``request`` is what a response was asked for, ``assistant`` the SDK's object.

        Raises:
            UsageError: if it is neither.
            MissingExtra: if the vendor's package is of a version that cannot be recorded.
            SourceMismatch: if the log has the run from another source.
        """
        from runreel.capture.dispatch import recorded
        from runreel.codec.plain_json import as_labels

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
        from runreel.capture.yandex.interceptor_factory import interceptors

        return interceptors(self.db, self._on_error)

    @checked
    def recording(  # noqa: PLR0913 - what can be said of a run beforehand
        self,
        run_id: str,
        *,
        source: str = "plain",
        assistant_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        labels: dict[Any, Any] | None = None,
        requested_at: Time | None = None,
    ) -> runreel.Recording:  # imported where a recording is made
        """Record a run of one's own, event by event; goes on where the log has it already.

        A label that is no string is stored as its JSON text; one that is None is left out.
        ``requested_at`` is when the model was asked, a time as in ``runs``: the first text and the
        duration are measured from it. It counts where the run is new.

        Raises:
            BadValue: if a label is no JSON value.
            BadInput: if a run cannot be called so.
            SourceMismatch: if the log has the run from another source.
            UsageError: if ``requested_at`` is no time.
        """
        from runreel.codec.plain_json import as_labels
        from runreel.model.timestamps import rfc3339
        from runreel.recording.recorder import Recorder
        from runreel.recording.session import Recording

        names = {"assistant_id": assistant_id, "thread_id": thread_id, "model": model}
        asked = None
        if requested_at is not None:
            asked = moment("recording(requested_at=…)", requested_at, now=datetime.now(UTC))
        told = {**names, "labels": as_labels(labels), "requested_at": rfc3339(asked)}
        recorder = Recorder(
            self.db,
            run_id,
            source=source,
            via="program",
            identity={key: value for key, value in told.items() if value},
            defer_open_errors=self._on_error == "warn",
        )
        return Recording(recorder, on_error=self._on_error)

    @checked
    def runs(  # noqa: PLR0913 - the filters of a list
        self,
        *,
        status: Status | Iterable[Status] | None = None,
        source: str | Iterable[str] | None = None,
        assistant: str | Iterable[str] | None = None,
        thread: str | Iterable[str] | None = None,
        model: str | Iterable[str] | None = None,
        labels: Mapping[str, str | Iterable[str]] | None = None,
        recording: str | Iterable[str] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        on: Days | Iterable[Days] | None = None,
        has_error: bool = False,
        no_usage: bool = False,
        problems: bool = False,
        error_contains: str | Iterable[str] | None = None,
        slower_than: timedelta | float | str | None = None,
        min_tokens: int | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Listing[RunSummary] | Page[RunSummary]:
        """The runs that meet all these conditions, newest first.

        Of several values of one condition any is enough; of several labels each. ``status`` is a
        ``RunStatus``, its name in capitals, or a word of ``RunSummary.state``. ``since`` and
        ``until`` are about the start of a run: from the one on, before the other. Times are
        datetimes, dates, epoch seconds or texts such as ``"7d"``, ``"yesterday"``, ``"2026-11"``;
        without an offset they are local. ``on`` is a day, week, month or year. ``problems`` are
        failed, interrupted and stale runs. ``error_contains`` ignores the case of ASCII letters.
        ``slower_than`` is a duration in seconds or such as ``"1m30s"``.

        All runs are read page by page while they are iterated over. With ``limit`` the answer is
        one page of as many, or of all with 0; ``after`` is ``next`` of the page before.

        Raises:
            UsageError: if a value is not of its kind, or the cursor is invalid.
        """
        from runreel.query import runs as queries

        chosen = run_filter(
            now=datetime.now(UTC),
            status=status,
            source=source,
            assistant=assistant,
            thread=thread,
            model=model,
            labels=labels,
            recording=recording,
            since=since,
            until=until,
            on=on,
            has_error=has_error,
            no_usage=no_usage,
            problems=problems,
            error_contains=error_contains,
            slower_than=slower_than,
            min_tokens=min_tokens,
        )
        return queries.listing(self.db, chosen, limit=limit, after=after)

    @checked
    def resolve(self, text: str) -> str:
        """The id of the run that ``text`` is: an id, the beginning of one, or ``latest``.

        Raises:
            RunNotFound, AmbiguousRun: if it is none, or several.
        """
        from runreel.query import runs as queries

        with self.db.reading() as connection:
            return queries.resolve(connection, text)

    @checked
    def run(self, run_id: str) -> RunSummary:
        """What is known of a run.

        Raises:
            RunNotFound: if the log has no such run.
        """
        return self.state(run_id)[0]

    @checked
    def result(self, run_id: str, at: int | datetime | date | str | None = None) -> RunResult:
        """The result of a run, now, or as of a row's seq or a time.

        A number is a seq. A time is on the run's own clock: of an imported run, its source's.
        Times as in ``runs``.

        Raises:
            RunNotFound: if the log has no such run, or had none then.
            UsageError: if the run has no such row, or the time is invalid.
        """
        return self.state(run_id, at)[1]

    @checked
    def state(
        self, run_id: str, at: int | datetime | date | str | None = None
    ) -> tuple[RunSummary, RunResult]:
        """Both ``run`` and ``result``, as of one moment; see there."""
        from runreel.query import runs as queries

        if at is not None and not isinstance(at, int):
            at = moment("at", at, now=datetime.now(UTC))
        with self.db.reading() as connection:
            projected = queries.state(connection, run_id, at)
        return projected.summary, projected.result

    @checked
    def reasoning(self, run_id: str, at: int | datetime | None = None) -> str | None:
        """The reasoning beside a run's last answer, now, or as of a row's seq or a time.

        None where its server returned none. Its parts are separated by an empty line.

        Raises:
            RunNotFound: if the log has no such run, or had none then.
        """
        from runreel.query import runs as queries

        with self.db.reading() as connection:
            summary = queries.state(connection, run_id, at).summary
            return queries.reasoning(connection, run_id, summary.last_seq + 1)

    @checked
    def events(
        self,
        run_id: str,
        *,
        start: int = 0,
        stop: int | None = None,
        type: str | StreamEvent | RunStatus | Iterable[str | StreamEvent | RunStatus] | None = None,  # noqa: A002
    ) -> Iterator[StoredEvent]:
        """The rows of a run from ``start`` up to but not ``stop``, in order.

        ``type`` selects rows of any of these types or kinds, in either case: a type of stream
        event, a status, a note such as ``"opened"``, or ``"tool_results"``, ``"context"``.

        As of when the first is asked for. No connection is held while the iterator is suspended.

        Raises:
            RunNotFound: if the log has no such run.
            UsageError: if there is no such type.
        """
        from runreel.query import runs as queries

        types = event_types(type)
        return queries.paged_events(self.db, run_id, start=start, stop=stop, types=types)

    @checked
    def timeline(self, run_id: str, *, start: int = 0, stop: int | None = None) -> Timeline:
        """When a run's stream events came, and whose clock says so."""
        from runreel.replay import player as replays

        return replays.timeline(self.db, run_id, start=start, stop=stop)

    @checked
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
        from runreel.replay import player as replays

        found = self.timeline(run_id)
        return replays.replay(found, speed=speed, max_gap=max_gap, instant=instant)

    @checked
    def areplay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> AsyncIterator[RunStreamEvent]:
        """``replay`` for ``async for``."""
        from runreel.replay import player as replays

        return replays.areplay(
            lambda: self.timeline(run_id), speed=speed, max_gap=max_gap, instant=instant
        )

    @checked
    def usage(  # noqa: PLR0913 - the filters of a report
        self,
        by: str | Sequence[str] = ("day",),
        *,
        tz: str | None = None,
        status: Status | Iterable[Status] | None = None,
        source: str | Iterable[str] | None = None,
        assistant: str | Iterable[str] | None = None,
        thread: str | Iterable[str] | None = None,
        model: str | Iterable[str] | None = None,
        labels: Mapping[str, str | Iterable[str]] | None = None,
        recording: str | Iterable[str] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        on: Days | Iterable[Days] | None = None,
        has_error: bool = False,
        no_usage: bool = False,
        problems: bool = False,
        error_contains: str | Iterable[str] | None = None,
        slower_than: timedelta | float | str | None = None,
        min_tokens: int | None = None,
    ) -> UsageReport:
        """Tokens by day, week, month, assistant, thread, model, source, status or ``label:K``.

        A run counts where it started, in the time zone ``tz`` (None: the machine's); its usage is
        what its source reported last. Filters as in ``runs``; times without an offset are in the
        same zone.

        Raises:
            UsageError: if a grouping, the time zone or a filter is invalid.
        """
        from runreel.projection import usage_periods as usages
        from runreel.query import runs as queries
        from runreel.store.projections import usage_queries
        from runreel.store.schema import migrations
        from runreel.system.zones import zone

        place, name = zone(tz)
        chosen = run_filter(
            now=datetime.now(UTC),
            zone=place,
            status=status,
            source=source,
            assistant=assistant,
            thread=thread,
            model=model,
            labels=labels,
            recording=recording,
            since=since,
            until=until,
            on=on,
            has_error=has_error,
            no_usage=no_usage,
            problems=problems,
            error_contains=error_contains,
            slower_than=slower_than,
            min_tokens=min_tokens,
        )
        by = (by,) if isinstance(by, str) else tuple(by)
        timed = any(grouping in usages.TIMES for grouping in by)
        columns = [usages.column_of(item) for item in by if item not in usages.TIMES]
        with self.db.reading() as connection:
            migrations.require_projections(connection)
            chosen = queries.with_stale(connection, chosen)
            ahead = (
                usages.utc_offsets(place, usage_queries.days(connection, chosen)) if timed else None
            )
            rows = usage_queries.usage(connection, columns, chosen, utc_offsets=ahead)
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
