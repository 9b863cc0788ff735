"""``runreel runs``: which runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runreel.cli import jsonify, options, times
from runreel.cli.output import Kind
from runreel.cli.tables import Cell, Column, number

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel
    from runreel.words.log import RunSummary

# How a status looks; it says so in words too.
STYLES = {"success": "green", "failed": "red", "running": "yellow", "unknown": "dim"}
RECORDING_STYLES = {"open": "yellow", "closed": None, "interrupted": "red"}

FIELDS = (
    "run_id",
    "source",
    "status",
    "status_name",
    "recording",
    "assistant_id",
    "thread_id",
    "model",
    "labels",
    "created_by",
    "created_at",
    "started_at",
    "finished_at",
    "first_text_ms",
    "duration_ms",
    "error.message",
    "error.code",
    "tool_calls",
    "usage.input_text_tokens",
    "usage.completion_tokens",
    "usage.total_tokens",
    "events",
    "last_seq",
)


def status_cell(run: RunSummary) -> Cell:
    """The status, in its colour."""
    return run.status.name, STYLES[run.status_name]


def recording_cell(run: RunSummary) -> Cell:
    """The state of the recording, in its colour."""
    return run.recording, RECORDING_STYLES.get(run.recording)


def _tokens(run: RunSummary) -> str | None:
    return None if run.usage is None else number(run.usage.total_tokens)


RUNS: Kind[RunSummary] = Kind(
    "runs",
    jsonify.run,
    FIELDS,
    (
        Column("RUN", lambda run: run.run_id, long=True),
        Column("STATUS", status_cell),
        Column("RECORDING", recording_cell),
        Column("STARTED", lambda run: times.local(run.started_at)),
        Column("TOOK", lambda run: times.took(run.duration_ms), right=True),
        Column("EVENTS", lambda run: number(run.events), right=True),
        Column("TOKENS", _tokens, right=True),
        Column("MODEL", lambda run: run.model, long=True),
    ),
)


@click.command(
    "runs",
    epilog=options.examples("""
runreel runs --since 24h
runreel runs --status failed --model yandexgpt --json
runreel runs --label team=search -n 0 -o csv
runreel runs --after CURSOR
"""),
)
@options.filters
@click.option(
    "-n", "--limit", type=click.IntRange(0, 2**31), default=20, help="At most so many; 0 is all."
)
@click.option(
    "--after", metavar="CURSOR", type=options.TEXT, help="The page after the one that told this."
)
@options.output(empty=True)
@options.reel()
def runs_command(reel: Reel, *, output: Output, **question: Any) -> None:
    """List runs, newest first.

    Times without an offset are local; --since is inclusive, --until is not. Where there are more
    runs than the limit, stderr (and `next` in JSON) tells how to go on.
    """
    page = reel.runs(**question)
    output.items(RUNS, page, as_of=page.as_of, next_=page.next)
