"""``runreel verify``: verify that the log is intact."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options, recording_report, recordings
from runreel.cli.render import terminal
from runreel.cli.render.terminal import counted

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.audit.checkpoints import ComparisonCounts
    from runreel.audit.signing import PublicKey
    from runreel.cli.render.output import Output

_FILES = click.Path(exists=True)
_NOT_COVERED = (
    "Not covered without a checkpoint: truncation, deleted runs, rollback to an older copy,"
    " recomputed hashes."
)


@options.command("""
runreel verify
runreel verify latest
runreel verify -j 4
runreel verify --json
runreel verify --checkpoint checkpoints/ --public-key audit.key.pub
runreel verify run.reel.jsonl --key audit.key.pub
""")
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
@click.option(
    "--key",
    "file_key",
    type=_FILES,
    metavar="FILE.pub",
    help="Public key that signed the recording file.",
)
@options.jobs
@options.output()
def verify_command(  # noqa: PLR0913 - options of the command
    runs: tuple[str, ...],
    *,
    checkpoints: tuple[str, ...],
    public_key: str | None,
    file_key: str | None,
    jobs: int,
    output: Output,
) -> None:
    """Verify that the log is intact; change nothing.

    Checks the file, the tables and their triggers, the digest and payload of every row, erasures,
    tombstones and the projections; with RUN, all but the file. Prints every finding by run and
    seq, and exits with 1 if there is one.

    Not covered without a checkpoint: truncation, deleted runs, rollback to an older copy, and
    recomputed hashes. Checkpoints and keys are read from files, never from the database, and
    cover the log up to the last checkpoint.

    A recording file in place of RUN is verified by itself, also one of many runs: its lines, hash
    chains, heads, counts and digest, and with --key its signature.
    """
    if files := recordings.files_among(runs):
        if checkpoints or public_key:
            raise click.UsageError("A checkpoint is of a log: do not give a recording file.")
        if len(files) < len(runs):
            raise click.UsageError("Give recording files or runs of the log, not both.")
        recording_report.verify_files(files, file_key, output)
        return
    if file_key is not None:
        raise click.UsageError("--key is for recording files.")
    key = _public_key(runs, checkpoints, public_key)
    with options.opened() as reel:
        paths = [Path(file) for file in checkpoints]
        _verify(reel, runs, paths, key, jobs=jobs, output=output)


def _verify(  # noqa: PLR0913 - options of the command
    reel: Reel,
    runs: tuple[str, ...],
    checkpoints: list[Path],
    key: PublicKey | None,
    *,
    jobs: int,
    output: Output,
) -> None:
    from runreel.audit import checkpoints as proof
    from runreel.audit import verify as audit
    from runreel.audit.log_audit import VerifiedCounts
    from runreel.cli.commands import rebuild
    from runreel.cli.render import json_views, list_views, progress, shapes
    from runreel.store.schema import comparison, migrations
    from runreel.store.worker_pool import workers

    verified, compared = VerifiedCounts(), proof.ComparisonCounts()

    def extra(count: int) -> dict[str, object]:
        counts = {"intact": not count, "runs": verified.runs, "events": verified.events}
        return {**counts, "checkpoints": key and json_views.fill(shapes.COMPARED, compared)}

    # Verifying must neither create a missing file nor migrate an old one.
    reel.db.current()
    with (
        workers(reel.db, 1 if runs else jobs, audit.MODULES) as pool,
        reel.db.reading(checked=False) as connection,
    ):
        migrations.require(connection)
        not_compared = comparison.not_compared(connection)
        run_ids = rebuild.resolve_all(connection, runs)
        findings = progress.prefetched(
            "Verifying",
            lambda step: audit.verify(
                connection, run_ids, pool=pool, progress=step, counts=verified
            ),
        )
        if key is not None:
            contradictions = proof.compare_all(connection, checkpoints, key, compared=compared)
            findings = chain(findings, contradictions)
        count = output.report(list_views.FINDINGS, findings, "findings", extra)
    recording_report.conclude(verified.runs, verified.events, count)
    _conclude_coverage(None if key is None else compared, all_runs=run_ids is None)
    if not_compared is not None:
        terminal.write_notice(f"Not compared: the tables and their triggers; {not_compared}.")
    if count:
        raise click.exceptions.Exit(1)


def _public_key(
    runs: tuple[str, ...], checkpoints: tuple[str, ...], public_key: str | None
) -> PublicKey | None:
    """The key to verify the checkpoints with, None if there are none."""
    if public_key is None and not checkpoints:
        return None
    if public_key is None or not checkpoints:
        raise click.UsageError("--checkpoint and --public-key require each other.")
    if runs:
        raise click.UsageError("--checkpoint covers the whole log: do not give RUN.")
    from runreel.audit.signing import load_public

    return load_public(Path(public_key))


def _conclude_coverage(compared: ComparisonCounts | None, *, all_runs: bool) -> None:
    if compared is None:
        only = "" if all_runs else "Only the given runs. "
        terminal.write_notice((only + _NOT_COVERED, "dim"))
        return
    pruned = f", {compared.pruned:,} of them pruned since" if compared.pruned else ""
    heads = f"{counted(compared.runs, 'run head')} compared{pruned}"
    terminal.write_notice(f"{counted(compared.checkpoints, 'checkpoint')}, {heads}.")
    terminal.write_notice(("Not covered: changes after the last checkpoint.", "dim"))
