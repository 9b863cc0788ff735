"""``runreel events``: list the events of a run."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.events import StoredEvent


@options.command("""
runreel events latest
runreel events latest --type partial_message -o jsonl
runreel events latest --delta -o jsonl
runreel events demo-20251231 --from 10 --to 20 --raw --json
""")
@options.one_or_more_runs
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
@click.option(
    "--delta",
    is_flag=True,
    help="Leave out the text so far: `kept` and `added` say how an event changed it.",
)
@selection.tz
@options.output(empty=True)
@options.reel()
def events_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    runs: tuple[str, ...],
    types: tuple[str, ...],
    start: int,
    stop: int | None,
    limit: int,
    raw: bool,
    delta: bool,
    output: Output,
) -> None:
    """List the events of runs in their order.

    SEQ numbers the rows of a run from 0. The table shows the text that each event added; JSON also
    has the whole text so far, or with --delta only what changed. --from is inclusive, --to is
    exclusive. Several --type list the rows of any of them. If one run has more rows than the limit,
    stderr (and `next` in JSON) names the row to continue from. Several runs are listed one after
    the other.
    """
    from runreel.cli.render import list_views

    run_ids = list(dict.fromkeys(map(reel.resolve, runs)))
    found: Iterator[StoredEvent] = chain.from_iterable(
        reel.events(run_id, start=start, stop=stop, type=types or None) for run_id in run_ids
    )
    next_ = None
    if limit:
        (*shown,) = islice(found, limit + 1)
        if len(shown) > limit and len(run_ids) == 1:
            next_ = str(shown[limit].seq)
        found = iter(shown[:limit])
    view = list_views.RAW_EVENTS if raw else list_views.EVENTS
    if delta:
        view = list_views.without_text(view)
    if len(run_ids) > 1:
        view = list_views.with_run(view)
    output.items(view, found, next_=next_, option="--from")
