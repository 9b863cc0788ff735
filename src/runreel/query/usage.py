"""Usage reports: token totals by groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.projection import usage_periods
from runreel.query.runs import with_stale
from runreel.store.events import damage
from runreel.store.projections import usage_queries
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from runreel.model.selection import RunFilter
    from runreel.model.usage import UsageReport
    from runreel.store.database import Database


def report(
    database: Database,
    by: Sequence[str],
    run_filter: RunFilter,
    *,
    zone: tzinfo | None,
    zone_name: str,
) -> UsageReport:
    """Return the token totals of the selected runs, grouped by ``by``.

    Days, weeks and months are those of ``zone`` (None: the local zone).

    Raises:
        UsageError: if a grouping is invalid.
    """
    by_time = any(grouping in usage_periods.TIMES for grouping in by)
    columns = [usage_periods.column_of(item) for item in by if item not in usage_periods.TIMES]
    offsets = None
    with database.reading() as connection, damage.snapshot(connection):
        migrations.require_projections(connection)
        run_filter = with_stale(connection, run_filter)
        if by_time:
            days = usage_queries.days(connection, run_filter)
            offsets = usage_periods.utc_offsets(zone, days)
        rows = usage_queries.usage(connection, columns, run_filter, utc_offsets=offsets)
    return usage_periods.report(by, rows, tz_name=zone_name)
