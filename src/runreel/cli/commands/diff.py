"""``runreel diff``: compare two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from runreel.cli import completions, options, selection
from runreel.cli.render import terminal
from runreel.model.run_diff import PARTS

if TYPE_CHECKING:
    from runreel.cli.render.output import Output

_TIMING = "timing"
_part = click.Choice(PARTS)


@options.command("""
runreel diff run-1 run-2
runreel diff run-1 run-2 --only tools --only text
runreel diff run-1 run-2 --exit-code --ignore usage
runreel diff yesterday.reel.jsonl latest
""")
@click.argument("a", metavar="A", type=options.RUN, shell_complete=completions.run_ids)
@click.argument("b", metavar="B", type=options.RUN, shell_complete=completions.run_ids)
@click.option("--only", type=_part, multiple=True, help="Compare this part; repeatable.")
@click.option("--ignore", type=_part, multiple=True, help="Do not compare this part; repeatable.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with 1 if the runs differ; timing counts only if --only names it.",
)
@selection.tz
@options.output()
def diff_command(  # noqa: PLR0913 - one for each option
    *,
    a: str,
    b: str,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    exit_code: bool,
    output: Output,
) -> None:
    """Compare two runs: request, tools, text, usage, timing.

    A and B are runs, or recording files of one run, also of the same one at another time. Tool
    calls are aligned by name and arguments, texts are compared by words. Requests are compared by
    JSON pointers: the first one whole, later ones in what they ask.
    """
    from runreel.cli import recordings
    from runreel.cli.render import diff_view
    from runreel.query import run_diff

    ignored = {*ignore, *((_TIMING,) if exit_code and _TIMING not in only else ())}
    parts = [part for part in only or PARTS if part not in ignored]
    if not parts:
        raise click.UsageError("--ignore leaves nothing to compare.")
    with terminal.show_warnings(), recordings.opened_one(a, options.opened) as (reel, first):
        if a != b and recordings.files_among((a, b)):
            with recordings.opened_one(b, options.opened) as (other, second):
                found = run_diff.diff_of((reel.db, first), (other.db, second), parts)
        else:
            second = first if a == b else reel.resolve(b)
            found = reel.diff(first, second, parts=parts)
            if first == second:
                terminal.write_notice(("Both are the same run.", "dim"))
    if output.is_table:
        diff_view.print_diff(found, a, b)
    else:
        output.object(diff_view.value(found))
    if exit_code and not found.same:
        raise Exit(1)
