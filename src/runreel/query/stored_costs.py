"""Costs that are stored: made for the hours that lack them, read, and compared with the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runreel.codec import json_text
from runreel.model.errors import LogError
from runreel.model.runs import Difference
from runreel.prices.pricing import decimal_text
from runreel.projection.cost_report import CostSums, GroupCost
from runreel.query.run_pricing import COLUMNS, THEN, usage_of_row
from runreel.store import write_check
from runreel.store.events import damage
from runreel.store.projections import cost_table
from runreel.store.projections.cost_table import PeriodSums
from runreel.store.projections.usage_buckets import DAY, DIMENSIONS, HOUR, covering
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from fractions import Fraction

    from runreel.query.run_pricing import Pricing
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.usage_queries import HourPlan

    Progress = Callable[[int, int], None]
    # Id, currency, cost and reason.
    CostRow = tuple[str, str | None, str | None, str | None]
    # Value, currency, the counts of ``GroupCost``, and the cost as a decimal in two integers.
    HourGroup = Any

# The runs of a smaller log are priced in less time than their costs are stored.
MANY = 20_000
# Runs whose costs are stored in one transaction: recorders may wait for it.
_BATCH = 2_000


def is_worthwhile(connection: Connection, pricing: Pricing) -> bool:
    """Return whether the costs of a price book are stored, or are to be."""
    if pricing.as_of != THEN:
        return False
    if cost_table.book_of(connection, pricing.book.digest) is not None:
        return True
    return cost_table.has_runs(connection, MANY)


def build(database: Database, pricing: Pricing, progress: Progress | None = None) -> bool:
    """Store the costs of the hours that lack them; return False if the log cannot be written."""
    with database.reading() as connection:
        book = cost_table.book_of(connection, pricing.book.digest)
        if book is not None and not cost_table.stale_hours(connection, book):
            return True
    try:
        write_check.check_writable(database)
    except LogError:
        return False
    with database.writing() as connection:
        with connection.transaction():
            book = cost_table.add_book(connection, pricing.book.digest)
        stale = cost_table.stale_hours(connection, book)
        total, done = sum(stale.values()), 0
        for hours in _batches(stale):
            with connection.transaction():
                # Who changes a run that has costs waits, and then finds its hour here.
                connection.driver.lock_writes(connection, "cost_hours")
                done += _build(connection, book, hours, pricing)
            if progress is not None:
                progress(min(done, total), total)
    return True


def sums(
    connection: Connection, plan: HourPlan, book: int, stale: Container[int], *, by_day: bool
) -> Iterator[tuple[int, list[HourGroup]]]:
    """Yield the stored sums that a plan asks for, by start, without stale hours.

    ``by_day``: those of whole UTC days will do.
    """
    for span, starts in covering((plan.first, plan.last), DAY if by_day else HOUR, HOUR):
        found = cost_table.sums(connection, book, plan.dimension, span, starts)
        stale_days: set[int] = set()
        for start, text in found:
            if span == DAY and any(hour in stale for hour in range(start, start + DAY, HOUR)):
                stale_days.add(start)
            elif start not in stale:
                yield start, _groups(text, plan)
        for day in stale_days:
            hours = cost_table.sums(connection, book, plan.dimension, HOUR, (day, day + DAY))
            yield from ((start, _groups(text, plan)) for start, text in hours if start not in stale)


def _groups(text: str, plan: HourPlan) -> list[HourGroup]:
    groups: list[HourGroup] = json.loads(text)
    return [one for one in groups if one[0] in plan.values] if plan.values else groups


def rebuilt(
    database: Database,
    pricing: Pricing,
    *,
    check_only: bool = False,
    progress: Progress | None = None,
) -> Iterator[Difference]:
    """Yield the stored costs that are wrong; unless ``check_only``, make them right, and complete.

    Raises:
        LogError: if the log cannot be written.
    """
    with database.reading() as connection:
        migrations.require_projections(connection)
    found = list(differences(database, pricing))
    if not check_only:
        write_check.check_writable(database)
        with database.writing() as connection, connection.transaction():
            book = cost_table.add_book(connection, pricing.book.digest)
            if found:
                cost_table.clear(connection, book)
        build(database, pricing, progress)
    yield from found


def differences(database: Database, pricing: Pricing) -> Iterator[Difference]:
    """Yield the stored costs that differ from what the runs cost.

    Hours that are not stored yet are left out. The run ``*`` stands for the sums of an hour.
    """
    with database.reading() as connection, damage.snapshot(connection):
        book = cost_table.book_of(connection, pricing.book.digest)
        if book is None:
            return
        stale = cost_table.stale_hours(connection, book)
        fresh = [one for one in cost_table.stored_hours(connection, book) if one not in stale]
        for start in fresh:
            yield from _hour_differences(connection, book, start, pricing)
        for day in sorted({start // DAY * DAY for start in fresh}):
            if stale.keys().isdisjoint(range(day, day + DAY)):
                stored = cost_table.sums_within(connection, book, DAY, day, day + DAY)
                yield from _sum_differences(stored, _day_sums(connection, book, day))
        yield from (
            Difference(run_id, "run_costs", "*", None)
            for run_id in cost_table.orphans(connection, book)
        )


def _hour_differences(
    connection: Connection, book: int, start: int, pricing: Pricing
) -> Iterator[Difference]:
    runs, sums = _priced(connection, start, pricing)
    stored = cost_table.costs_of_hour(connection, book, start)
    for run_id, *found in runs:
        if stored.get(run_id) != tuple(found):
            yield Difference(run_id, "run_costs", stored.get(run_id), tuple(found))
    kept = cost_table.sums_within(connection, book, HOUR, start, start + HOUR)
    yield from _sum_differences(kept, sums)


def _sum_differences(stored: list[PeriodSums], expected: list[PeriodSums]) -> Iterator[Difference]:
    kept = {one.dimension: one.sums for one in stored}
    for one in expected:
        if kept.get(one.dimension) != one.sums:
            name = f"cost_sums {one.dimension or 'all'} {one.span} {one.start}"
            yield Difference("*", name, kept.get(one.dimension), one.sums)


def _batches(stale: dict[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    runs = 0
    for start, number in stale.items():
        batch.append(start)
        runs += number
        if runs >= _BATCH:
            yield batch
            batch, runs = [], 0
    if batch:
        yield batch


def _build(connection: Connection, book: int, starts: Sequence[int], pricing: Pricing) -> int:
    done = 0
    for start in starts:
        runs, sums = _priced(connection, start, pricing)
        cost_table.replace(connection, book, start, runs, sums)
        done += len(runs)
    for day in sorted({start // DAY * DAY for start in starts}):
        cost_table.add_sums(connection, book, _day_sums(connection, book, day))
    return done


def _day_sums(connection: Connection, book: int, day: int) -> list[PeriodSums]:
    """Return the sums of the hours of a UTC day."""
    by_dimension: dict[str, CostSums] = {}
    for one in cost_table.sums_within(connection, book, HOUR, day, day + DAY):
        sums = by_dimension.setdefault(one.dimension, CostSums())
        for value, currency, *counts, number, digits in json.loads(one.sums):
            sums.add_decimal((value,), currency, counts, number, digits)
    return [
        PeriodSums(dimension, DAY, day, json_text.dumps(_listed(sums)))
        for dimension, sums in by_dimension.items()
    ]


def _priced(
    connection: Connection, start: int, pricing: Pricing
) -> tuple[list[CostRow], list[PeriodSums]]:
    """Return what the runs of an hour cost, and the sums."""
    asked = ("run_id", *DIMENSIONS, *COLUMNS)
    by_all = CostSums()
    found: list[CostRow] = []
    for run_id, *row in cost_table.runs_of_hour(connection, start, asked):
        run, total = usage_of_row(row[len(DIMENSIONS) :])
        cost = pricing.cost(run)
        by_all.add(tuple(row[: len(DIMENSIONS)]), run, total, cost)
        text = None if cost.amount is None else decimal_text(cost.amount)
        found.append((run_id, cost.currency, text, cost.reason))
    groups = list(by_all.groups())
    return found, [
        PeriodSums(dimension, HOUR, start, json_text.dumps(_by(dimension, groups)))
        for dimension in ("", *DIMENSIONS)
    ]


def _by(dimension: str, groups: list[GroupCost]) -> list[HourGroup]:
    """Return the sums by value of a dimension and currency, in order."""
    sums = CostSums()
    for one in groups:
        value = one.key[DIMENSIONS.index(dimension)] if dimension else None
        sums.add_group(one._replace(key=(value,)))
    return _listed(sums)


def _listed(sums: CostSums) -> list[HourGroup]:
    found = [(one.key[0], one.currency, *one.counts, *_scaled(one.amount)) for one in sums.groups()]
    return sorted(found, key=lambda one: (one[0] or "", one[0] is None, one[1] or ""))


def _scaled(amount: Fraction | None) -> tuple[int | None, int]:
    """Return an amount as an integer, and the power of ten to divide it by."""
    if amount is None:
        return None, 0
    whole, _, part = decimal_text(amount).partition(".")
    return int(whole + part), len(part)
