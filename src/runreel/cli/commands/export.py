"""``runreel export``: write runs to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import options, passphrase, selection
from runreel.cli.render import terminal
from runreel.export import formats

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.run_filter import Filters


@options.command("""
runreel export latest --out run.reel.jsonl
runreel export run-1 run-2 --out two.reel.jsonl.gz --key audit.key
runreel export latest --mask secrets --out run.reel.jsonl
runreel export --problems --since 24h --out problems.reel.jsonl.gz
runreel export --out log.reel.jsonl.gz -j 4
runreel export --partition day --out log.parquet
runreel export --since 7d --table events --out events.csv
runreel export latest --out run.html
""")
@options.runs_argument
@click.option(
    "--out", "out", type=click.Path(), required=True, metavar="FILE", help="The file to write."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(formats.names()),
    help="Format. Default: that of the ending of FILE.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--mask",
    type=options.TEXT,
    multiple=True,
    metavar="secrets|PATTERN",
    help="Write masked copies of the runs (repeatable).",
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Private key that signs the file.",
)
@click.option("--partition", type=click.Choice(("day",)), help="A file per day (Parquet).")
@click.option(
    "--table", type=click.Choice(("runs", "events")), help="What a CSV file holds. Default: runs."
)
@options.jobs
@passphrase.option
@selection.filters
@options.output()
@options.reel()
def export_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    /,
    *,
    runs: tuple[str, ...],
    out: str,
    format_: str | None,
    force: bool,
    mask: tuple[str, ...],
    key_file: str | None,
    passphrase_file: str | None,
    jobs: int,
    partition: str | None,
    table: str | None,
    output: Output,
    **filters: Unpack[Filters],
) -> None:
    """Write runs to a file to pass on.

    Writes the given runs, those that match the filters of `runreel runs`, or the whole log, from
    one snapshot of it. FILE appears complete or not at all, and only its owner can read it.

    NAME.reel.jsonl and NAME.reel.jsonl.gz are recordings: they keep every row with its proof. They
    can be shown, replayed and verified in place of RUN, opened with --db, and imported. --mask
    makes masked copies, which are other recordings and say so.

    NAME.parquet is a folder of two tables, runs and events, for DuckDB, Polars, Spark and others.
    --partition day makes a file for each UTC day on which runs started. NAME.csv has what
    `runreel runs -o csv` or `runreel events -o csv` prints.

    NAME.html is a page that opens from disk, NAME.md a transcript, NAME.cast a replay of one run
    for asciinema. NAME.otlp.json has spans for OpenTelemetry, without what was asked or answered.
    """
    from runreel.cli.render import json_views, progress, shapes_export

    if runs and (given := {name: value for name, value in filters.items() if value}):
        raise click.UsageError(f"Give RUN or filters, not both: {', '.join(sorted(given))}.")
    key = None if key_file is None else passphrase.signing_key(Path(key_file), passphrase_file)
    with progress.bar("Exporting") as step:
        written = reel.export(
            out,
            [reel.resolve(run) for run in runs] or None,
            format=format_,
            mask=mask,
            key=key,
            partition=partition,
            table=table,
            force=force,
            jobs=jobs,
            progress=step,
            **filters,
        )
    report = json_views.fill(shapes_export.EXPORT, written, file=out, bytes=written.size)
    for notice in written.notices:
        terminal.write_notice(f"Note: {notice}.")
    output.object(
        report,
        (
            (name.capitalize(), f"{value:,}" if isinstance(value, int) else str(value))
            for name, value in report.items()
        ),
    )
