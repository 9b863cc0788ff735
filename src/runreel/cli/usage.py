"""``runreel usage``: tokens, counted by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runreel.cli import jsonify, options, tables, terminal
from runreel.cli.output import Kind
from runreel.cli.tables import Column, number
from runreel.words.log import UsageItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.cli.output import Output
    from runreel.reel import Reel
    from runreel.words.log import UsageReport

_TIMED = ("day", "week", "month")
_GROUPS = (*_TIMED, "assistant", "thread", "model", "source", "status")
_COUNTS = ("runs", "known", "unknown", "input_text_tokens", "completion_tokens", "total_tokens")


@click.command(
    "usage",
    epilog=options.examples("""
runreel usage
runreel usage --by model --by month --since 2025-01-01
runreel usage --by label:team --tz Europe/Moscow --json
"""),
)
@click.option(
    "--by",
    multiple=True,
    default=("day",),
    show_default=True,
    metavar="GROUP",
    type=options.TEXT,
    help=f"{', '.join(_GROUPS)} or label:K; repeat it for finer groups.",
)
# Read first, because times without an offset are of this zone.
@click.option(
    "--tz", type=options.TEXT, is_eager=True, help="Zone of days. Default: the local one."
)
@options.filters
@options.output(empty=True)
@options.reel()
def usage_command(
    reel: Reel, by: tuple[str, ...], tz: str | None, *, output: Output, **question: Any
) -> None:
    """Count tokens by day, model, assistant and more.

    A run counts where it started. Its usage is what its source reported last; runs that reported
    none are counted as unknown, not as zero.
    """
    report = reel.usage(tuple(dict.fromkeys(by)), tz=tz, **question)
    if output.format == "json":
        output.object(_whole(report))
    elif output.is_table:
        show(report)
    else:
        output.lines(_kind(report.by), report.items)
    output.found("runs", report.totals.runs)


def show(report: UsageReport) -> None:
    """Print a report for people, its totals and what they cover last."""
    if not report.totals.runs:
        return
    total = UsageItem(("TOTAL", *("" for _ in report.by[1:])), report.totals)
    tables.show(_kind(report.by).columns, [*report.items, total])
    terminal.out((_coverage(report), "dim"))


def _kind(by: tuple[str, ...]) -> Kind[UsageItem]:
    columns: list[Column[UsageItem]] = [
        Column(group.upper() if group in _GROUPS else group, _key(place), long=True)
        for place, group in enumerate(by)
    ]
    columns += (
        Column("RUNS", lambda item: number(item.totals.runs), right=True),
        Column("KNOWN", lambda item: number(item.totals.known), right=True),
        Column("UNKNOWN", lambda item: number(item.totals.unknown), right=True),
        Column("INPUT", lambda item: number(item.totals.input_text_tokens), right=True),
        Column("COMPLETION", lambda item: number(item.totals.completion_tokens), right=True),
        Column("TOTAL", lambda item: number(item.totals.total_tokens), right=True),
    )
    return Kind("runs", lambda item: jsonify.usage_item(by, item), (*by, *_COUNTS), columns)


def _key(place: int) -> Callable[[UsageItem], str | None]:
    return lambda item: item.key[place]


def _whole(report: UsageReport) -> dict[str, Any]:
    return {
        "items": [jsonify.usage_item(report.by, item) for item in report.items],
        "totals": jsonify.totals(report.totals),
        "tz": report.tz,
    }


def _coverage(report: UsageReport) -> str:
    told = f"Usage known for {number(report.totals.known)} of {number(report.totals.runs)} runs."
    return f"{told} Time zone: {report.tz}." if set(report.by) & set(_TIMED) else told
