"""``runreel prune``: delete old runs."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from runreel.cli import options, selection
from runreel.cli.render import terminal
from runreel.model.events import PRUNED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.maintenance import Space
    from runreel.model.runs import PrunedRun

_BATCH = 100


@options.command("""
runreel prune --older-than 90d
runreel prune --older-than 90d --keep-usage --reason "kept for 90 days" --yes
runreel prune --older-than 7d --status failed --yes --purge
""")
@click.option(
    "--older-than",
    "before",
    required=True,
    type=selection.TIME,
    metavar="AGE",
    help="Runs that ended longer ago than 90d, 12w, or before a time: 2025-12-31.",
)
@selection.status
@click.option("--keep-usage", is_flag=True, help="Keep counting the runs in usage reports.")
@click.option("--reason", type=options.TEXT, help="Reason, kept in the log.")
@options.actor
@click.option("--yes", is_flag=True, help="Delete. Without it nothing is changed.")
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=_BATCH,
    help="Maximum runs per transaction.",
)
@click.option("--purge", is_flag=True, help="Rewrite the database without the deleted bytes.")
@selection.tz
@options.output(empty=True)
@options.reel()
def prune_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    /,
    before: datetime,
    *,
    status: tuple[str, ...] | None,
    yes: bool,
    purge: bool,
    output: Output,
    **how: Unpack[_How],
) -> None:
    """Delete old runs; keep a tombstone of each.

    Lists the runs to delete; --yes deletes them, in batches. The age of a run counts from its end
    or, if that is unknown, from its last row. Open recordings are never deleted. The tombstone
    records what was deleted, when, by whom and why; older checkpoints are verified against it.
    Importing a pruned run again does not restore it.

    --keep-usage keeps the usage of the run and the fields that it is grouped by: times, model,
    labels, assistant, thread. Without it, the usage of runs pruned earlier is deleted too.

    Exit code 1: damaged runs were skipped, or a reader kept --purge from removing all bytes.
    """
    if purge and not yes:
        raise click.UsageError("--purge requires --yes.")
    pruning = partial(reel.prune, before, statuses=status or (), dry_run=not yes, **how)
    _prune(reel, pruning, output, yes=yes, purge=purge)


class _How(TypedDict):
    """Options that ``Reel.prune`` has too."""

    keep_usage: bool
    reason: str | None
    actor: str | None
    batch: int


def _prune(
    reel: Reel,
    pruning: Callable[..., Iterator[PrunedRun]],
    output: Output,
    *,
    yes: bool,
    purge: bool,
) -> None:
    from runreel.cli.render import progress

    found: list[PrunedRun] = []
    space = None
    size = reel.size()
    try:
        with progress.bar("Pruning" if yes else "Searching") as step:
            found.extend(pruning(progress=step))
        if purge or any(run.action == PRUNED for run in found):
            space = reel.release(purge=purge)._replace(before=size)
    finally:
        # After an error, the runs that were pruned before it are still reported.
        _report(output, found, space, dry_run=not yes)
    output.found("runs", len(found))
    if (space and space.held) or any(run.action == "damaged" for run in found):
        raise click.exceptions.Exit(1)


def _report(output: Output, found: list[PrunedRun], space: Space | None, *, dry_run: bool) -> None:
    """Print the runs and their totals."""
    from runreel.cli.render import json_views, list_views, shapes

    counted = [run for run in found if run.action == ("prunable" if dry_run else PRUNED)]
    totals = {
        "runs": len(counted),
        "rows": sum(run.rows for run in counted),
        "bytes": sum(run.bytes for run in counted),
    }
    freed = space and json_views.fill(shapes.SPACE, space)
    extra = {"dry_run": dry_run, **totals, "space": freed}
    output.report(list_views.PRUNED_RUNS, found, "items", lambda _: extra)
    if found:
        _conclude(found, totals, space, dry_run=dry_run)


def _conclude(
    found: list[PrunedRun], totals: dict[str, int], space: Space | None, *, dry_run: bool
) -> None:
    counts = "Runs: {runs:,}. Rows: {rows:,}. Bytes of payload: {bytes:,}.".format_map(totals)
    if dry_run:
        terminal.write_notice(f"{counts} Dry run: add --yes to prune.")
    else:
        terminal.write_notice(("Pruned. ", "bold"), counts)
    skipped = Counter(run.action for run in found)
    for action in ("left", "damaged"):
        if skipped[action]:
            terminal.write_notice(f"Not pruned, {action}: {skipped[action]:,}.")
    if space is None:
        return
    terminal.write_notice(f"Bytes before {space.before:,}, after {space.after:,}.")
    if space.unused:
        terminal.write_notice(
            f"Of these, {space.unused:,} stay in the file for reuse; --purge releases them."
        )
    for holder in space.left:
        terminal.write_notice(f"Old bytes remain in: {holder}.")
