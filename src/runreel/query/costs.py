"""What runs cost, by group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.errors import BadPrices
from runreel.model.run_filter import run_filter
from runreel.model.timestamps import from_micros
from runreel.model.usage import PricesUsed
from runreel.prices.price_book import newest_day
from runreel.projection import cost_report, period_names, usage_periods
from runreel.projection.cost_report import CostSums, GroupCost
from runreel.query import stored_costs
from runreel.query.run_pricing import COLUMNS, usage_of_row
from runreel.query.runs import with_stale
from runreel.store.events import damage
from runreel.store.projections import cost_table, usage_queries
from runreel.store.schema import migrations
from runreel.system.zones import zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime, tzinfo

    from runreel.model.run_filter import Filters
    from runreel.model.selection import RunFilter
    from runreel.model.usage import UsageReport
    from runreel.query.run_pricing import Pricing
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.usage_statements import UtcOffsets

_WIDTH = len(COLUMNS)


class _Report(NamedTuple):
    """What is asked: ``columns`` are the groups but for the times, as in ``usage_queries``.

    ``by_day`` if keys are to end with the UTC day, for exchange rates.
    """

    pricing: Pricing
    columns: Sequence[str]
    run_filter: RunFilter
    utc_offsets: UtcOffsets | None
    by_hour: bool
    time_zone: tzinfo | None
    by_day: bool


def report(  # noqa: PLR0913 - parts of the report
    database: Database,
    by: Sequence[str],
    filters: Filters,
    pricing: Pricing,
    *,
    tz: str | None,
    now: datetime,
) -> UsageReport:
    """Return usage and exact costs of the selected runs, by group and currency.

    Costs that are stored are read; those that are to be stored, are first. Times of the filters are
    relative to ``now``.

    Raises:
        UsageError: if a grouping, the time zone or a filter is invalid.
        BadPrices: if the exchange rate of a day is missing.
    """
    time_zone, zone_name = zone(tz)
    selected = run_filter(filters, now=now, zone=time_zone)
    columns = [usage_periods.column_of(item) for item in by if item not in usage_periods.TIMES]
    sums, offsets, target = CostSums(), None, pricing.target
    with database.reading() as connection:
        migrations.require_projections(connection)
        is_stored = stored_costs.is_worthwhile(connection, pricing)
    if is_stored:
        stored_costs.build(database, pricing)
    with database.reading() as connection, damage.snapshot(connection):
        migrations.require_projections(connection)
        selected = with_stale(connection, selected)
        if any(grouping in usage_periods.TIMES for grouping in by):
            days = usage_queries.days(connection, selected)
            offsets = usage_periods.utc_offsets(time_zone, days)
        by_hour = period_names.HOUR in by
        asked = _Report(pricing, columns, selected, offsets, by_hour, time_zone, target is not None)
        if not (is_stored and _add_stored(connection, sums, asked)):
            _add_runs(connection, sums, asked)
    groups: Iterable[GroupCost] = sums.groups()
    prices = _prices(pricing)
    if target is not None:
        groups, prices = _converted(groups, pricing, target, prices)
    return cost_report.report(by, groups, tz_name=zone_name, prices=prices)


def _add_stored(connection: Connection, sums: CostSums, asked: _Report) -> bool:
    """Add stored costs, and those of the runs that they lack; False if they do not fit."""
    book = cost_table.book_of(connection, asked.pricing.book.digest)
    plan = usage_queries.hour_plan(asked.columns, asked.run_filter, asked.utc_offsets)
    if book is None or plan is None:
        return False
    stale = cost_table.stale_hours(connection, book)
    by_day = _takes_utc_days(asked)
    for start, groups in stored_costs.sums(connection, plan, book, stale, by_day=by_day):
        head, tail = _hour_key(start, asked), []
        if asked.by_day:
            tail.append((period_names.EPOCH + start * period_names.QUARTER).date())
        for value, currency, *counts, number, digits in groups:
            key = (*head, *[value] * len(asked.columns), *tail)
            sums.add_decimal(key, currency, counts, number, digits)
    within = [
        f"r.started_at {operator} {usage_queries.micros_of(border)}"
        for operator, border in ((">=", plan.first), ("<", plan.last))
        if border is not None
    ]
    lacking = [(cost_table.condition(start), *within) for start in stale]
    for conditions in (*plan.left, *lacking):
        _add_runs(connection, sums, asked, conditions)
    return True


def _takes_utc_days(asked: _Report) -> bool:
    """Return whether the days of the report, if it has any, are those of UTC."""
    return not asked.by_hour and not any(seconds for _, seconds in asked.utc_offsets or ())


def _hour_key(start: int, asked: _Report) -> list[Any]:
    if asked.utc_offsets is None:
        return []
    hour, day = period_names.local_hour(start, asked.utc_offsets)
    return [period_names.hour_of(hour, asked.time_zone) if asked.by_hour else day]


def _add_runs(
    connection: Connection, sums: CostSums, asked: _Report, also: Sequence[str] = ()
) -> None:
    """Add the costs of the selected runs for which these conditions hold."""
    rows = usage_queries.each_run(
        connection,
        COLUMNS,
        asked.columns,
        asked.run_filter,
        utc_offsets=asked.utc_offsets,
        by_hour=asked.by_hour,
        also=also,
    )
    for row in rows:
        run, total = usage_of_row(row[-_WIDTH:])
        key = row[:-_WIDTH]
        if asked.by_hour:
            key = (period_names.hour_of(key[0], asked.time_zone), *key[1:])
        if asked.by_day:
            # Each day has a rate of its own.
            key = (*key, from_micros(run.started_at).date())
        sums.add(key, run, total, asked.pricing.cost(run))


def _prices(pricing: Pricing) -> PricesUsed:
    book = pricing.book
    return PricesUsed(book.name, book.digest, pricing.as_of, newest_day(book.entries))


def _converted(
    groups: Iterable[GroupCost], pricing: Pricing, target: str, prices: PricesUsed
) -> tuple[list[GroupCost], PricesUsed]:
    """Convert the costs of groups, whose keys end with a UTC day, with the rate of that day.

    Raises:
        BadPrices: if a rate is missing.
    """
    rates = pricing.rates
    assert rates is not None  # noqa: S101 - there is a target
    found: list[GroupCost] = []
    days: set[date] = set()
    missing: set[str] = set()
    for *key, currency, counts, amount in ((*one.key, *one[1:]) for one in groups):
        day: date = key.pop()
        if currency is None or amount is None or currency == target:
            found.append(GroupCost(tuple(key), currency, counts, amount))
            continue
        rate = rates.rate(currency, target, day)
        if rate is None:
            missing.add(rates.why_missing(currency, target, day).removeprefix(f"{rates.name}: "))
            continue
        days.add(day)
        found.append(GroupCost(tuple(key), target, counts, amount * rate))
    if missing:
        raise BadPrices(rates.name, tuple(sorted(missing)), hint="Add the rates of these days.")
    first, last = (min(days), max(days)) if days else (None, None)
    return found, replace(
        prices,
        rates=rates.name,
        rates_digest=rates.digest,
        currency=target,
        rates_from=first,
        rates_until=last,
    )
