"""``runreel recover``: recordings that nobody has closed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import jsonify, options, times
from runreel.cli.output import Kind
from runreel.cli.tables import Cell, Column
from runreel.words.errors import UsageError

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel
    from runreel.words.log import OpenRecording

_ALIVE: dict[bool | None, Cell | None] = {
    True: ("alive", "green"),
    False: ("dead", "red"),
    None: None,
}

OPEN_RECORDINGS: Kind[OpenRecording] = Kind(
    "open recordings",
    jsonify.open_recording,
    (
        "run_id",
        "source",
        "opened_at",
        "host",
        "pid",
        "process_started",
        "last_event_at",
        "last_seq",
        "alive",
    ),
    (
        Column("RUN", lambda told: told.run_id, long=True),
        Column("PROCESS", lambda told: _ALIVE[told.alive]),
        Column("PID", lambda told: told.pid, right=True),
        Column("HOST", lambda told: told.host, long=True),
        Column("OPENED", lambda told: times.local(told.opened_at)),
        Column("LAST EVENT", lambda told: times.local(told.last_event_at)),
        Column("LAST SEQ", lambda told: told.last_seq, right=True),
        Column("SOURCE", lambda told: told.source),
    ),
)


@click.command(
    "recover",
    epilog=options.examples("""
runreel recover --list
runreel recover --list --json
"""),
)
@click.option("--list", "list_", is_flag=True, help="List them and change nothing.")
@options.output(empty=True)
@options.reel()
def recover_command(reel: Reel, *, list_: bool, output: Output) -> None:
    """Find recordings that a dead process left open.

    A dash under PROCESS: it ran on another host and cannot be seen from here.
    """
    if not list_:
        raise UsageError(
            "closing recordings is not available in this version",
            hint="`runreel recover --list` shows which are open.",
        )
    output.items(OPEN_RECORDINGS, reel.recoverable(), as_of=datetime.now(UTC))
