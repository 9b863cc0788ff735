"""``runreel verify``: whether the log is what was recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runreel.cli import options
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.audit.verify import VerifiedCounts
    from runreel.cli.render.output import Output
    from runreel.model.finding import Finding
    from runreel.store.connection import Connection

_FILES = click.Path(exists=True)
_NOT_COVERED = (
    "Not seen without a checkpoint: an end that was cut off, a run that is gone,"
    " an older copy, a chain made anew."
)


@click.command(
    "verify",
    epilog=options.examples("""
runreel verify
runreel verify latest
runreel verify --json
runreel verify --checkpoint checkpoints/ --public-key audit.key.pub
"""),
)
@options.runs_argument
@click.option(
    "--checkpoint",
    "checkpoints",
    type=_FILES,
    multiple=True,
    metavar="FILE|DIR",
    help="Verify against this checkpoint, or all of a directory (repeatable).",
)
@click.option(
    "--public-key",
    type=_FILES,
    metavar="FILE.pub",
    help="Public key that signed the first checkpoint.",
)
@options.output()
@options.reel()
def verify_command(
    reel: Reel,
    runs: tuple[str, ...],
    *,
    checkpoints: tuple[str, ...],
    public_key: str | None,
    output: Output,
) -> None:
    """Verify that the log is intact; change nothing.

    Checks the file, the tables and their triggers, the digest and payload of every row, what was
    erased or pruned, and the projections; of named runs, all but the file. Prints every finding by
    run and seq, and exits with 1 if there is one.

    Not covered without a checkpoint: truncation, deleted runs, rollback to an older copy, and
    recomputed hashes. Checkpoints and keys are read from files, never from the database, and
    cover the log up to the last checkpoint.
    """
    from runreel.audit import verify as audit
    from runreel.cli.commands import rebuild
    from runreel.cli.render import list_views, progress
    from runreel.model.timestamps import rfc3339
    from runreel.store.schema import comparison, migrations

    witnesses = _checkpoint_comparison(runs, checkpoints, public_key)
    as_of, extent = datetime.now(UTC), audit.VerifiedCounts()

    def rest(count: int) -> dict[str, Any]:
        told = {"intact": not count, "runs": extent.runs, "events": extent.events}
        held = None if witnesses is None else witnesses.summary()
        return told | {"checkpoints": held, "as_of": rfc3339(as_of)}

    # As it is: a file that is missing is not created, an old one not brought up to date.
    reel.db.current()
    with reel.db.reading(checked=False) as connection:
        migrations.require(connection)
        not_compared = comparison.not_compared(connection)
        chosen = rebuild.resolve_all(connection, runs)
        with progress.bar("Verifying") as step:
            looking = audit.verify(connection, chosen, progress=step, counts=extent)
            findings = rebuild.prefetched(looking)
            if witnesses is not None:
                findings = chain(findings, witnesses.findings(connection))
        count = output.report(list_views.FINDINGS, findings, "findings", rest)
    _conclude(extent, count, witnesses, all_=chosen is None)
    if not_compared is not None:
        terminal.write_notice(f"Not compared: the tables and their triggers; {not_compared}.")
    if count:
        raise click.exceptions.Exit(1)


class _CheckpointComparison:
    """The checkpoints to hold against the log, and who has to vouch for them."""

    def __init__(self, files: tuple[str, ...], public_key: str) -> None:
        from runreel.audit.checkpoints import ComparisonCounts
        from runreel.audit.signing import load_public

        self._paths = [Path(file) for file in files]
        self._key = load_public(Path(public_key))
        self.compared = ComparisonCounts()

    def findings(self, connection: Connection) -> Iterator[Finding]:
        from runreel.audit.checkpoints import compare_all

        return compare_all(connection, self._paths, self._key, compared=self.compared)

    def summary(self) -> dict[str, int]:
        held = self.compared
        return {"checkpoints": held.checkpoints, "runs": held.runs, "pruned": held.pruned}


def _checkpoint_comparison(
    runs: tuple[str, ...], checkpoints: tuple[str, ...], public_key: str | None
) -> _CheckpointComparison | None:
    if public_key is None and not checkpoints:
        return None
    if public_key is None or not checkpoints:
        raise click.UsageError("--checkpoint and --public-key go together.")
    if runs:
        raise click.UsageError("Checkpoints are held against the whole log: name no runs.")
    return _CheckpointComparison(checkpoints, public_key)


def _conclude(
    extent: VerifiedCounts, count: int, witnesses: _CheckpointComparison | None, *, all_: bool
) -> None:
    verdict = ("Not intact", "bold red") if count else ("Intact", "bold green")
    found = f", {count:,} findings" if count else ""
    terminal.write_notice(verdict, f": {extent.runs:,} runs, {extent.events:,} events{found}.")
    if witnesses is not None:
        held = witnesses.compared
        pruned = f", {held.pruned:,} of them pruned since" if held.pruned else ""
        terminal.write_notice(
            f"Held against {held.checkpoints:,} checkpoints: {held.runs:,} ends of runs{pruned}."
        )
        terminal.write_notice(
            ("Not seen: what happened to what came after the last of them.", "dim")
        )
        return
    terminal.write_notice(
        (_NOT_COVERED if all_ else f"Of the runs named alone. {_NOT_COVERED}", "dim")
    )
