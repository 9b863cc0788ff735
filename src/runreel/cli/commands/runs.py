"""``runreel runs``: list runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import options, price_options, selection

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.run_filter import Filters


@options.command("""
runreel runs --since 24h
runreel runs --status failed --model yandexgpt --json
runreel runs --problems --on yesterday --tz Europe/Moscow
runreel runs --model small-1 --model large-1 --slower-than 30s
runreel runs --label team=search -n 0 -o csv
runreel runs --after CURSOR
""")
@selection.filters
@click.option("-n", "--limit", type=options.COUNT, default=20, help="Maximum rows; 0 = all.")
@click.option("--after", metavar="CURSOR", type=options.TEXT, help="Cursor of the next page.")
@price_options.prices
@options.output(empty=True)
@options.reel()
def runs_command(
    reel: Reel,
    /,
    *,
    limit: int,
    after: str | None,
    prices: str | None,
    output: Output,
    **filters: Unpack[Filters],
) -> None:
    """List runs, newest first.

    A filter given twice selects runs that match any of its values; different filters must all
    match. Times without an offset are in the zone of --tz. A period such as yesterday means its
    start in --since and --until, and the whole period in --on. --until is exclusive. If there are
    more runs than the limit, stderr (and `next` in JSON) gives the cursor of the next page.
    JSON and CSV have what each run cost; --prices names the price book.
    """
    from runreel.cli.cost_options import LazyPricing
    from runreel.cli.render import priced_runs

    page = reel.runs(limit=limit, after=after, **filters)
    view = priced_runs.list_view(priced_runs.RunPrices(LazyPricing(prices)))
    output.items(view, page, as_of=page.as_of, next_=page.next)
