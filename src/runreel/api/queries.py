"""The part of a ``Reel`` that reads: runs, events, usage and replays."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Unpack

from runreel.model.arguments import checked
from runreel.model.events import StoredEvent
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.run_filter import Filters, event_types, moment
from runreel.model.runs import Listing, Page, RunSummary
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timeline import Timeline
from runreel.model.usage import RunCost, UsageReport
from runreel.store.database import Database
from runreel.system import wall_clock

if TYPE_CHECKING:
    from runreel.query.run_history import ShownRun
    from runreel.store.drivers.sqlite.engine import Engine
else:
    # Their modules take longer to import than short commands run.
    Engine = ShownRun = object


class QueryMixin:
    """Lists and shows runs, reads and replays their events, reports usage."""

    db: Database

    @checked
    def runs(
        self, *, limit: int | None = None, after: str | None = None, **filters: Unpack[Filters]
    ) -> Listing[RunSummary] | Page[RunSummary]:
        """List the runs that match all filters, newest first.

        Several values of one filter match any of them; several labels must all match. ``status``
        is a ``RunStatus``, its name in capitals, or a value of ``RunSummary.state``. ``since``
        (inclusive) and ``until`` (exclusive) refer to the start of a run. Times are datetimes,
        dates, epoch seconds or strings such as ``"7d"``, ``"yesterday"``, ``"2026-11"``; times
        without an offset are local. ``on`` is a day, week, month or year. ``problems`` selects
        failed, interrupted and stale runs. ``error_contains`` ignores the case of ASCII letters.
        ``slower_than`` is a duration in seconds or a string such as ``"1m30s"``.

        Without ``limit``, returns a ``Listing`` that reads page by page while you iterate. With
        ``limit``, returns one ``Page`` of that many runs (0: all); for the next page, pass its
        ``next`` as ``after``.

        Raises:
            UsageError: if a filter or the cursor is invalid.
        """
        from runreel.query import runs as queries

        return queries.listing(self.db, filters, limit=limit, after=after)

    @checked
    def resolve(self, text: str) -> str:
        """Return the ID of a run, given an ID, the start of an ID, or ``latest``.

        Raises:
            RunNotFound: if no run matches.
            AmbiguousRun: if several runs match.
        """
        from runreel.query import runs as queries

        with self.db.reading() as connection:
            return queries.resolve(connection, text)

    @checked
    def run(self, run_id: str) -> RunSummary:
        """Return the summary of a run.

        Raises:
            RunNotFound: if the run is not in the log.
        """
        return self._show(run_id).summary

    @checked
    def result(self, run_id: str, at: int | datetime | date | str | None = None) -> RunResult:
        """Return the result of a run, now or at an earlier event or time.

        ``at`` is the position of an event (a number) or a time in the formats of ``runs``. Times
        are compared with the run's own clock, which for an imported run is that of its source.

        Raises:
            RunNotFound: if the run is not in the log, or did not exist yet at that time.
            UsageError: if the run has no such event, or the time is invalid.
        """
        return self._show(run_id, at).result

    @checked
    def state(
        self, run_id: str, at: int | datetime | date | str | None = None
    ) -> tuple[RunSummary, RunResult]:
        """Return summary and result of a run together; arguments and errors as for ``result``."""
        shown = self._show(run_id, at)
        return shown.summary, shown.result

    @checked
    def reasoning(self, run_id: str, at: int | datetime | None = None) -> str | None:
        """Return the reasoning that led to a run's last answer, now or as of ``at``.

        ``at`` is the position of an event or a time. None if the server returned no reasoning. Its
        parts are separated by an empty line.

        Raises:
            RunNotFound: if the run is not in the log, or did not exist yet at that time.
        """
        return self._show(run_id, at, with_content=True).reasoning

    @checked
    def request(self, run_id: str, at: int | datetime | None = None) -> dict[str, object] | None:
        """Return the last request to the model in a run, now or as of ``at``, as JSON.

        It has no credentials. None if no request is stored. Items that were redacted or pruned are
        replaced by one item that names them.

        Raises:
            RunNotFound: if the run is not in the log, or did not exist yet at that time.
        """
        return self._show(run_id, at, with_content=True).request

    def _show(
        self,
        run_id: str,
        at: int | datetime | date | str | None = None,
        *,
        with_content: bool = False,
    ) -> ShownRun:
        from runreel.query import run_history

        if at is not None and not isinstance(at, int):
            at = moment("at", at, now=wall_clock.now())
        return run_history.show(self.db, run_id, at, exact=True, with_content=with_content)

    @checked
    def events(
        self,
        run_id: str,
        *,
        start: int = 0,
        stop: int | None = None,
        type: str | StreamEvent | RunStatus | Iterable[str | StreamEvent | RunStatus] | None = None,  # noqa: A002
    ) -> Iterator[StoredEvent]:
        """Yield the events of a run from position ``start`` to ``stop`` (exclusive), in order.

        ``type`` selects events of any of these types or kinds; case is ignored. It is a type of
        stream event, a status, a note such as ``"opened"``, ``"tool_results"`` or ``"context"``.

        Events appended after the first one was read are not included. No connection is held while
        the iterator is suspended.

        Raises:
            RunNotFound: if the run is not in the log.
            UsageError: if ``type`` is unknown.
        """
        from runreel.query import run_history

        types = event_types(type)
        return run_history.paged_events(self.db, run_id, start=start, stop=stop, types=types)

    @checked
    def usage(  # noqa: PLR0913 - options of the report
        self,
        by: str | Sequence[str] = ("day",),
        *,
        tz: str | None = None,
        cost: bool = False,
        prices: str | os.PathLike[str] | None = None,
        as_of: str = "then",
        rates: str | os.PathLike[str] | None = None,
        currency: str | None = None,
        fill: bool = False,
        **filters: Unpack[Filters],
    ) -> UsageReport:
        """Report token totals by groups, and costs with ``cost``.

        ``by`` is one or more of hour, day, week, month, quarter, year, assistant, thread, model,
        source, status, created_by, error and ``label:KEY``. A run counts at the time it started, in
        the time zone ``tz`` (None: the local zone), with the usage that its source reported last.
        Filters are those of ``runs``; times without an offset are in the same zone. ``fill`` adds
        the periods without runs, with 0 tokens: from ``since`` or the first one with runs to
        ``until``, or now if that is earlier, or the last one with runs.

        With ``cost``, a group has an item for each currency, and one for its runs without a price.
        ``prices`` is the file of a price book; None is your own one, and then the package
        genai-prices. ``as_of`` is ``"then"`` (the prices of the day on which each run started) or
        ``"now"`` (those of today). Costs are exact, and converted only with ``rates``, a file of
        daily exchange rates to ``currency``.

        Raises:
            UsageError: if a grouping, the time zone or a filter is invalid, if a file cannot be
                read, or if ``fill`` would add more than 100,000 periods.
            BadPrices: if a line of a file is not valid, or the exchange rate of a day is missing.
        """
        from runreel.query import usage as reports
        from runreel.query.usage_filled import filled

        groups = (by,) if isinstance(by, str) else tuple(by)
        now = wall_clock.now()
        if cost:
            from runreel.query import costs, price_books, run_pricing

            book = price_books.load(prices)
            pricing = run_pricing.pricing_of(
                book, as_of=as_of, rates=rates, currency=currency, now=now
            )
            report = costs.report(self.db, groups, filters, pricing, tz=tz, now=now)
        else:
            report = reports.report(self.db, groups, filters, tz=tz, now=now)
        return filled(report, filters, tz=tz, now=now) if fill else report

    @checked
    def cost(
        self, run_id: str, *, prices: str | os.PathLike[str] | None = None, as_of: str = "then"
    ) -> RunCost:
        """Return what a run cost, exactly; arguments and errors are those of ``usage``.

        Raises:
            RunNotFound: if the run is not in the log.
        """
        from runreel.query import price_books, run_pricing

        book = price_books.load(prices)
        pricing = run_pricing.pricing_of(book, as_of=as_of, now=wall_clock.now())
        return run_pricing.cost(pricing, self.run(run_id))

    @checked
    def timeline(self, run_id: str, *, start: int = 0, stop: int | None = None) -> Timeline:
        """Return the times of a run's stream events, and which clock they come from.

        Raises:
            RunNotFound: if the run is not in the log.
        """
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
        """Yield the stream events of a run with their original delays.

        ``speed`` divides the delays, ``max_gap`` (seconds) limits each of them, ``instant`` skips
        them all.

        Raises:
            RunNotFound: if the run is not in the log.
            UsageError: if ``speed`` or ``max_gap`` is out of range.
        """
        from runreel.replay import player as replays

        timeline = self.timeline(run_id)
        return replays.replay(timeline, speed=speed, max_gap=max_gap, instant=instant)

    @checked
    def areplay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> AsyncIterator[RunStreamEvent]:
        """Replay asynchronously, for ``async for``; otherwise like ``replay``."""
        from runreel.replay import player as replays

        return replays.areplay(
            lambda: self.timeline(run_id), speed=speed, max_gap=max_gap, instant=instant
        )

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine on the database of the log, for your own queries.

        It can only read: SQLite files are opened with ``mode=ro``, and transactions of Postgres are
        read-only. All statements of one ``engine.connect()`` see the same moment. Each opens a new
        connection and closes it at the end, so the engine may be used in threads and forked
        children, and needs no ``dispose``. The tables are in ``runreel.tables``; their times are
        integers, µs since 1970 UTC.

        Raises:
            LogError: if the database cannot be reached, or its schema is of another version.
        """
        return self.db.engine()
