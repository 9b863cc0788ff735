"""``runreel checkpoint``: sign the head of every run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options, passphrase

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.audit.checkpoints import CheckpointCreated
    from runreel.cli.render.output import Output

_FILE = click.Path(exists=True, dir_okay=False)
_TITLES = {
    "file": "Checkpoint",
    "sha256": "SHA-256",
    "number": "Number",
    "kind": "Lists",
    "runs": "Runs",
    "key_id": "Key",
    "next_key_id": "Next key",
}


@options.command("""
runreel checkpoint --key audit.key --out checkpoints/
runreel checkpoint --key audit.key --previous monday.txt --out tuesday.txt
runreel checkpoint --key audit.key --next-key new.key.pub --out checkpoints/
""")
@click.option(
    "--key", "key_file", type=_FILE, required=True, metavar="FILE", help="Private key that signs."
)
@passphrase.option
@click.option(
    "--out",
    type=click.Path(),
    required=True,
    metavar="FILE|DIR",
    help="New file, or a directory whose newest checkpoint is the previous one.",
)
@click.option("--previous", type=_FILE, metavar="FILE", help="Previous checkpoint.")
@click.option("--full", is_flag=True, help="List every run, not only changed ones.")
@click.option(
    "--next-key",
    type=_FILE,
    metavar="FILE.pub",
    help="Public key that signs the next checkpoints.",
)
@options.output()
@options.reel()
def checkpoint_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    key_file: str,
    passphrase_file: str | None,
    out: str,
    previous: str | None,
    full: bool,
    next_key: str | None,
    output: Output,
) -> None:
    """Sign the last hash of every run.

    `verify --checkpoint` later uses it to prove that nothing up to now was changed, truncated or
    deleted. Keep it where users who can write the database cannot write. It lists the runs that
    changed since the previous checkpoint; the first one, every 30th, and any with --full or without
    a previous one list all runs.

    Exit code 1: the log contradicts the previous checkpoint, and nothing was signed.
    """
    from runreel.audit import checkpoints, signing
    from runreel.model.timestamps import to_micros

    created = checkpoints.checkpoint(
        reel.db,
        Path(out),
        key=passphrase.signing_key(Path(key_file), passphrase_file),
        now=to_micros(output.as_of),
        previous=None if previous is None else Path(previous),
        full=full,
        next_key=None if next_key is None else signing.load_public(Path(next_key)),
    )
    _print(created, output)


def _print(created: CheckpointCreated, output: Output) -> None:
    from runreel.cli.render import json_views, shapes

    report = json_views.fill(
        shapes.CHECKPOINT,
        created.header,
        file=str(created.path),
        sha256=created.sha256,
        runs=created.runs,
        next_key_id=created.next_key_id,
    )
    facts = ((title, report[name]) for name, title in _TITLES.items())
    output.object(report, ((title, str(value)) for title, value in facts if value is not None))
