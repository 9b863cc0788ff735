"""Usage reports: token totals by groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.run_filter import run_filter
from runreel.projection import period_names, usage_periods
from runreel.query.runs import with_stale
from runreel.store.events import damage
from runreel.store.projections import usage_queries
from runreel.store.schema import migrations
from runreel.system.zones import zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from runreel.model.run_filter import Filters
    from runreel.model.usage import UsageReport
    from runreel.store.database import Database


def report(
    database: Database,
    by: Sequence[str],
    filters: Filters,
    *,
    tz: str | None,
    now: datetime,
) -> UsageReport:
    """Return the token totals of the selected runs, grouped by ``by``.

    Hours, days and longer periods are those of the time zone ``tz`` (None: the local zone).
    Times of the filters are relative to ``now``.

    Raises:
        UsageError: if a grouping, the time zone or a filter is invalid.
    """
    time_zone, zone_name = zone(tz)
    selected = run_filter(filters, now=now, zone=time_zone)
    by_time = any(grouping in usage_periods.TIMES for grouping in by)
    columns = [usage_periods.column_of(item) for item in by if item not in usage_periods.TIMES]
    offsets = None
    with database.reading() as connection, damage.snapshot(connection):
        migrations.require_projections(connection)
        selected = with_stale(connection, selected)
        if by_time:
            days = usage_queries.days(connection, selected)
            offsets = usage_periods.utc_offsets(time_zone, days)
        by_hour = period_names.HOUR in by
        rows = usage_queries.usage(
            connection, columns, selected, utc_offsets=offsets, by_hour=by_hour
        )
    if by_hour:
        rows = [(period_names.hour_of(row[0], time_zone), *row[1:]) for row in rows]
    return usage_periods.report(by, rows, tz_name=zone_name)
