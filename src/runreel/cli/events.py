"""``runreel events``: the log of one run, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import jsonify, options, times
from runreel.cli.output import Kind
from runreel.cli.tables import Column
from runreel.words import log
from runreel.words.status import RunStatus, StreamEvent

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel
    from runreel.words.log import StoredEvent
    from runreel.words.results import ToolCallList

FIELDS = (
    "run_id",
    "seq",
    "kind",
    "type",
    "source_index",
    "at",
    "elapsed_us",
    "text",
    "added",
    "error",
    "tool_calls",
    "is_finished",
)
_NOTES = (
    log.OPENED,
    log.RESUMED,
    log.CLOSED,
    log.INTERRUPTED,
    log.CONFLICT,
    log.GAP,
    log.LOST,
    log.REDACTED,
)
TYPES = tuple(dict.fromkeys((*StreamEvent.__members__, *RunStatus.__members__, *_NOTES)))


def calls_line(calls: ToolCallList) -> str:
    """The calls as a program would write them."""
    told = []
    for call in calls:
        if call.function is None:
            told.append("?()")
        else:
            arguments = ", ".join(
                f"{key}={jsonify.text(value)}" for key, value in call.function.arguments.items()
            )
            told.append(f"{call.function.name}({arguments})")
    return "; ".join(told)


def _what(event: StoredEvent) -> str | None:
    """What a person wants to know of the row."""
    if event.error is not None:
        return event.error
    if event.tool_calls is not None:
        return calls_line(event.tool_calls)
    if event.added:
        return event.added
    if event.kind in (log.RUN, log.STREAM_EVENT):
        return None
    if event.kind == log.NOTE and isinstance(event.raw, dict):
        return ", ".join(f"{key} {jsonify.text(value)}" for key, value in event.raw.items())
    return None if event.raw is None else jsonify.text(event.raw)


EVENTS: Kind[StoredEvent] = Kind(
    "events",
    jsonify.event,
    FIELDS,
    (
        Column("SEQ", lambda event: event.seq, right=True),
        Column("AT", lambda event: times.local(event.at, precise=True)),
        Column("KIND", lambda event: event.kind),
        Column("TYPE", lambda event: event.type),
        Column("INDEX", lambda event: event.source_index, right=True),
        Column("WHAT", _what, long=True),
    ),
)
RAW_EVENTS: Kind[StoredEvent] = Kind(
    "events",
    jsonify.raw_event,
    (*FIELDS, "raw"),
    (*EVENTS.columns[:-1], Column("RAW", lambda event: jsonify.text(event.raw), long=True)),
)


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
    as_of = datetime.now(UTC)
    found = reel.events(reel.resolve(run), start=start, stop=stop, type=type_)
    output.items(RAW_EVENTS if raw else EVENTS, found, as_of=as_of)
