"""``runreel prune``: delete old runs."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from runreel.cli import options, selection
from runreel.cli.render import terminal
from runreel.model.events import PRUNED
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.runs import PrunedRun
    from runreel.store.admin.vacuum import Space

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
@click.option("--actor", type=options.TEXT, help="Name kept in the log. Default: your login.")
@click.option("--yes", is_flag=True, help="Delete. Without it nothing is changed.")
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=_BATCH,
    show_default=True,
    help="Maximum runs per transaction.",
)
@click.option("--purge", is_flag=True, help="Rewrite the database without the deleted bytes.")
@selection.tz
@options.output(empty=True)
@options.reel()
def prune_command(  # noqa: PLR0913 - the options
    reel: Reel,
    *,
    before: datetime,
    status: tuple[str, ...] | None,
    keep_usage: bool,
    reason: str | None,
    actor: str | None,
    yes: bool,
    batch: int,
    purge: bool,
    output: Output,
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
    from runreel.cli.render import progress

    if purge and not yes:
        raise click.UsageError("--purge requires --yes.")
    report = _Report(dry_run=not yes, as_of=datetime.now(UTC))
    size = reel.size()
    try:
        with progress.bar("Pruning" if yes else "Searching") as step:
            report.found.extend(
                reel.prune(
                    before,
                    statuses=status or (),
                    keep_usage=keep_usage,
                    reason=reason,
                    actor=actor or _login(),
                    batch=batch,
                    dry_run=not yes,
                    progress=step,
                )
            )
        if purge or report.pruned_count:
            report.space = reel.release(purge=purge)._replace(before=size)
    finally:
        # After an error, the runs that were pruned before it are still reported.
        report.print(output)
    output.found("runs", len(report.found))
    held = report.space is not None and report.space.held
    if held or any(run.action == "damaged" for run in report.found):
        raise click.exceptions.Exit(1)


@dataclass
class _Report:
    """Collects the pruned runs and prints them with totals."""

    dry_run: bool
    as_of: datetime
    found: list[PrunedRun] = field(default_factory=list)
    space: Space | None = None

    @property
    def pruned_count(self) -> int:
        """The number of deleted runs."""
        return sum(run.action == PRUNED for run in self.found)

    def print(self, output: Output) -> None:
        """Print the runs and their totals."""
        from runreel.cli.render.list_views import PRUNED_RUNS

        output.report(PRUNED_RUNS, self.found, "items", lambda _: self._totals())
        if self.found:
            self._conclude()

    def _totals(self) -> dict[str, Any]:
        counted = self._counted_runs()
        space = self.space
        return {
            "dry_run": self.dry_run,
            "runs": len(counted),
            "rows": sum(run.rows for run in counted),
            "bytes": sum(run.bytes for run in counted),
            "space": space
            and {"before": space.before, "after": space.after, "unused": space.unused},
            "as_of": rfc3339(self.as_of),
        }

    def _counted_runs(self) -> list[PrunedRun]:
        action = "prunable" if self.dry_run else PRUNED
        return [run for run in self.found if run.action == action]

    def _conclude(self) -> None:
        totals = self._totals()
        counts = f"Runs: {totals['runs']:,}. Rows: {totals['rows']:,}."
        counts += f" Bytes of payload: {totals['bytes']:,}."
        if self.dry_run:
            terminal.write_notice(f"{counts} Dry run: add --yes to prune.")
        else:
            terminal.write_notice(("Pruned. ", "bold"), counts)
        skipped = Counter(run.action for run in self.found)
        for action in ("left", "damaged"):
            if skipped[action]:
                terminal.write_notice(f"Not pruned, {action}: {skipped[action]:,}.")
        if self.space is not None:
            _conclude_space(self.space)


def _conclude_space(space: Space) -> None:
    terminal.write_notice(f"Bytes before {space.before:,}, after {space.after:,}.")
    if space.unused:
        terminal.write_notice(
            f"Of these, {space.unused:,} stay in the file for reuse; --purge releases them."
        )
    for holder in space.left:
        terminal.write_notice(f"Old bytes remain in: {holder}.")


def _login() -> str | None:
    import getpass

    # A container may have no user database.
    with suppress(KeyError, OSError, ImportError):
        return getpass.getuser()
    return None
