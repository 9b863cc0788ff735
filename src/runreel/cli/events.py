"""``runreel events``: the log of one run, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.words.status import RunStatus, StreamEvent

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel

NOTES = (
    *("opened", "resumed", "closed", "interrupted", "conflict", "gap", "not_understood", "lost"),
    "redacted",
)
TYPES = tuple(dict.fromkeys((*StreamEvent.__members__, *RunStatus.__members__, *NOTES)))


@click.command(
    "events",
    epilog=options.examples("""
runreel events latest
runreel events latest --type partial_message -o jsonl
runreel events demo-20251231 --from 10 --to 20 --raw --json
"""),
)
@options.run_argument
@click.option(
    "--type",
    "type_",
    type=click.Choice(TYPES, case_sensitive=False),
    metavar="TYPE",
    help="Rows of this type: PARTIAL_MESSAGE, DONE, COMPLETED, opened, ...",
)
@options.seqs
@click.option("--raw", is_flag=True, help="With the source's own JSON value.")
@options.output(empty=True)
@options.reel()
def events_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    run: str,
    type_: str | None,
    start: int,
    stop: int | None,
    raw: bool,
    output: Output,
) -> None:
    """List the events of a run in their order.

    SEQ numbers the rows of a run from 0. The table shows what each event added to the text; JSON
    has the whole text so far as well. --from is inclusive, --to is not.
    """
    from runreel.cli.kinds import EVENTS, RAW_EVENTS

    as_of = datetime.now(UTC)
    found = reel.events(reel.resolve(run), start=start, stop=stop, type=type_)
    output.items(RAW_EVENTS if raw else EVENTS, found, as_of=as_of)
