"""``runreel rebuild``: rebuild the projections, or compare them with the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options, price_options
from runreel.cli.render import terminal
from runreel.model.errors import RunNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.finding import Finding
    from runreel.store.connection import Connection


@options.command("""
runreel rebuild
runreel rebuild --check
runreel rebuild -j 4
runreel rebuild --costs
runreel rebuild latest demo-20251231 --check --json
""")
@options.runs_argument
@click.option(
    "--check", is_flag=True, help="Compare and change nothing; exit with 1 on a difference."
)
@options.jobs
@click.option(
    "--costs", is_flag=True, help="Store what runs cost, or with --check compare it with the runs."
)
@price_options.prices
@options.output()
@options.reel()
def rebuild_command(  # noqa: PLR0913 - options of the command
    reel: Reel,
    runs: tuple[str, ...],
    *,
    check: bool,
    jobs: int,
    costs: bool,
    prices: str | None,
    output: Output,
) -> None:
    """Rebuild derived tables from the event log.

    Rebuilds the given runs, or all. Prints each difference between the derived tables and the log.
    The column `*` stands for a missing or surplus row, the run `*` for the usage totals of all
    runs. A run with damaged events is reported and skipped, the others are rebuilt, and the exit
    code is 1.

    With --costs, the costs of all runs are stored at the prices of one book, so that reports on
    many runs take little time; `runreel usage --cost` then adds those of new runs.
    """
    if costs or prices is not None:
        _rebuild_costs(reel, runs, prices, check=check, output=output)
        return
    from runreel.store.worker_pool import workers

    damaged: list[Finding] = []
    with workers(reel.db, jobs, ("runreel.rebuild.comparison",)) as pool:
        from runreel.cli.render import progress
        from runreel.cli.render.list_views import DIFFERENCES
        from runreel.rebuild import rebuild

        with reel.db.reading() as connection:
            run_ids = resolve_all(connection, runs)
        differences = progress.prefetched(
            "Checking" if check else "Rebuilding",
            lambda step: rebuild.differences(
                reel.db,
                run_ids,
                check_only=check,
                pool=pool,
                progress=step,
                on_damage=damaged.append,
            ),
        )
        count = output.items(DIFFERENCES, differences)
    for broken in damaged:
        where = f"row {broken.seq} of run {broken.run_id}"
        terminal.write_notice(("Damaged: ", "bold red"), f"{where}: {broken.detail}; skipped.")
    if count and not check:
        terminal.write_notice("Derived tables repaired.")
    if damaged or (count and check):
        raise click.exceptions.Exit(1)


def _rebuild_costs(
    reel: Reel, runs: tuple[str, ...], prices: str | None, *, check: bool, output: Output
) -> None:
    from runreel.cli.cost_options import LazyPricing
    from runreel.cli.render import progress
    from runreel.cli.render.list_views import DIFFERENCES
    from runreel.query import stored_costs

    if runs:
        raise click.UsageError("--costs is about all runs.")
    pricing = LazyPricing(prices)()
    title = "Checking costs" if check else "Storing costs"
    found = progress.prefetched(
        title, lambda step: stored_costs.rebuilt(reel.db, pricing, check_only=check, progress=step)
    )
    count = output.items(DIFFERENCES, found)
    if count and check:
        raise click.exceptions.Exit(1)


def resolve_all(connection: Connection, runs: Iterable[str]) -> list[str] | None:
    """Resolve run ids and prefixes, without duplicates; None if there are none."""
    return list(dict.fromkeys(_resolve_one(connection, run) for run in runs)) or None


def _resolve_one(connection: Connection, run: str) -> str:
    from runreel.query.runs import resolve

    try:
        return resolve(connection, run)
    except RunNotFound:
        # An orphan projection has no run in the event log, and is a difference to find.
        return run
