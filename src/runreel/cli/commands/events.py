"""``runreel events``: list the events of a run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


@options.command("""
runreel events latest
runreel events latest --type partial_message -o jsonl
runreel events demo-20251231 --from 10 --to 20 --raw --json
""")
@options.run_argument
@click.option(
    "--type",
    "types",
    type=selection.TYPE,
    multiple=True,
    metavar="TYPE",
    help="Type or kind of rows: partial_message, done, tool_results, note, opened, ...",
)
@options.seqs
@click.option("-n", "--limit", type=options.COUNT, default=0, help="Maximum rows; 0 = all.")
@click.option("--raw", is_flag=True, help="Include the original JSON.")
@selection.tz
@options.output(empty=True)
@options.reel()
def events_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    run: str,
    types: tuple[str, ...],
    start: int,
    stop: int | None,
    limit: int,
    raw: bool,
    output: Output,
) -> None:
    """List the events of a run in their order.

    SEQ numbers the rows of a run from 0. The table shows the text that each event added; JSON also
    has the whole text so far. --from is inclusive, --to is exclusive. Several --type list the rows
    of any of them. If there are more rows than the limit, stderr (and `next` in JSON) names the
    row to continue from.
    """
    from runreel.cli.render.list_views import EVENTS, RAW_EVENTS

    found = reel.events(reel.resolve(run), start=start, stop=stop, type=types or None)
    next_ = None
    if limit:
        (*shown,) = islice(found, limit + 1)
        next_ = str(shown[limit].seq) if len(shown) > limit else None
        found = iter(shown[:limit])
    view = RAW_EVENTS if raw else EVENTS
    output.items(view, found, next_=next_, option="--from")
