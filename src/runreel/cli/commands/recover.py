"""``runreel recover``: end recordings that a dead process left open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection
from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.runs import OpenRecording
    from runreel.recording.recovery import Resume


@options.command("""
runreel recover --list
runreel recover --list --json
runreel recover
""")
@click.option("--list", "list_", is_flag=True, help="List recordings and change nothing.")
@selection.tz
@options.output(empty=True)
@options.reel()
def recover_command(reel: Reel, *, list_: bool, output: Output) -> None:
    """Find recordings that a dead process left open and end them.

    If its service can be reached (YC_API_KEY or YC_IAM_TOKEN is set), a run is recorded to its
    end; any other recording is closed as interrupted. Recordings of running processes and of other
    hosts, whose processes are unknown, are not changed. Safe to run from cron.
    """
    from runreel.cli.render.list_views import OPEN_RECORDINGS, RECOVERED

    if list_:
        output.items(OPEN_RECORDINGS, reel.recoverable())
    else:
        output.items(RECOVERED, list(reel.recover(_resumer(reel))))


def _resumer(reel: Reel) -> Resume | None:
    from runreel.capture.yandex.credentials import authorization
    from runreel.capture.yandex.record import SOURCE, listen_by_id

    if authorization(os.environ) is None:
        return None

    def resume(recording: OpenRecording) -> None:
        if recording.source != SOURCE:
            raise SourceError(f"cannot resume runs of {recording.source}")
        listen_by_id(reel.db, recording.run_id)

    return resume
