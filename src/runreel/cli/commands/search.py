"""``runreel search``: find where a text was said."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import options, selection
from runreel.cli.render import terminal
from runreel.model.errors import UsageError
from runreel.model.search import PARTS, SEARCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.cli.render.progress import Step
    from runreel.model.run_filter import Filters
    from runreel.model.search import Match


@options.command("""
runreel search "out of memory"
runreel search refund --in answer --in tools --since 7d
runreel search --regex "order [0-9]{6}" latest -o jsonl
runreel search --build
""")
@click.argument("text", metavar="[TEXT]", required=False, type=options.TEXT)
@options.runs_argument
@click.option(
    "--in",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help=f"Part to search (repeatable). Default: {', '.join(SEARCHED)}.",
)
@click.option("--regex", is_flag=True, help="TEXT is a regular expression.")
@click.option("--case", is_flag=True, help="Distinguish upper and lower case.")
@click.option("-n", "--limit", type=options.COUNT, default=0, help="Maximum matches; 0 = all.")
@click.option("--build", is_flag=True, help="Build the search index, or bring it up to date.")
@options.jobs_option("Number of worker processes of --build.")
@selection.filters
@options.output(empty=True)
@options.reel()
def search_command(  # noqa: PLR0913 - the options
    reel: Reel,
    /,
    text: str | None,
    runs: tuple[str, ...],
    *,
    parts: tuple[str, ...],
    regex: bool,
    case: bool,
    limit: int,
    build: bool,
    jobs: int,
    output: Output,
    **filters: Unpack[Filters],
) -> None:
    """Find where a text was said, newest run first.

    Searches all answers of a run, its last request, the arguments (as JSON) and results of its tool
    calls, its errors and, with --in reasoning, the reasoning. A text that is spread over several
    rows is found; SEQ is the row that completes it. Case is ignored in every script. Filters are
    those of `runreel runs`.

    An index of trigrams makes searches of large logs faster, and is optional: --build makes it, and
    later adds the runs that have ended since. Exit code 1: a pattern took too long on a part, a
    part is damaged, or a given RUN was pruned; stderr says which.
    """
    if build:
        _build(reel, text, jobs, output)
        return
    if text is None:
        raise UsageError("give the text to search for, or --build")
    run_ids = [reel.resolve(run) for run in runs] if runs else None
    problems: list[str] = []

    def report(problem: str) -> None:
        problems.append(problem)
        terminal.write_notice((f"Not searched: {problem}.", "red"))

    def matches(step: Step | None) -> Iterator[Match]:
        found = reel.search(
            text,
            run_ids=run_ids,
            in_=parts or SEARCHED,
            regex=regex,
            case=case,
            progress=step,
            on_problem=report,
            **filters,
        )
        return islice(found, limit) if limit else found

    from runreel.cli.render import progress
    from runreel.cli.render.search_views import MATCHES

    shown = progress.prefetched if output.is_table else progress.streamed
    try:
        output.items(MATCHES, shown("Searching", matches))
    except click.exceptions.Exit as exit_:
        raise click.exceptions.Exit(1 if problems else exit_.exit_code) from None
    if problems:
        raise click.exceptions.Exit(1)


def _build(reel: Reel, text: str | None, jobs: int, output: Output) -> None:
    from runreel.cli.render import json_views, progress, shapes_search

    if text is not None:
        raise UsageError("--build takes no text")
    with progress.bar("Building the search index") as step:
        report = reel.build_search_index(jobs=jobs, progress=step)
    facts = (
        ("Index", report.kind),
        ("Texts", f"{report.indexed:,}"),
        ("Added", f"{report.added:,}"),
        ("Bytes", f"{report.bytes:,}"),
    )
    output.object(json_views.fill(shapes_search.INDEX, report), facts)
