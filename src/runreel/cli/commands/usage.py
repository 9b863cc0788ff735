"""``runreel usage``: count tokens by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import cost_options, options, report_options, saved_reports, selection
from runreel.projection.usage_periods import COLUMNS, TIMES

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.cost_options import LazyPricing
    from runreel.cli.render.output import Output
    from runreel.cli.render.report_layout import ReportLayout
    from runreel.model.run_filter import Filters


@options.command("""
runreel usage
runreel usage --by model --by month --since 2025-01-01
runreel usage --by label:team --tz Europe/Moscow --json
runreel usage --cost --by label:team --on last-month
runreel usage --cost --prices prices.jsonl --rates rates.jsonl --by month
runreel usage --by week --pivot model --fill -o csv
runreel usage --by hour --on yesterday --chart
runreel usage --report monthly
""")
@click.option(
    "--by",
    multiple=True,
    default=("day",),
    metavar="GROUP",
    type=options.TEXT,
    help=f"{', '.join((*TIMES, *COLUMNS))} or label:K (repeatable).",
)
@cost_options.costs
@report_options.layout
@saved_reports.report
@selection.filters
@options.output(empty=True)
@options.reel()
def usage_command(
    reel: Reel,
    /,
    by: tuple[str, ...],
    *,
    pricing: LazyPricing | None,
    layout: ReportLayout,
    output: Output,
    **filters: Unpack[Filters],
) -> None:
    """Count tokens by day, model, assistant and more.

    A run counts at the time it started. Its usage is the last one that its source reported; runs
    without usage are counted as unknown, not as zero. Of several model calls in a run, those that
    reported usage are summed. Filters work as in `runreel runs`.

    With --cost, a group has a line for each currency, and one for its runs without a price or
    usage. Each run costs its usage at the prices of the day on which it started, or of today with
    --as-of now. Costs are exact, and never converted without --rates.
    """
    from runreel.cli import time_arguments
    from runreel.cli.render import usage_layout

    usage_layout.check(layout, output, costs=pricing is not None)
    groups = usage_layout.groupings(tuple(dict.fromkeys(by)), layout)
    tz = time_arguments.requested_zone()
    now = time_arguments.now()
    if pricing is None:
        from runreel.query import usage

        report = usage.report(reel.db, groups, filters, tz=tz, now=now)
    else:
        from runreel.query import costs

        report = costs.report(reel.db, groups, filters, pricing(), tz=tz, now=now)
    if layout.fill:
        from runreel.query.usage_filled import filled

        report = filled(report, filters, tz=tz, now=now)
    usage_layout.print_report(report, layout, output)
    if report.prices is not None:
        cost_options.warn_of_old_prices(report.prices, output.as_of.date())
    output.found("runs", report.totals.runs)
